"""The first and the last pass over a folder: what is there, and what is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.errors import Refusal
from core.library.database import Database
from jobs.kinds.files import audio_files, take
from jobs.kinds.places import NOTE, Place, forget_unless_used

BATCH = 500


async def scan(
    database: Database, place: Place, check: Callable[[], None], *, allow_empty: bool
) -> list[str]:
    """Note every audio file; returns the folders that could not be read, whose files are not forgotten.

    Nothing but one batch is ever in memory. `check` may raise to stop. Raises UserError when a folder that had music
    has none now, unless `allow_empty`.
    """
    unreadable: list[str] = []
    walk = audio_files(place.folder, unreadable)
    found = 0
    while batch := await asyncio.to_thread(take, walk, BATCH):
        check()
        found += len(batch)
        async with database.transaction() as transaction:
            await transaction.run_many(NOTE, [place.note(*file) for file in batch])
    [known] = await database.fetch("SELECT count(*) FROM folder_file WHERE folder_id = ?", [place.id])
    if not found and known[0] and not allow_empty:
        raise Refusal("folder-empty", folder=str(place.folder), known=known[0])
    return unreadable


async def forget(database: Database, place: Place, unreadable: list[str], check: Callable[[], None]) -> int:
    """Forget the files that this scan did not find, and tracks that no file holds any more; returns how many files."""
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
                    await forget_unless_used(transaction, row["track_id"])
    return removed
