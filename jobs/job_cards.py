"""Which message shows which job, so that cards go on changing after a restart of the bot.

A card is promised in the transaction that adds its job and the promise kept when its message is known: whoever
starts after a crash sends the cards that were never sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.library.database import Database, Transaction


@dataclass(frozen=True)
class Card:
    """One message that shows one job. `state_shown` is what the bot last drew there, in its own words."""

    message_id: int
    job_id: int
    channel_id: int
    user_id: int
    state_shown: str
    updated_at: float
    language: str = "en"
    """In which it goes on: that of the one who asked."""


@dataclass(frozen=True)
class Promise:
    """A card that a job is to get in this channel."""

    job_id: int
    channel_id: int
    user_id: int
    language: str = "en"


_COLUMNS = "message_id, job_id, channel_id, user_id, state_shown, updated_at, language"


async def put_card(
    database: Database,
    *,
    job_id: int,
    channel_id: int,
    message_id: int,
    user_id: int,
    state_shown: str = "",
    language: str = "en",
    now: float | None = None,
) -> None:
    """Remember the message, or what it shows now; the promise of it is kept."""
    async with database.transaction() as transaction:
        await transaction.run(
            f"INSERT INTO card ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO UPDATE SET"
            " job_id = excluded.job_id, state_shown = excluded.state_shown, updated_at = excluded.updated_at",
            [
                message_id,
                job_id,
                channel_id,
                user_id,
                state_shown,
                time.time() if now is None else now,
                language,
            ],
        )
        await transaction.run("DELETE FROM card_due WHERE job_id = ?", [job_id])


async def promise_card(transaction: Transaction, promise: Promise) -> None:
    """To be called in the transaction that adds the job."""
    await transaction.run(
        "INSERT INTO card_due (job_id, channel_id, user_id, language) VALUES (?, ?, ?, ?)",
        [promise.job_id, promise.channel_id, promise.user_id, promise.language],
    )


async def promises(database: Database) -> list[Promise]:
    """Cards that nobody has sent yet."""
    rows = await database.fetch("SELECT job_id, channel_id, user_id, language FROM card_due ORDER BY job_id")
    return [Promise(*row) for row in rows]


async def drop_promise(database: Database, job_id: int) -> None:
    """The card is shown somewhere else, or cannot be shown at all."""
    await database.write("DELETE FROM card_due WHERE job_id = ?", [job_id])


async def cards(database: Database, job_id: int | None = None) -> list[Card]:
    """The cards of one job, or all."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM card WHERE ? IS NULL OR job_id = ? ORDER BY message_id", [job_id, job_id]
    )
    return [Card(*row) for row in rows]


async def drop_card(database: Database, message_id: int) -> None:
    """Forget a message: it shows its end, or is gone."""
    await database.write("DELETE FROM card WHERE message_id = ?", [message_id])
