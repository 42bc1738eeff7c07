"""Plain data of the queue: jobs as users see them, claims as workers hold them, quotas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import UserError
from core.i18n import tr, trn
from core.library.connection import Row

State = Literal["queued", "running", "done", "failed", "cancelled"]

INTERACTIVE = 10
"""Priority of what somebody waits for."""
BACKGROUND = 0
"""Priority of re-indexing and other work that nobody watches."""
NOBODY = 0
"""The user of jobs that the clock asked for."""


@dataclass(frozen=True)
class Job:
    """One job as it stands now. Times are Unix seconds."""

    id: int
    kind: str
    spec: dict[str, Any]
    user_id: int
    guild_id: int | None
    priority: int
    cost: float
    state: State
    stage: str
    """What is being done, as a short word such as 'separate'; empty before it starts."""
    progress: float
    """Share that is done, 0..1."""
    position: int | None
    """Place in the queue, 1 = next; None unless queued."""
    eta_s: float | None
    """Seconds until it is done, from the measured speed of earlier jobs; None while nothing was measured."""
    attempt: int
    error_code: str | None
    """'input' (the file or request is at fault), 'crash', 'timeout', 'bug', 'lost', 'disk' (it is full), 'busy' (the database is), 'cancelled'."""
    error: str | None
    """One sentence for the user; None unless it failed (or failed before and waits for another try)."""
    result: dict[str, Any] | None
    cancel_requested: bool
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @classmethod
    def from_row(cls, row: Row, position: int | None = None, eta_s: float | None = None) -> Job:
        """A row of the table; `position` in the queue from 1 and `eta_s` in seconds are known to the queue alone."""
        return cls(
            id=row["id"],
            kind=row["kind"],
            spec=json.loads(row["spec"]),
            user_id=row["user_id"],
            guild_id=row["guild_id"],
            priority=row["priority"],
            cost=row["cost"],
            state=row["state"],
            stage=row["stage"],
            progress=row["progress"],
            position=position,
            eta_s=eta_s,
            attempt=row["attempt"],
            error_code=row["error_code"],
            error=row["error"],
            result=json.loads(row["result"]) if row["result"] else None,
            cancel_requested=bool(row["cancel_requested"]),
            created_at=row["created_at"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
        )


@dataclass(frozen=True)
class Claimed:
    """A job that one runner holds under a lease. Every write of the runner carries `token`: when the lease
    was lost and another runner claimed the job, the token has moved and the write does nothing."""

    id: int
    token: int
    kind: str
    spec: dict[str, Any]
    user_id: int
    guild_id: int | None
    priority: int
    attempt: int


@dataclass(frozen=True)
class Beat:
    """What a runner learns when it extends its lease."""

    cancel: bool
    """Somebody cancelled the job."""


@dataclass(frozen=True)
class Change:
    """A job that changed since the number asked for. Fast changes are folded into the latest one."""

    number: int
    job_id: int
    state: State


@dataclass(frozen=True)
class Quotas:
    """How much may wait, and how much may be done in 24 hours; None is no limit.

    Jobs that were refused, cancelled, or failed because of their input do not count towards a day.
    """

    waiting_per_user: int | None = 3
    waiting_per_guild: int | None = 50
    waiting_total: int | None = 200
    daily_per_user: int | None = None
    daily_per_guild: int | None = None


class QuotaError(UserError):
    """A quota of the user, the server or the whole queue is used up.

    `scope` is 'user', 'guild' or 'total', `period` 'waiting' or 'day', `retry_s` the seconds to wait, if known;
    it is said in the language of the one who asked.
    """

    def __init__(self, scope: str, period: str, limit: int, retry_s: float | None) -> None:
        self.scope, self.period, self.limit, self.retry_s = scope, period, limit, retry_s
        if retry_s is None:
            when = tr("try again when one of them is done")
        else:
            when = tr("try again in about {wait}", wait=in_words(retry_s))
        super().__init__("{held}: {when}.", held=_held(scope, period, limit), when=when)


def _held(scope: str, period: str, limit: int) -> str:
    """What is used up, as the beginning of a sentence in the asker's language."""
    match scope, period:
        case "user", "waiting":
            return trn(
                "You already have {count} job waiting or running",
                "You already have {count} jobs waiting or running",
                limit,
            )
        case "guild", "waiting":
            return trn(
                "This server already has {count} job waiting or running",
                "This server already has {count} jobs waiting or running",
                limit,
            )
        case "total", "waiting":
            return trn(
                "The queue already holds {count} job waiting or running",
                "The queue already holds {count} jobs waiting or running",
                limit,
            )
        case "user", "day":
            return trn(
                "You have used all {count} job of the last 24 hours",
                "You have used all {count} jobs of the last 24 hours",
                limit,
            )
        case "guild", "day":
            return trn(
                "This server has used all {count} job of the last 24 hours",
                "This server has used all {count} jobs of the last 24 hours",
                limit,
            )
        case "total", "day":
            return trn(
                "All servers together have used all {count} job of the last 24 hours",
                "All servers together have used all {count} jobs of the last 24 hours",
                limit,
            )
        case _:
            raise ValueError(f"no such quota: {scope}, {period}")


def in_words(seconds: float) -> str:
    """'40 seconds', '3 minutes', '2 hours': a duration as people say it, rounded up."""
    if seconds > 5400:
        return tr("{count} hours", count=-int(-seconds // 3600))
    if seconds > 90:
        return tr("{count} minutes", count=-int(-seconds // 60))
    if seconds > 50:
        return tr("a minute")
    return tr("{count} seconds", count=max(5, -int(-seconds // 5) * 5))
