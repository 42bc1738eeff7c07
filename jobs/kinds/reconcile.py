"""What one file has become: its track, analysis and place, and what it replaces."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Fact
from core.library.connection import Row
from core.library.database import Transaction
from core.library.scope import scoped_hash
from core.library.tracks import put_analysis, put_track
from core.track_analysis import TrackAnalysis
from jobs.kinds.files import is_gone
from jobs.kinds.places import Place, forget_unless_used, only_here


@dataclass(frozen=True)
class Found:
    """A file as it is now, beside its row in `folder_file`, which says what it was."""

    row: Row
    digest: str | None
    size: int
    mtime_ns: int


async def fail(transaction: Transaction, place: Place, found: Found, error: Fact) -> None:
    """Remember why, so that the same file is not tried again until it or the analyser changes."""
    row = found.row
    await transaction.run(
        "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = NULL, error = ?,"
        " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
        [found.size, found.mtime_ns, found.digest, json.dumps(error), place.made_by, place.id, row["path"]],
    )
    if row["track_id"] is not None:
        await forget_unless_used(transaction, row["track_id"])


async def settle(transaction: Transaction, place: Place, found: Found, answer: dict[str, Any] | None) -> str:
    """Write one file's new state; `answer` is the analysis where one was needed.

    Returns what happened, as a report counts it: 'added', 'updated', 'renewed', 'moved', 'duplicates', 'unchanged'.
    """
    row, path = found.row, str(place.folder / found.row["path"])
    same = await _same(transaction, place, found.digest)
    analysis = TrackAnalysis.from_json(answer["analysis"]) if answer else None
    if same:
        track_id = int(same[0]["id"])
    else:
        assert answer is not None and analysis is not None and found.digest is not None
        track_id = await _new_track(transaction, place, row, found.digest, path, answer, analysis.duration_s)
    moved_from, lost = None, False
    if row["track_id"] == track_id and row["content_hash"] == found.digest:
        happened = "renewed" if answer else "unchanged"  # touched, but the same bytes
    elif row["content_hash"] is not None:
        happened = "updated"
    elif (moved_from := await _vanished(transaction, found.digest)) is not None:
        happened = "moved"
        await transaction.run(
            "DELETE FROM folder_file WHERE folder_id = ? AND path = ?",
            [moved_from["folder_id"], moved_from["path"]],
        )
    elif same and same[0]["origin"] == "folder" and same[0]["path"] != path:
        happened = "duplicates"
        lost = not await asyncio.to_thread(os.path.lexists, same[0]["path"])  # the whole folder was renamed
    else:
        happened = "added"
    if analysis is not None:
        await put_analysis(transaction, track_id, analysis)
    if same and (moved_from is not None or lost or same[0]["origin"] == "upload"):
        await transaction.run(
            "UPDATE track SET path = ?, origin = 'folder' WHERE id = ? AND origin <> 'sample'",
            [path, track_id],
        )
    if same and same[0]["origin"] == "upload" and answer is not None:
        # Others find it now, and what its uploader called the file is nothing for them.
        tags = answer["tags"]
        await transaction.run(
            "UPDATE track SET content_hash = ?, audio_hash = NULL, guild_id = NULL, title = ?, artist = ?, genre = ?,"
            " album = ? WHERE id = ?",
            [found.digest, tags["title"], tags["artist"], tags["genre"], tags.get("album"), track_id],
        )
    # Where another server's upload of the same bytes would be there twice now, the folder's is the one.
    await transaction.run(
        f"UPDATE track SET listed = 0 WHERE audio_hash = :digest AND origin = 'upload' AND {_FINDS}",
        {"digest": found.digest, "folder": place.id},
    )
    await transaction.run(
        "UPDATE folder_file SET size = ?, mtime_ns = ?, content_hash = ?, track_id = ?, error = NULL,"
        " made_by = ?, pending = 0 WHERE folder_id = ? AND path = ?",
        [found.size, found.mtime_ns, found.digest, track_id, place.made_by, place.id, row["path"]],
    )
    if row["track_id"] is not None and row["track_id"] != track_id:
        await forget_unless_used(transaction, row["track_id"])
    return happened


async def _same(transaction: Transaction, place: Place, digest: str | None) -> list[Row]:
    """The track that these bytes are: the library's, or an upload of a server that finds this folder."""
    names = {"digest": digest, "folder": place.id}
    for row in await transaction.run(
        "SELECT id, guild_id FROM track WHERE content_hash = :digest AND origin = 'upload'"
        f" AND guild_id <> 0 AND NOT {_FINDS}",
        names,
    ):  # from before uploads had names of their own: it stays its server's
        await transaction.run(
            "UPDATE track SET content_hash = ?, audio_hash = ? WHERE id = ?",
            [scoped_hash(str(digest), row["guild_id"], 0), digest, row["id"]],
        )
    return await transaction.run(
        "SELECT id, origin, path FROM track WHERE content_hash = :digest OR (audio_hash = :digest"
        f" AND origin = 'upload' AND {_FINDS}) ORDER BY content_hash = :digest DESC, id LIMIT 1",
        names,
    )


# Whether the server of an upload finds the folder :folder.
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
    if row["track_id"] is None or not await only_here(transaction, row["track_id"], place.id, row["path"]):
        return await put_track(transaction, digest, path, "folder", *facts)
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


async def _vanished(transaction: Transaction, digest: str | None) -> Row | None:
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
