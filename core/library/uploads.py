"""Who uploaded which track. The same bytes may be uploaded by several members of a guild: one track, several owners.

Ownership is a row of its own and ends with its track; track ids are never used again, so that no job, card or link of
an earlier track gives anybody a claim on a later one.
"""

from __future__ import annotations

from core.library.connection import ExecuteSQL
from core.library.sources import MEMBER_OWNED_SQL
from core.library.tags import from_file_name


async def claim(execute: ExecuteSQL, track_id: int, user_id: int, file_name: str | None) -> None:
    """Note that the user uploaded the track, if it is an upload, and what they called its file."""
    await execute(
        "INSERT INTO upload_owner (track_id, user_id, file_name)"
        f" SELECT id, ?, ? FROM track WHERE id = ? AND origin IN {MEMBER_OWNED_SQL}"
        " ON CONFLICT (track_id, user_id) DO UPDATE SET file_name = excluded.file_name",
        [user_id, file_name or "", track_id],
    )


async def disclaim(execute: ExecuteSQL, track_id: int, user_id: int) -> bool:
    """End the user's claim on the track; delete the track if nobody else uploaded it, and return whether it is gone.

    Where it stays and its title had come from this user's name for the file, it gets its title from another owner's.
    """
    gone = await execute(
        "DELETE FROM upload_owner WHERE track_id = ? AND user_id = ? RETURNING file_name", [track_id, user_id]
    )
    others = await execute(
        "SELECT file_name FROM upload_owner WHERE track_id = ? ORDER BY uploaded_at, user_id LIMIT 1",
        [track_id],
    )
    if not others:
        return bool(
            await execute(
                f"DELETE FROM track WHERE id = ? AND origin IN {MEMBER_OWNED_SQL} RETURNING id", [track_id]
            )
        )
    if gone and gone[0]["file_name"]:
        before, after = from_file_name(gone[0]["file_name"]), from_file_name(others[0]["file_name"])
        await execute(
            "UPDATE track SET title = ?, artist = ? WHERE id = ? AND title = ? AND artist IS ?",
            [after.title, after.artist, track_id, before.title, before.artist],
        )
    return False
