"""Which message shows which job, so that cards go on changing after a restart of the bot."""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.library.store import Database


@dataclass(frozen=True)
class Card:
    """One message that shows one job. `state_shown` is what the bot last drew there, in its own words."""

    message_id: int
    job_id: int
    channel_id: int
    user_id: int
    state_shown: str
    updated_at: float


_COLUMNS = "message_id, job_id, channel_id, user_id, state_shown, updated_at"


async def put_card(
    database: Database,
    *,
    job_id: int,
    channel_id: int,
    message_id: int,
    user_id: int,
    state_shown: str = "",
    now: float | None = None,
) -> None:
    """Remember the message, or what it shows now."""
    await database.write(
        f"INSERT INTO card ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO UPDATE SET"
        " job_id = excluded.job_id, state_shown = excluded.state_shown, updated_at = excluded.updated_at",
        [message_id, job_id, channel_id, user_id, state_shown, time.time() if now is None else now],
    )


async def cards(database: Database, job_id: int | None = None) -> list[Card]:
    """The cards of one job, or all."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM card WHERE ? IS NULL OR job_id = ? ORDER BY message_id", [job_id, job_id]
    )
    return [Card(*row) for row in rows]


async def drop_card(database: Database, message_id: int) -> None:
    """Forget a message: it shows its end, or is gone."""
    await database.write("DELETE FROM card WHERE message_id = ?", [message_id])
