"""Which slash commands were last sent to Discord, by their digest."""

from __future__ import annotations

from core.library.database import Database


async def synced_commands(database: Database, scope: str) -> str | None:
    """Return the digest of the commands last sent for this scope ("global" or a guild's id), if any were."""
    row = await database.fetch_one("SELECT hash FROM command_sync WHERE scope = ?", (scope,))
    return row["hash"] if row else None


async def save_synced_commands(database: Database, scope: str, digest: str) -> None:
    """Remember the digest of the commands that Discord now has for this scope."""
    await database.write(
        "INSERT INTO command_sync (scope, hash) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE SET hash = excluded.hash",
        (scope, digest),
    )
