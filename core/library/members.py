"""Export and erase what is kept about a member: every table with a user column, and uploaded files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.folders import DataFolder
from core.library.database import Database
from core.library.erased import note_erased
from core.library.playlists import Playlists
from core.library.posted import withdraw
from core.library.scope import SHARED, LibraryScope
from core.library.tracks import picture_name
from core.library.uploads import disclaim

# In the order in which rows must go. A test fails when a table with a user column is missing here.
TABLES = (
    "consent",
    "questionnaire",
    "profile",
    "recommendation",
    "journey",
    "party_member",
    "party",
    "playlist",
    "play",
    "feedback",
    "upload_owner",
    "search",
    "audit",
    "rule_change",
    "member_language",
    "member_notice",
    "card",
    "card_due",
    "posted",
    "notice",
    "job",
)

_UPLOADED = """
SELECT track.id, track.path, track.content_hash
FROM upload_owner JOIN track ON track.id = upload_owner.track_id WHERE upload_owner.user_id = ?
"""


async def members_agreed_at(database: Database) -> dict[int, int]:
    """Return everybody of whom something is kept, with the time of their consent (Unix seconds; 0 without)."""
    users = " UNION ".join(f"SELECT user_id FROM {table}" for table in TABLES)
    rows = await database.fetch(
        f"SELECT user_id, coalesce(at, 0) FROM ({users}) LEFT JOIN consent USING (user_id) WHERE user_id > 0"
    )
    return {row[0]: row[1] for row in rows}


async def export_member(database: Database, user_id: int) -> dict[str, Any]:
    """{table: rows} of everything that is kept about the member, JSON columns unfolded."""
    found: dict[str, Any] = {"user_id": user_id}
    for table in TABLES:
        rows = await database.fetch(f"SELECT * FROM {table} WHERE user_id=?", (user_id,))
        found[table] = [{key: _unfolded(row[key]) for key in row.keys()} for row in rows]  # noqa: SIM118 - sqlite3.Row
    for playlist in found["playlist"]:  # its entries go with it when it is erased
        kept = await Playlists(database).own(playlist["id"], user_id)
        entries = await Playlists(database).seen(kept, LibraryScope(SHARED), user_id)
        playlist["shared"] = kept.shared
        playlist["entries"] = [{"title": entry.title, "artist": entry.artist} for entry in entries]
    tracks = await database.fetch(_UPLOADED, [user_id])
    found["uploaded_tracks"] = [{"track_id": row["id"], "path": row["path"]} for row in tracks]
    return found


async def erase_rows(
    database: Database, folder: DataFolder, user_id: int, more_files: Iterable[Path]
) -> dict[str, int]:
    """Erase every row of the member, the files of their uploads and `more_files`; returns how many of each.

    A recording that somebody else uploaded as well stays theirs. Rows go first: a crash in between leaves files
    that the retention run removes, never rows that point nowhere.
    """
    counts: dict[str, int] = {}
    async with database.transaction() as transaction:
        await asyncio.to_thread(note_erased, folder.data, user_id)
        owned = await transaction.run(_UPLOADED, [user_id])
        gone, changed = await disclaim(transaction.run, [row["id"] for row in owned], user_id)
        counts["track"], counts["upload_owner"] = len(gone), len(owned)
        await withdraw(transaction.run, user_id, gone | changed)
        for table in TABLES:
            counts[table] = counts.get(table, 0) + len(
                await transaction.run(f"DELETE FROM {table} WHERE user_id=? RETURNING 1", (user_id,))
            )
    await database.empty_log()
    files = [*more_files]
    for row in owned:
        if row["id"] in gone:
            if not Path(row["path"]).is_absolute():
                files.append(folder.data / row["path"])
            files.append(folder.previews / f"{row['content_hash']}.ogg")
            files += sorted(folder.stems.glob(f"{row['content_hash'][:32]}-*.zip"))
        if row["id"] in gone | changed:  # the title stands in them
            files += sorted(folder.pictures.glob(picture_name(row["content_hash"], "*", "*")))
    counts["file"] = await asyncio.to_thread(_unlink, files)
    return counts


def _unlink(files: list[Path]) -> int:
    gone = 0
    for file in files:
        if file.is_file():
            file.unlink()
            gone += 1
    return gone


def _unfolded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
