"""The languages that a server and its members chose. Who chose nothing is spoken to as their Discord is set."""

from __future__ import annotations

from core.errors import Refusal
from core.library.database import Database
from core.spoken import LANGUAGES


async def chosen(database: Database, user_id: int, guild_id: int | None) -> str | None:
    """Return the member's own choice, else the guild's, else None."""
    row = await database.fetch_one(
        "SELECT coalesce((SELECT language FROM member_language WHERE user_id=?),"
        " (SELECT language FROM server_language WHERE guild_id=?)) AS language",
        (user_id, guild_id),
    )
    return row["language"] if row else None


async def choose(database: Database, user_id: int, language: str | None) -> None:
    """Set the member's language everywhere, or with None remove their choice. Raises UserError for an unknown language."""
    await _set(database, "member_language", "user_id", user_id, language)


async def choose_for_server(database: Database, guild_id: int, language: str | None) -> None:
    """Set the language of all members of a guild who made no choice of their own. Raises UserError for an unknown language."""
    await _set(database, "server_language", "guild_id", guild_id, language)


async def _set(database: Database, table: str, column: str, key: int, language: str | None) -> None:
    if language is None:
        await database.write(f"DELETE FROM {table} WHERE {column}=?", (key,))
        return
    if language not in LANGUAGES:
        raise Refusal("no-language", language=language, known=", ".join(LANGUAGES))
    await database.write(
        f"INSERT INTO {table} ({column}, language) VALUES (?, ?)"
        f" ON CONFLICT ({column}) DO UPDATE SET language=excluded.language",
        (key, language),
    )
