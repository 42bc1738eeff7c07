"""Bring the library up to date with a folder of music: incremental, resumable, streaming.

Two passes. The scan walks the folder and notes each audio file's size and time in the table `folder_file`; what is
new, changed, or analysed by another version becomes pending. Then each pending file is hashed and, where its
content is unknown, analysed, and committed by itself, so an interrupted run goes on where it stopped; as many
files are in work as the engine has slots. Content hashes tell a moved file from a new one; what vanished is
forgotten at the very end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError, is_disk_full
from core.library.store import Database, Row, Transaction
from core.library.tracks import put_analysis, put_track
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Engine, Request, ShouldStop, TaskFailed, TimedOut, Unavailable
from jobs.tasks.base import Done, GiveBack, TaskKind, Work
from jobs.tasks.files import audio_files, fingerprint, is_gone, take
from jobs.tasks.places import NOTE, forget_unless_used, only_here

HANDLED = ("added", "updated", "renewed", "moved", "duplicates")
"""The counts of a report that a job keeps when it gives way and goes on later."""

BATCH = 500
LISTED_FAILURES = 200
"""How many failures a report lists; `failures` counts them all."""


@dataclass
class IndexReport:
    """What a run did. `failed` holds (path in the folder, sentence); `rate` is analysed files per minute."""

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
    """New files with the content of one that is there already: they share its track."""
    unchanged: int = 0
    failures: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class IndexProgress:
    """How far the second pass is; `eta_s` from the pace so far."""

    done: int
    total: int
    path: str
    rate: float | None
    eta_s: float | None


OnIndexProgress = Callable[[IndexProgress], None]


async def index_folder(
    folder: Path,
    database: Database,
    engine: Engine,
    progress: OnIndexProgress | None = None,
    cancel: ShouldStop | None = None,
    *,
    max_seconds: float = 900.0,
    allow_empty: bool = False,
    watched: bool = True,
    between: Callable[[IndexReport], Awaitable[None]] | None = None,
) -> IndexReport:
    """Add or refresh the audio files of `folder` and everything below it.

    Hidden files and folders are ignored, symbolic links to folders are not followed, those to files only when
    they stay inside. `between` is called after each file with the report so far, and may raise to stop;
    files that are in work then are finished. Raises UserError when the folder
    is not there, or is empty though it had music (a volume that is not mounted) unless `allow_empty`; Cancelled
    when `cancel` says so.
    """
    folder = await asyncio.to_thread(lambda: folder.expanduser().resolve())
    if not await asyncio.to_thread(folder.is_dir):
        raise UserError(f"There is no folder {folder}: check the path.")
    return await _Index(
        folder, database, engine, progress, cancel, max_seconds, allow_empty, watched, between
    ).run()


class _Index:
    def __init__(
        self,
        folder: Path,
        database: Database,
        engine: Engine,
        progress: OnIndexProgress | None,
        cancel: ShouldStop | None,
        max_seconds: float,
        allow_empty: bool,
        watched: bool,
        between: Callable[[IndexReport], Awaitable[None]] | None,
    ) -> None:
        self.folder, self.database, self.engine = folder, database, engine
        self.progress, self.cancel, self.between = progress, cancel, between
        self.max_seconds, self.allow_empty, self.watched = max_seconds, allow_empty, watched
        self.report = IndexReport(str(folder))
        self.begun = time.monotonic()
        self.analysed = 0
        self.done = 0
        self.in_work: dict[str, asyncio.Task[Any]] = {}
        """Content that is being analysed, so that its copies wait and then share the track."""

    async def run(self) -> IndexReport:
        from core.analysis import ANALYSER_VERSION

        facts = await self.engine.start()
        self.separator, self.separator_version = facts["separator"], facts["separator_version"]
        self.analyser_version = ANALYSER_VERSION
        self.made_by = f"{self.separator} {self.separator_version} {ANALYSER_VERSION}"
        self.report.separator = self.separator
        [row] = await self.database.write(
            "INSERT INTO folder (path, watched, scan) VALUES (?, ?, 1) ON CONFLICT (path) DO UPDATE SET"
            " scan = scan + 1, watched = max(watched, excluded.watched) RETURNING id, scan",
            [str(self.folder), self.watched],
        )
        self.id, self.scan = row["id"], row["scan"]
        unreadable = await self._scan()
        await self._process()
        await self._forget(unreadable)
        await self.database.write("UPDATE folder SET indexed_at = unixepoch() WHERE id = ?", [self.id])
        for failed in await self.database.fetch(
            "SELECT path, error FROM folder_file WHERE folder_id = ? AND error IS NOT NULL ORDER BY path LIMIT ?",
            [self.id, LISTED_FAILURES],
        ):
            self.report.failed.append((failed["path"], failed["error"]))
        [count] = await self.database.fetch(
            "SELECT count(*) FROM folder_file WHERE folder_id = ? AND error IS NOT NULL", [self.id]
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

    # -- first pass: what is there --------------------------------------------------------------------

    async def _scan(self) -> list[str]:
        """Note every audio file; returns the folders that could not be read, whose files are not forgotten."""
        unreadable: list[str] = []
        walk = audio_files(self.folder, unreadable)
        found = 0
        while batch := await asyncio.to_thread(take, walk, BATCH):
            self._check()
            found += len(batch)
            async with self.database.transaction() as transaction:
                for path, size, mtime_ns in batch:
                    await transaction.run(NOTE, self._note(path, size, mtime_ns))
        [known] = await self.database.fetch("SELECT count(*) FROM folder_file WHERE folder_id = ?", [self.id])
        if not found and known[0] and not self.allow_empty:
            raise UserError(
                f"{self.folder} holds no audio file now, though {known[0]} were indexed: "
                "check that its volume is mounted, or index it with --allow-empty to forget them."
            )
        return unreadable

    def _note(self, path: str, size: int, mtime_ns: int) -> dict[str, Any]:
        return {
            "folder": self.id,
            "path": path,
            "size": size,
            "mtime": mtime_ns,
            "scan": self.scan,
            "made_by": self.made_by,
            "separator": self.separator,
            "separator_version": self.separator_version,
            "analyser_version": self.analyser_version,
        }

    # -- second pass: what is to do -------------------------------------------------------------------

    async def _process(self) -> None:
        [count] = await self.database.fetch(
            "SELECT count(*), coalesce(sum(pending), 0) FROM folder_file WHERE folder_id = ? AND scan = ?",
            [self.id, self.scan],
        )
        total = count[1]
        self.report.unchanged = count[0] - total
        running: set[asyncio.Task[None]] = set()
        try:
            async for row in self._pending():
                while len(running) >= max(self.engine.slots, 1):
                    running = await self._some_done(running)
                self._check()
                self._tell(total, row["path"])
                running.add(asyncio.create_task(self._one(row)))
            while running:
                running = await self._some_done(running)
        except BaseException as error:
            if not isinstance(error, Exception):
                for task in running:
                    task.cancel()
            await asyncio.gather(*running, return_exceptions=True)  # what is in work is committed by itself
            raise
        self._tell(total, "")

    async def _pending(self) -> AsyncIterator[Row]:
        last = ""
        while rows := await self.database.fetch(
            "SELECT * FROM folder_file WHERE folder_id = ? AND pending = 1 AND scan = ? AND path > ? ORDER BY path LIMIT 50",
            [self.id, self.scan, last],
        ):
            for row in rows:
                last = row["path"]
                yield row

    async def _some_done(self, running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait until one of them ends; returns the others."""
        ended, others = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running -= ended
        for task in ended:
            task.result()
            self.done += 1
            if self.between is not None:
                await self.between(self.report)
        return others

    def _tell(self, total: int, path: str) -> None:
        if self.progress is not None:
            left = total - self.done
            pace = (time.monotonic() - self.begun) / self.done if self.done else None
            eta_s = 0.0 if not left else pace and pace * left
            self.progress(IndexProgress(self.done, total, path, self._rate(), eta_s))

    async def _one(self, row: Row) -> None:
        """Hash one pending file, analyse it if its content is unknown, and commit what is known then.

        Raises Unavailable, Cancelled, or what the database does.
        """
        path = self.folder / row["path"]
        try:
            digest, size, mtime_ns = await asyncio.to_thread(fingerprint, path)
        except FileNotFoundError:
            return None  # it vanished since the scan; the next run settles it
        except OSError as error:
            return await self._failed(
                row, None, row["size"], row["mtime_ns"], f"It cannot be read ({error.strerror})."
            )
        while other := self.in_work.get(digest):
            await asyncio.wait([other])
        task = asyncio.current_task()
        assert task is not None
        self.in_work[digest] = task
        try:
            await self._known_or_new(row, path, digest, size, mtime_ns)
        finally:
            del self.in_work[digest]

    async def _known_or_new(self, row: Row, path: Path, digest: str, size: int, mtime_ns: int) -> None:
        known = await self.database.fetch_one(
            "SELECT track.id, separator IS NOT NULL AS fresh FROM track LEFT JOIN analysis ON track_id = track.id"
            " AND separator = ? AND separator_version = ? AND analyser_version = ? WHERE content_hash = ?",
            [self.separator, self.separator_version, self.analyser_version, digest],
        )
        answer: dict[str, Any] | None = None
        if known is None or not known["fresh"]:
            try:
                answer = await self._analyse(path)
            except Unavailable:
                raise
            except UserError as error:
                if is_disk_full(error):
                    raise
                return await self._failed(row, digest, size, mtime_ns, str(error))
            self.analysed += 1
            if answer["analysis"]["content_hash"] != digest:
                return None  # it is being written to: stays pending until the next run
        async with self.database.transaction() as transaction:
            await self._settle(transaction, row, digest, size, mtime_ns, answer)
        return None

    async def _analyse(self, path: Path) -> dict[str, Any]:
        """The engine's answer. A file that crashes the worker or takes too long twice is the file's fault."""
        arguments = {"path": str(path), "name": path.name, "max_seconds": self.max_seconds}
        request = Request("analyse", arguments, reads=("path",))
        for attempt in (1, 2):
            try:
                return await self.engine.run(request, None, self.cancel)
            except (Crashed, TimedOut) as error:
                if attempt == 2:
                    raise UserError(f"{error} It was tried twice: check the file.") from error
            except TaskFailed as error:
                raise UserError(f"Something went wrong inside Moodstem ({error}).") from error
        raise AssertionError

    async def _failed(self, row: Row, digest: str | None, size: int, mtime_ns: int, sentence: str) -> None:
        """Remember why, so that the same file is not tried again until it or the analyser changes."""
        async with self.database.transaction() as transaction:
            await transaction.run(
                "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = NULL, error = ?,"
                " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
                [size, mtime_ns, digest, sentence, self.made_by, self.id, row["path"]],
            )
            if row["track_id"] is not None:
                await forget_unless_used(transaction, row["track_id"])

    async def _settle(
        self,
        transaction: Transaction,
        row: Row,
        digest: str,
        size: int,
        mtime_ns: int,
        answer: dict[str, Any] | None,
    ) -> None:
        """One file's new state in one transaction: its track, analysis and place, and what it replaces."""
        from core.analysis import TrackAnalysis

        report, path = self.report, str(self.folder / row["path"])
        same = await transaction.run("SELECT id, origin, path FROM track WHERE content_hash = ?", [digest])
        track_id = same[0]["id"] if same else None
        analysis = TrackAnalysis.from_json(answer["analysis"]) if answer else None
        if track_id is None and answer and analysis:
            tags = answer["tags"]
            facts = (tags["title"], tags["artist"], tags["genre"], analysis.duration_s, tags.get("album"))
            if row["track_id"] is not None and await only_here(
                transaction, row["track_id"], self.id, row["path"]
            ):
                # The file was edited (new tags, another encoding): its track keeps its id, and with it what
                # people said about it.
                track_id = row["track_id"]
                await transaction.run(
                    "UPDATE track SET content_hash = ?, path = ?, title = ?, artist = ?, genre = ?,"
                    " duration_s = ?, album = ? WHERE id = ?",
                    [digest, path, *facts, track_id],
                )
                await transaction.run(
                    "DELETE FROM analysis WHERE track_id = ? AND separator <> ?", [track_id, self.separator]
                )
            else:
                track_id = await put_track(transaction, digest, path, "folder", *facts)
        assert track_id is not None
        moved_from = None
        if row["track_id"] == track_id and row["content_hash"] == digest:
            if answer:
                report.renewed += 1
            else:
                report.unchanged += 1  # touched, but the same bytes
        elif row["content_hash"] is not None:
            report.updated += 1
        else:
            moved_from = await self._vanished(transaction, digest)
            if moved_from is not None:
                report.moved += 1
            elif same and same[0]["origin"] == "folder" and same[0]["path"] != path:
                report.duplicates += 1
            else:
                report.added += 1
        if moved_from is not None:
            await transaction.run(
                "DELETE FROM folder_file WHERE folder_id = ? AND path = ?",
                [moved_from["folder_id"], moved_from["path"]],
            )
        if analysis is not None:
            await put_analysis(transaction, track_id, analysis)
        if same and (moved_from is not None or same[0]["origin"] == "upload"):
            await transaction.run(
                "UPDATE track SET path = ?, origin = 'folder' WHERE id = ? AND origin <> 'sample'",
                [path, track_id],
            )
        await transaction.run(
            "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = ?, error = NULL,"
            " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
            [size, mtime_ns, digest, track_id, self.made_by, self.id, row["path"]],
        )
        if row["track_id"] is not None and row["track_id"] != track_id:
            await forget_unless_used(transaction, row["track_id"])

    async def _vanished(self, transaction: Transaction, digest: str) -> Row | None:
        """A known file with this content that is no longer where it was, here or in another folder."""
        rows = await transaction.run(
            "SELECT folder_id, folder_file.path, folder.path AS root FROM folder_file"
            " JOIN folder ON folder.id = folder_id WHERE content_hash = ?",
            [digest],
        )
        for row in rows:
            if await asyncio.to_thread(is_gone, Path(row["root"]), row["path"]):
                return row
        return None

    # -- third pass: what is gone ---------------------------------------------------------------------

    async def _forget(self, unreadable: list[str]) -> None:
        while rows := await self.database.fetch(
            "SELECT path, track_id FROM folder_file WHERE folder_id = ? AND scan < ? LIMIT ?",
            [self.id, self.scan, BATCH],
        ):
            self._check()
            async with self.database.transaction() as transaction:
                for row in rows:
                    if any(row["path"].startswith(f"{folder}/") for folder in unreadable):
                        await transaction.run(
                            "UPDATE folder_file SET scan = ? WHERE folder_id = ? AND path = ?",
                            [self.scan, self.id, row["path"]],
                        )
                        continue
                    await transaction.run(
                        "DELETE FROM folder_file WHERE folder_id = ? AND path = ?", [self.id, row["path"]]
                    )
                    self.report.removed += 1
                    if row["track_id"] is not None:
                        await forget_unless_used(transaction, row["track_id"])


async def run(work: Work) -> Done:
    """The job's side. spec: {"folder": absolute path}; result: IndexReport.to_json()."""

    def progress(now: IndexProgress) -> None:
        pace = f", {now.rate:.0f} a minute" if now.rate else ""
        work.report(f"{now.done} of {now.total} files{pace}", now.done / now.total if now.total else 0.0)

    before = work.claimed.spec.get("so_far", {})

    report = IndexReport("")

    async def between(now: IndexReport) -> None:
        nonlocal report
        report = now
        if await work.give_way():
            raise GiveBack

    try:
        report = await index_folder(
            Path(work.claimed.spec["folder"]),
            work.database,
            work.engine,
            progress,
            work.should_stop,
            max_seconds=work.settings.folder_seconds,
            between=between,
        )
    except GiveBack:  # the counts of now: other files that were in work have ended since
        raise GiveBack(
            {"so_far": {name: before.get(name, 0) + getattr(report, name) for name in HANDLED}}
        ) from None
    for name in HANDLED:  # what this run finds unchanged is what the earlier ones did
        setattr(report, name, getattr(report, name) + before.get(name, 0))
    report.unchanged = max(report.unchanged - sum(before.values()), 0)
    return Done(report.to_json(), measured=False)


KIND = TaskKind(run)
