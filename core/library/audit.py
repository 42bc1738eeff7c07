"""What admins did, when: kept for those who manage the same server."""

from __future__ import annotations

from dataclasses import dataclass

from core.library.database import Database


@dataclass(frozen=True)
class Entry:
    """One line of the log; `at` in Unix seconds."""

    user_id: int
    action: str
    detail: str
    at: int


async def record(database: Database, guild_id: int, user_id: int, action: str, detail: str = "") -> None:
    """Record what an admin did in a guild; the first 500 characters of the detail are kept."""
    await database.write(
        "INSERT INTO audit (guild_id, user_id, action, detail) VALUES (?, ?, ?, ?)",
        (guild_id, user_id, action, detail[:500]),
    )


async def entries(database: Database, guild_id: int, limit: int = 20, skip: int = 0) -> list[Entry]:
    """Return the entries of a guild, newest first."""
    rows = await database.fetch(
        "SELECT user_id, action, detail, at FROM audit WHERE guild_id=? ORDER BY id DESC LIMIT ? OFFSET ?",
        (guild_id, limit, skip),
    )
    return [Entry(*row) for row in rows]
