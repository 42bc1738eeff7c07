"""Plain data of the queue: jobs as users see them, claims as workers hold them, quotas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import UserError
from core.library.store import Row

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
    with them the bot can say it in the user's language.
    """

    def __init__(self, scope: str, period: str, limit: int, retry_s: float | None) -> None:
        self.scope, self.period, self.limit, self.retry_s = scope, period, limit, retry_s
        whose = {
            "user": "You already have",
            "guild": "This server already has",
            "total": "The queue already holds",
        }[scope]
        when = f"in about {in_words(retry_s)}" if retry_s is not None else "when one of them is done"
        what = (
            f"{limit} {'job' if limit == 1 else 'jobs'} waiting or running"
            if period == "waiting"
            else f"used all {limit} {'job' if limit == 1 else 'jobs'} of the last 24 hours"
        )
        if period == "day":
            whose = {"user": "You have", "guild": "This server has", "total": "All servers together have"}[
                scope
            ]
        super().__init__(f"{whose} {what}: try again {when}.")


def in_words(seconds: float) -> str:
    """'40 seconds', '3 minutes', '2 hours': a duration as people say it, rounded up."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds > 1.5 * size:
            count = -int(-seconds // size)
            return f"{count} {unit}s"
    if seconds > 50:
        return "a minute" if seconds <= 90 else "2 minutes"
    count = max(5, -int(-seconds // 5) * 5)
    return f"{count} seconds"
