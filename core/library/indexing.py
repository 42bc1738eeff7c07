"""What an index run writes: which entry of a source holds which track (the table `folder_file`).

A run notes what the source lists, reconciles each pending entry with the library, and forgets what is gone.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Fact, Refusal
from core.library.connection import Row
from core.library.database import Database, Transaction
from core.library.sources import sources
from core.library.sources.base import Entry, Source
from core.library.tracks import put_analysis, put_track
from core.track_analysis import TrackAnalysis

BATCH = 500


@dataclass(frozen=True)
class Place:
    """The root of a source in one run: its row in `folder`, the number of the scan, and what analyses now."""

    source: Source
    id: int
    folder: Path
    scan: int
    separator: str
    separator_version: str
    analyser_version: int

    @property
    def made_by(self) -> str:
        """What makes analyses now: an entry that failed is tried again only when this has changed."""
        return f"{self.separator} {self.separator_version} {self.analyser_version}"

    def note(self, entry: Entry) -> dict[str, Any]:
        """Return the parameters of NOTE."""
        return {
            "folder": self.id,
            "path": entry.path,
            "size": entry.size,
            "mtime": entry.changed,
            "scan": self.scan,
            "made_by": self.made_by,
            "separator": self.separator,
            "separator_version": self.separator_version,
            "analyser_version": self.analyser_version,
        }


NOTE = """
INSERT INTO folder_file (folder_id, path, size, mtime_ns, scan) VALUES (:folder, :path, :size, :mtime, :scan)
ON CONFLICT (folder_id, path) DO UPDATE SET scan = :scan, pending = pending OR size <> :size OR mtime_ns <> :mtime
    OR CASE
        WHEN error IS NOT NULL THEN made_by IS NOT :made_by
        ELSE NOT EXISTS (
            SELECT 1 FROM analysis WHERE analysis.track_id = folder_file.track_id AND separator = :separator
            AND separator_version = :separator_version AND analyser_version = :analyser_version
        )
    END
"""


async def scan(
    database: Database, place: Place, check: Callable[[], None], *, allow_empty: bool
) -> list[str]:
    """Note every entry of the source; return the folders that could not be read, whose files are not forgotten.

    Nothing but one batch is ever in memory. `check` may raise to stop. Raises Refusal when a folder that had music
    has none now, unless `allow_empty`.
    """
    unreadable: list[str] = []
    entries = place.source.entries(place.folder, unreadable)
    found = 0
    while batch := await asyncio.to_thread(lambda: list(itertools.islice(entries, BATCH))):
        check()
        found += len(batch)
        async with database.transaction() as transaction:
            await transaction.run_many(NOTE, [place.note(entry) for entry in batch])
    [known] = await database.fetch("SELECT count(*) FROM folder_file WHERE folder_id = ?", [place.id])
    if not found and known[0] and not allow_empty:
        raise Refusal("folder-empty", folder=str(place.folder), known=known[0])
    return unreadable


async def forget(database: Database, place: Place, unreadable: list[str], check: Callable[[], None]) -> int:
    """Forget the entries that this scan did not find, and tracks that none holds any more; return how many entries."""
    removed = 0
    while rows := await database.fetch(
        "SELECT path, track_id FROM folder_file WHERE folder_id = ? AND scan < ? LIMIT ?",
        [place.id, place.scan, BATCH],
    ):
        check()
        async with database.transaction() as transaction:
            for row in rows:
                if any(row["path"].startswith(f"{folder}/") for folder in unreadable):
                    await transaction.run(
                        "UPDATE folder_file SET scan = ? WHERE folder_id = ? AND path = ?",
                        [place.scan, place.id, row["path"]],
                    )
                    continue
                await transaction.run(
                    "DELETE FROM folder_file WHERE folder_id = ? AND path = ?", [place.id, row["path"]]
                )
                removed += 1
                if row["track_id"] is not None:
                    await _forget_unless_used(transaction, place, row["track_id"])
    return removed


@dataclass(frozen=True)
class Found:
    """An entry as it is now, beside its row in `folder_file`, which says what it was."""

    row: Row
    digest: str | None
    size: int
    mtime_ns: int


async def fail(transaction: Transaction, place: Place, found: Found, error: Fact) -> None:
    """Remember why an entry cannot be analysed, so that the same file is not tried again until it or the analyser changes."""
    row = found.row
    await transaction.run(
        "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = NULL, error = ?,"
        " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
        [found.size, found.mtime_ns, found.digest, json.dumps(error), place.made_by, place.id, row["path"]],
    )
    if row["track_id"] is not None:
        await _forget_unless_used(transaction, place, row["track_id"])


async def reconcile(
    transaction: Transaction, place: Place, found: Found, answer: dict[str, Any] | None
) -> str:
    """Add, update, move or deduplicate the track of one entry; `answer` is its analysis where one was needed.

    Return what happened, as a report counts it: 'added', 'updated', 'renewed', 'moved', 'duplicates', 'unchanged'.
    """
    row, path = found.row, str(place.folder / found.row["path"])
    same = await _same(transaction, place, found.digest)
    analysis = TrackAnalysis.from_json(answer["analysis"]) if answer else None
    if same:
        track_id = int(same[0]["id"])
    else:
        assert answer is not None and analysis is not None and found.digest is not None
        track_id = await _new_track(transaction, place, row, found.digest, path, answer, analysis.duration_s)
    owner = sources()[same[0]["origin"]] if same else place.source
    moved_from, lost = None, False
    if row["track_id"] == track_id and row["content_hash"] == found.digest:
        happened = "renewed" if answer else "unchanged"  # touched, but the same bytes
    elif row["content_hash"] is not None:
        happened = "updated"
    elif (moved_from := await _vanished(transaction, place, found.digest)) is not None:
        happened = "moved"
        await transaction.run(
            "DELETE FROM folder_file WHERE folder_id = ? AND path = ?",
            [moved_from["folder_id"], moved_from["path"]],
        )
    elif same and owner is place.source and same[0]["path"] != path:
        happened = "duplicates"
        lost = not await asyncio.to_thread(os.path.lexists, same[0]["path"])  # the whole folder was renamed
    else:
        happened = "added"
    if analysis is not None:
        await put_analysis(transaction, track_id, analysis)
    if same and owner.rank <= place.source.rank and (moved_from is not None or lost or owner.member_owned):
        await transaction.run(
            "UPDATE track SET path = ?, origin = ? WHERE id = ?", [path, place.source.origin, track_id]
        )
    if owner.member_owned and answer is not None:
        # Others find it now, and what its uploader called the file is nothing for them.
        tags = answer["tags"]
        await transaction.run(
            "UPDATE track SET content_hash = ?, audio_hash = NULL, guild_id = NULL, title = ?, artist = ?, genre = ?,"
            " album = ? WHERE id = ?",
            [found.digest, tags["title"], tags["artist"], tags["genre"], tags.get("album"), track_id],
        )
    # Where another server's upload of the same bytes would be there twice now, the folder's is the one.
    await transaction.run(
        f"UPDATE track SET listed = 0 WHERE audio_hash = :digest AND {_FINDS}",
        {"digest": found.digest, "folder": place.id},
    )
    await transaction.run(
        "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = ?, error = NULL,"
        " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
        [found.size, found.mtime_ns, found.digest, track_id, place.made_by, place.id, row["path"]],
    )
    if row["track_id"] is not None and row["track_id"] != track_id:
        await _forget_unless_used(transaction, place, row["track_id"])
    return happened


async def _same(transaction: Transaction, place: Place, digest: str | None) -> list[Row]:
    """Return the track of these bytes: the library's, or an upload of a guild that finds this folder. Only uploads have an
    `audio_hash`."""
    return await transaction.run(
        f"SELECT id, origin, path FROM track WHERE content_hash = :digest OR (audio_hash = :digest AND {_FINDS})"
        " ORDER BY content_hash = :digest DESC, id LIMIT 1",
        {"digest": digest, "folder": place.id},
    )


# Whether the guild of an upload finds the folder :folder.
_FINDS = """(guild_id IN (SELECT guild_id FROM folder_server WHERE folder_id = :folder)
    OR guild_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM folder_server WHERE folder_id = :folder))"""


async def _new_track(
    transaction: Transaction,
    place: Place,
    row: Row,
    digest: str,
    path: str,
    answer: dict[str, Any],
    duration_s: float,
) -> int:
    tags = answer["tags"]
    facts = (tags["title"], tags["artist"], tags["genre"], duration_s, tags.get("album"))
    if row["track_id"] is None or not await _only_here(transaction, place, row["track_id"], row["path"]):
        return await put_track(transaction, digest, path, place.source.origin, *facts)
    # The file was edited (new tags, another encoding): its track keeps its id, and with it what people said
    # about it.
    track_id = int(row["track_id"])
    await transaction.run(
        "UPDATE track SET content_hash = ?, path = ?, title = ?, artist = ?, genre = ?,"
        " duration_s = ?, album = ? WHERE id = ?",
        [digest, path, *facts, track_id],
    )
    await transaction.run(
        "DELETE FROM analysis WHERE track_id = ? AND separator <> ?", [track_id, place.separator]
    )
    await transaction.run("DELETE FROM latent WHERE track_id = ?", [track_id])  # of the old content
    return track_id


async def _vanished(transaction: Transaction, place: Place, digest: str | None) -> Row | None:
    """Return a known entry with this content that is no longer where it was, here or in another folder."""
    rows = await transaction.run(
        "SELECT folder_id, folder_file.path, folder.path AS root FROM folder_file"
        " JOIN folder ON folder.id = folder_id WHERE content_hash = ?",
        [digest],
    )
    for row in rows:
        if await asyncio.to_thread(place.source.is_gone, Path(row["root"]), row["path"]):
            return row
    return None


async def _only_here(transaction: Transaction, place: Place, track_id: int, path: str) -> bool:
    """Return whether this is the only entry of the track, and the track one of this source."""
    rows = await transaction.run(
        "SELECT 1 FROM track WHERE id = ? AND origin = ? AND NOT EXISTS (SELECT 1 FROM folder_file"
        " WHERE track_id = track.id AND (folder_id <> ? OR path <> ?))",
        [track_id, place.source.origin, place.id, path],
    )
    return bool(rows)


async def _forget_unless_used(transaction: Transaction, place: Place, track_id: int) -> None:
    """Remove a track of this source that no entry holds any more; one that another entry holds moves there."""
    others = await transaction.run(
        "SELECT folder.path AS root, folder_file.path FROM folder_file JOIN folder ON folder.id = folder_id"
        " WHERE track_id = ? ORDER BY folder_id, folder_file.path LIMIT 1",
        [track_id],
    )
    if others:
        await transaction.run(
            "UPDATE track SET path = ? WHERE id = ? AND origin = ?",
            [str(Path(others[0]["root"]) / others[0]["path"]), track_id, place.source.origin],
        )
    else:
        await transaction.run(
            "DELETE FROM track WHERE id = ? AND origin = ?", [track_id, place.source.origin]
        )
