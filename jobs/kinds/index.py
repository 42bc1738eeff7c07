"""Bring the library up to date with a folder of music, incrementally and in three passes.

The scan walks the folder and stores each audio file's size and time in the table `folder_file`; files that are new,
changed, or analysed by another version become pending. Then each pending file is hashed and, if its content is unknown,
analysed and committed by itself, so that an interrupted run continues where it stopped; as many files are processed at
once as the engine has slots. Content hashes distinguish a moved file from a new one. Missing files are removed last.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from core.errors import Fact, Refusal, UserError, fact, is_disk_full
from core.folders import access_to
from core.library.connection import Row
from core.library.database import Database
from core.library.indexing import Found, Place, fail, forget, reconcile, scan
from core.library.sources import MEMBER_OWNED_SQL
from core.library.sources.folder import SOURCE, fingerprint
from core.separation.base import Cancelled
from core.track_analysis import ANALYSER_VERSION
from jobs.engines.base import Crashed, Engine, Request, ShouldStop, TaskFailed, TimedOut, Unavailable
from jobs.kinds.base import Done, GiveBack, Kind, Work

HANDLED = ("added", "updated", "renewed", "moved", "duplicates")
"""The counts of a report that a job keeps when it gives way and goes on later."""

LISTED_FAILURES = 200
"""How many failures a report lists; `failures` counts them all."""


@dataclass(frozen=True)
class Spec:
    """A folder of music to index."""

    folder: str
    """Its absolute path."""
    so_far: dict[str, int] = field(default_factory=dict)
    """The HANDLED counts of earlier runs of a job that gave way."""


@dataclass
class IndexReport:
    """The counts of a run. `failed` holds (path in the folder, error); `rate` is in analysed files per minute."""

    folder: str
    separator: str = ""
    added: int = 0
    updated: int = 0
    """Files whose content changed."""
    renewed: int = 0
    """Unchanged files that were analysed anew since the separator or the analyser has another version."""
    moved: int = 0
    removed: int = 0
    duplicates: int = 0
    """New files with the content of an existing one, whose track they share."""
    unchanged: int = 0
    failures: int = 0
    failed: list[tuple[str, Fact]] = field(default_factory=list)
    seconds: float = 0.0
    rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class IndexProgress:
    """The progress of the second pass; `rate` is analysed files per minute."""

    done: int
    total: int
    rate: float | None


@dataclass
class FolderIndex:
    """Adds or refreshes the audio files of `folder` and everything below it.

    Hidden files and folders are ignored, symbolic links to folders are not followed, those to files only when they stay
    inside. `between` is called after each file with the report so far, and may raise to stop; files that are in work then
    are finished.
    """

    folder: Path
    database: Database
    engine: Engine
    progress: Callable[[IndexProgress], None] | None = None
    cancel: ShouldStop | None = None
    max_seconds: float = 900.0
    allow_empty: bool = False
    between: Callable[[IndexReport], Awaitable[None]] | None = None
    begun: float = field(default_factory=time.monotonic)
    analysed: int = 0
    done: int = 0
    in_work: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    """Tasks by the content that they analyse, so that its copies wait and then share the track."""

    async def run(self) -> IndexReport:
        """Index the folder.

        Raises UserError if it is missing or, unless `allow_empty`, has lost all its music (an unmounted volume);
        Cancelled when `cancel` returns True."""
        self.folder = await asyncio.to_thread(lambda: self.folder.expanduser().resolve())
        access = await asyncio.to_thread(access_to, self.folder)
        if access == "missing":
            raise Refusal("no-folder", folder=str(self.folder))
        if access != "open":
            raise Refusal("folder-not-opened", folder=str(self.folder))
        self.report = IndexReport(str(self.folder))
        facts = await self.engine.start()
        self.report.separator = facts["separator"]
        [row] = await self.database.write(
            "INSERT INTO folder (path, watched, scan) VALUES (?, 1, 1) ON CONFLICT (path) DO UPDATE SET"
            " scan = scan + 1, watched = 1 RETURNING id, scan",
            [str(self.folder)],
        )
        self.place = Place(
            SOURCE,
            row["id"],
            self.folder,
            row["scan"],
            facts["separator"],
            facts["separator_version"],
            ANALYSER_VERSION,
        )
        unreadable = await scan(self.database, self.place, self._check, allow_empty=self.allow_empty)
        await self._process()
        self.report.removed = await forget(self.database, self.place, unreadable, self._check)
        await self.database.write("UPDATE folder SET indexed_at = unixepoch() WHERE id = ?", [self.place.id])
        for failed in await self.database.fetch(
            "SELECT path, error FROM folder_file WHERE folder_id = ? AND error IS NOT NULL ORDER BY path LIMIT ?",
            [self.place.id, LISTED_FAILURES],
        ):
            self.report.failed.append((failed["path"], json.loads(failed["error"])))
        [count] = await self.database.fetch(
            "SELECT count(*) FROM folder_file WHERE folder_id = ? AND error IS NOT NULL", [self.place.id]
        )
        self.report.failures = count[0]
        self.report.seconds = round(time.monotonic() - self.begun, 3)
        self.report.rate = self._rate()
        return self.report

    def _check(self) -> None:
        if self.cancel is not None and self.cancel():
            raise Cancelled

    def _rate(self) -> float | None:
        seconds = time.monotonic() - self.begun
        return round(60 * self.analysed / seconds, 2) if self.analysed and seconds > 0 else None

    async def _process(self) -> None:
        [count] = await self.database.fetch(
            "SELECT count(*), coalesce(sum(pending), 0) FROM folder_file WHERE folder_id = ? AND scan = ?",
            [self.place.id, self.place.scan],
        )
        total = count[1]
        self.report.unchanged = count[0] - total
        running: set[asyncio.Task[None]] = set()
        try:
            async for row in self._pending():
                while len(running) >= max(self.engine.slots, 1):
                    running = await self._some_done(running)
                self._check()
                self._report_progress(total)
                running.add(asyncio.create_task(self._one(row)))
            while running:
                running = await self._some_done(running)
        except BaseException as error:
            if not isinstance(error, Exception):
                for task in running:
                    task.cancel()
            await asyncio.gather(*running, return_exceptions=True)  # what is in work is committed by itself
            raise
        self._report_progress(total)

    async def _pending(self) -> AsyncIterator[Row]:
        last = ""
        while rows := await self.database.fetch(
            "SELECT * FROM folder_file WHERE folder_id = ? AND pending = 1 AND scan = ? AND path > ? ORDER BY path LIMIT 50",
            [self.place.id, self.place.scan, last],
        ):
            for row in rows:
                last = row["path"]
                yield row

    async def _some_done(self, running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait until one of them ends and return the others."""
        ended, others = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running -= ended
        for task in ended:
            task.result()
            self.done += 1
            if self.between is not None:
                await self.between(self.report)
        return others

    def _report_progress(self, total: int) -> None:
        if self.progress is not None:
            self.progress(IndexProgress(self.done, total, self._rate()))

    async def _one(self, row: Row) -> None:
        """Hash one pending file, analyse it if its content is unknown, and commit the result.

        Raises Unavailable, Cancelled, or what the database does.
        """
        path = self.folder / row["path"]
        try:
            found = Found(row, *await asyncio.to_thread(fingerprint, path))
        except FileNotFoundError:
            return None  # it vanished since the scan; the next run settles it
        except OSError as error:
            unread = Found(row, None, row["size"], row["mtime_ns"])
            return await self._failed(unread, fact("unreadable", reason=error.strerror))
        assert found.digest is not None
        while other := self.in_work.get(found.digest):
            await asyncio.wait([other])
        task = asyncio.current_task()
        assert task is not None
        self.in_work[found.digest] = task
        try:
            await self._known_or_new(found, path)
        finally:
            del self.in_work[found.digest]

    async def _known_or_new(self, found: Found, path: Path) -> None:
        place = self.place
        known = await self.database.fetch_one(
            f"SELECT content_hash = :digest AND origin NOT IN {MEMBER_OWNED_SQL} AS ours, data FROM track JOIN analysis"
            " ON track_id = track.id AND separator = :separator AND separator_version = :separator_version"
            " AND analyser_version = :analyser_version WHERE content_hash = :digest OR audio_hash = :digest"
            " ORDER BY ours DESC LIMIT 1",
            {
                "digest": found.digest,
                "separator": place.separator,
                "separator_version": place.separator_version,
                "analyser_version": place.analyser_version,
            },
        )
        answer: dict[str, Any] | None = None
        if known is None or not known["ours"]:
            # Of an upload the measurements hold, its tags are read again: its name may be its uploader's.
            measured = json.loads(known["data"]) if known is not None else None
            try:
                answer = await self._analyse(path, measured)
            except Unavailable:
                raise
            except UserError as error:
                if is_disk_full(error):
                    raise
                return await self._failed(found, error.fact)
            self.analysed += measured is None
            if answer["analysis"]["content_hash"] != found.digest:
                return None  # it is being written to: stays pending until the next run
        async with self.database.transaction() as transaction:
            happened = await reconcile(transaction, place, found, answer)
        setattr(self.report, happened, getattr(self.report, happened) + 1)
        return None

    async def _failed(self, found: Found, error: Fact) -> None:
        async with self.database.transaction() as transaction:
            await fail(transaction, self.place, found, error)

    async def _analyse(self, path: Path, measured: dict[str, Any] | None) -> dict[str, Any]:
        """Return the engine's answer; if `measured` is a valid analysis, only the tags are read.

        A file that crashes or times out the worker twice is refused."""
        arguments = {
            "path": str(path),
            "name": path.name,
            "max_seconds": self.max_seconds,
            "analysis": measured,
        }
        request = Request("analyse", arguments, reads=("path",))
        for attempt in (1, 2):
            try:
                return await self.engine.run(request, None, self.cancel)
            except (Crashed, TimedOut) as error:
                if attempt == 2:
                    raise Refusal("tried-twice", error=error.fact) from error
            except TaskFailed as error:
                raise Refusal("bug-with", error=str(error)) from error
        raise AssertionError


async def run(work: Work[Spec]) -> Done[IndexReport]:
    """Index the folder, and give way to more urgent jobs."""

    def progress(now: IndexProgress) -> None:
        pace = f", {now.rate:.0f} a minute" if now.rate else ""
        work.report(f"{now.done} of {now.total} files{pace}", now.done / now.total if now.total else 0.0)

    before = work.spec.so_far
    report = IndexReport("")

    async def between(now: IndexReport) -> None:
        nonlocal report
        report = now
        if await work.give_way():
            raise GiveBack

    try:
        report = await FolderIndex(
            Path(work.spec.folder),
            work.database,
            work.engine,
            progress,
            work.should_stop,
            max_seconds=work.settings.folder_seconds,
            between=between,
        ).run()
    except GiveBack:  # the counts of now: other files that were in work have ended since
        so_far = {name: before.get(name, 0) + getattr(report, name) for name in HANDLED}
        raise GiveBack(replace(work.spec, so_far=so_far)) from None
    for name in HANDLED:  # what this run finds unchanged is what the earlier ones did
        setattr(report, name, getattr(report, name) + before.get(name, 0))
    report.unchanged = max(report.unchanged - sum(before.values()), 0)
    return Done(report, measured=False)


KIND = Kind("index", Spec, IndexReport, run)
