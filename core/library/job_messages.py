"""The Discord messages about jobs: which message is whose card, and who wants a notice when a job ends.

Cards go on changing after a restart of the bot. A card is promised in the transaction that adds its job, and the
promise is kept once its message is known: a bot that starts after a crash sends the cards that were never sent.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Literal

from core.library.database import Database, Transaction


@dataclass(frozen=True)
class CardMessage:
    """One message that shows one job. `state_shown` is what the bot last drew there, in its own words."""

    message_id: int
    job_id: int
    channel_id: int
    user_id: int
    state_shown: str = ""
    updated_at: float = 0.0
    language: str = "en"
    """That of the member who asked; the card stays in it."""


@dataclass(frozen=True)
class Promise:
    """A card that a job is to get in this channel."""

    job_id: int
    channel_id: int
    user_id: int
    language: str = "en"


_CARD = "message_id, job_id, channel_id, user_id, state_shown, updated_at, language"


async def put_card(database: Database, card: CardMessage) -> None:
    """Remember the message, or what it shows now, and that its promise is kept."""
    await database.write_all(
        (
            f"INSERT INTO card ({_CARD}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO UPDATE SET"
            " job_id = excluded.job_id, state_shown = excluded.state_shown, updated_at = excluded.updated_at",
            astuple(card),
        ),
        ("DELETE FROM card_due WHERE job_id = ?", [card.job_id]),
    )


async def promise_card(transaction: Transaction, promise: Promise) -> None:
    """Promise a card, in the transaction that adds the job."""
    await transaction.run(
        "INSERT INTO card_due (job_id, channel_id, user_id, language) VALUES (?, ?, ?, ?)",
        [promise.job_id, promise.channel_id, promise.user_id, promise.language],
    )


async def promises(database: Database) -> list[Promise]:
    """Return the cards that were not sent yet."""
    rows = await database.fetch("SELECT job_id, channel_id, user_id, language FROM card_due ORDER BY job_id")
    return [Promise(*row) for row in rows]


async def drop_promise(database: Database, job_id: int) -> None:
    """The card is shown somewhere else, or cannot be shown at all."""
    await database.write("DELETE FROM card_due WHERE job_id = ?", [job_id])


async def cards(database: Database, job_id: int | None = None) -> list[CardMessage]:
    """Return the cards of one job, or all."""
    rows = await database.fetch(
        f"SELECT {_CARD} FROM card WHERE ? IS NULL OR job_id = ? ORDER BY message_id", [job_id, job_id]
    )
    return [CardMessage(*row) for row in rows]


async def drop_card(database: Database, message_id: int) -> None:
    """Forget a message which shows the job's end, or is gone."""
    await database.write("DELETE FROM card WHERE message_id = ?", [message_id])


NoticeState = Literal["asked", "told", "unheard", "said"]


@dataclass(frozen=True)
class Notice:
    """A request to be told when a job ends. `channel_id` is used when direct messages are closed; None for no channel."""

    job_id: int
    user_id: int
    channel_id: int | None
    language: str


_NOTICE = "job_id, notice.user_id, channel_id, language"


async def toggle_notice(database: Database, notice: Notice) -> bool:
    """Add the request, or withdraw it when it was there already. True when it stands now."""
    async with database.transaction() as transaction:
        known = await transaction.run(
            "DELETE FROM notice WHERE job_id = ? AND state = 'asked' RETURNING job_id", [notice.job_id]
        )
        if known:
            return False
        await transaction.run(
            "INSERT INTO notice (job_id, user_id, channel_id, language) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (job_id) DO UPDATE SET state = 'asked', language = excluded.language",
            [notice.job_id, notice.user_id, notice.channel_id, notice.language],
        )
        return True


async def wants_every_notice(database: Database, user_id: int) -> bool:
    """True when the member wants a notice of every job."""
    return bool(await database.fetch("SELECT 1 FROM member_notice WHERE user_id = ?", [user_id]))


async def set_every_notice(database: Database, user_id: int, wanted: bool) -> None:
    """Have the member get a notice of every job from the next one on, or only of those that they ask about."""
    await database.write(
        "INSERT OR IGNORE INTO member_notice (user_id) VALUES (?)"
        if wanted
        else "DELETE FROM member_notice WHERE user_id = ?",
        [user_id],
    )


async def add_notice_if_wanted(transaction: Transaction, notice: Notice) -> None:
    """Add the request of a member who wants every notice, in the transaction that adds the job."""
    await transaction.run(
        "INSERT INTO notice (job_id, user_id, channel_id, language) SELECT ?, user_id, ?, ? FROM member_notice"
        " WHERE user_id = ?",
        [notice.job_id, notice.channel_id, notice.language, notice.user_id],
    )


async def notice_requested(database: Database, job_id: int) -> bool:
    """True when the member asked for a notice of this job, whether or not it was sent by now."""
    return bool(await database.fetch("SELECT 1 FROM notice WHERE job_id = ?", [job_id]))


async def due_notices(database: Database) -> list[Notice]:
    """Return the requests of jobs that have ended and whose members have not been told."""
    rows = await database.fetch(
        f"SELECT {_NOTICE} FROM notice JOIN job ON job.id = job_id"
        " WHERE notice.state = 'asked' AND job.state IN ('done', 'failed', 'cancelled') ORDER BY job_id"
    )
    return [Notice(*row) for row in rows]


async def set_notice_state(database: Database, job_id: int, state: NoticeState) -> None:
    """Remember what became of a notice."""
    await database.write("UPDATE notice SET state = ? WHERE job_id = ?", [state, job_id])


async def take_unheard(database: Database, user_id: int) -> list[Notice]:
    """Return the notices that could not reach the member; they count as said from now on."""
    rows = await database.fetch(
        f"SELECT {_NOTICE} FROM notice WHERE user_id = ? AND state = 'unheard' ORDER BY job_id", [user_id]
    )
    for row in rows:
        await set_notice_state(database, row["job_id"], "said")
    return [Notice(*row) for row in rows]
