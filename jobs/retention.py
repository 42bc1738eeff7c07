"""Remove old uploads, pictures and jobs, and files that nothing refers to any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.folders import DataFolder
from core.library.database import Database
from core.library.erased import note_erased
from core.library.sources import MEMBER_OWNED_SQL
from jobs.files import files_in_use

DAY = 86400.0
SEARCHES_DAYS = 7.0
"""Searches are only kept so that their result pages can be turned."""
ORPHAN_AGE_S = 3600.0
"""Files younger than this are no orphans: the row that names them may not be written yet."""


@dataclass(frozen=True)
class Retention:
    """The number of days that things are kept."""

    uploads: float = 30
    pictures: float = 30
    stems: float = 2
    jobs: float = 30
    history: float = 365
    """Recommendations and plays."""


async def clean_up(
    database: Database, data: Path, keep: Retention, now: float | None = None
) -> dict[str, int]:
    """Remove what is too old from the data folder and the database; return the number removed of each kind.

    An upload's audio is removed and its analysis stays, so it can still be recommended but no longer played. A job that
    has ended is removed with its cards.
    """
    now = time.time() if now is None else now
    jobs = await database.write(
        "DELETE FROM job WHERE finished_at IS NOT NULL AND finished_at < ? RETURNING id",
        [now - keep.jobs * DAY],
    )
    history = 0
    async with database.transaction() as transaction:
        for table, column, days in (
            ("recommendation", "made_at", keep.history),
            ("journey", "made_at", keep.history),
            ("play", "at", keep.history),
            ("search", "made_at", min(keep.history, SEARCHES_DAYS)),
        ):
            history += len(
                await transaction.run(
                    f"DELETE FROM {table} WHERE {column} < ? RETURNING 1", [int(now - days * DAY)]
                )
            )
        await asyncio.to_thread(note_erased, data)
    active = {path.name for path in await files_in_use(database, DataFolder(data))}
    # What was uploaded in a direct message is found by its uploader's job alone.
    await database.write(
        f"DELETE FROM track WHERE origin IN {MEMBER_OWNED_SQL} AND guild_id IS NULL AND id NOT IN (SELECT"
        " json_extract(result, '$.track_id') FROM job WHERE kind = 'analyse' AND state = 'done' AND result IS NOT NULL)"
    )
    tracks = await database.fetch(
        f"SELECT path, origin IN {MEMBER_OWNED_SQL} AS uploaded, content_hash FROM track"
    )
    hashes = {row["content_hash"] for row in tracks}
    named = active | {Path(row["path"]).name for row in tracks if row["uploaded"]}

    def remove() -> dict[str, int]:
        uploads = [
            path
            for path, age in _files(data / "uploads", now)
            if path.name not in active
            and (age > keep.uploads * DAY or (age > ORPHAN_AGE_S and path.name not in named))
        ]
        parts = {content_hash[:32] for content_hash in hashes}
        pictures = [
            path
            for path, age in _files(data / "pictures", now)
            if age > keep.pictures * DAY or (age > ORPHAN_AGE_S and path.name.partition("-")[0] not in parts)
        ]
        previews = [
            path
            for path, age in _files(data / "previews", now)
            if age > ORPHAN_AGE_S and path.name.partition(".")[0] not in hashes
        ]
        stems = [
            path
            for path, age in _files(data / "stems", now)
            if age > keep.stems * DAY or (age > ORPHAN_AGE_S and path.name.partition("-")[0] not in parts)
        ]
        for path in (*uploads, *pictures, *previews, *stems):
            path.unlink(missing_ok=True)
        return {
            "uploads": len(uploads),
            "pictures": len(pictures),
            "previews": len(previews),
            "stems": len(stems),
        }

    return {"jobs": len(jobs), "history": history, **await asyncio.to_thread(remove)}


def _files(folder: Path, now: float) -> Iterable[tuple[Path, float]]:
    """Return each file and its age in seconds."""
    if not folder.is_dir():
        return []
    return [(path, now - path.stat().st_mtime) for path in folder.iterdir() if path.is_file()]
