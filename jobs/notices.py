"""Who asked to be told when a job is done, of one or of all of theirs, and whether they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.library.database import Database, Transaction

State = Literal["asked", "told", "unheard", "said"]


@dataclass(frozen=True)
class Notice:
    """One wish to be told. `channel_id` is where to say it when direct messages are closed, None for nowhere."""

    job_id: int
    user_id: int
    channel_id: int | None
    language: str


_COLUMNS = "job_id, notice.user_id, channel_id, language"


async def ask(database: Database, notice: Notice) -> bool:
    """Remember the wish, or forget it when it was there already. True when it stands now."""
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


async def always(database: Database, user_id: int) -> bool:
    """Does the member want to be told of every job?"""
    return bool(await database.fetch("SELECT 1 FROM member_notice WHERE user_id = ?", [user_id]))


async def set_always(database: Database, user_id: int, wanted: bool) -> None:
    """From the next job on."""
    await database.write(
        "INSERT OR IGNORE INTO member_notice (user_id) VALUES (?)"
        if wanted
        else "DELETE FROM member_notice WHERE user_id = ?",
        [user_id],
    )


async def ask_if_always(transaction: Transaction, notice: Notice) -> None:
    """To be called in the transaction that adds the job."""
    await transaction.run(
        "INSERT INTO notice (job_id, user_id, channel_id, language) SELECT ?, user_id, ?, ? FROM member_notice"
        " WHERE user_id = ?",
        [notice.job_id, notice.channel_id, notice.language, notice.user_id],
    )


async def asked(database: Database, job_id: int) -> bool:
    """Did the member ask, whether or not they have been told by now?"""
    return bool(await database.fetch("SELECT 1 FROM notice WHERE job_id = ?", [job_id]))


async def due(database: Database) -> list[Notice]:
    """Of jobs that have ended, and whose members have not been told."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM notice JOIN job ON job.id = job_id"
        " WHERE notice.state = 'asked' AND job.state IN ('done', 'failed', 'cancelled') ORDER BY job_id"
    )
    return [Notice(*row) for row in rows]


async def settle(database: Database, job_id: int, state: State) -> None:
    """What became of a notice."""
    await database.write("UPDATE notice SET state = ? WHERE job_id = ?", [state, job_id])


async def unheard(database: Database, user_id: int) -> list[Notice]:
    """What a member could not be told; it counts as said from now on."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM notice WHERE user_id = ? AND state = 'unheard' ORDER BY job_id", [user_id]
    )
    for row in rows:
        await settle(database, row["job_id"], "said")
    return [Notice(*row) for row in rows]
