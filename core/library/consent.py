"""Who agreed that something is kept about them."""

from __future__ import annotations

from core.library.database import Database

WORDING = 1
"""Raise it when more is kept than members agreed to: all are asked once more."""


async def agreed(database: Database, user_id: int) -> bool:
    """Return whether the member agreed to the present wording."""
    row = await database.fetch_one("SELECT wording FROM consent WHERE user_id = ?", [user_id])
    return row is not None and row["wording"] >= WORDING


async def agree(database: Database, user_id: int) -> None:
    """Record that the member agreed to the present wording."""
    await database.write(
        "INSERT INTO consent (user_id, wording) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET"
        " wording = excluded.wording, at = unixepoch()",
        [user_id, WORDING],
    )
