"""Plain data of the queue: jobs as users see them, claims as workers hold them, quotas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import Fact, Refusal, fact
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
    error: Fact | None
    """What the user is told; None unless it failed (or failed before and waits for another try)."""
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
            error=json.loads(row["error"]) if row["error"] else None,
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

    What was accepted counts towards a day, whatever became of it.
    """

    waiting_per_user: int | None = 3
    waiting_per_guild: int | None = 50
    waiting_total: int | None = 200
    daily_per_user: int | None = None
    daily_per_guild: int | None = None


class QuotaError(Refusal):
    """A quota of the user, the server or the whole queue is used up: the codes quota-{user,guild,total}-{waiting,day}."""

    @classmethod
    def of(cls, scope: str, period: str, limit: int, retry_s: float | None) -> QuotaError:
        """`scope` is 'user', 'guild' or 'total', `period` 'waiting' or 'day', `retry_s` the seconds to wait, if known."""
        when = fact("quota-when-done") if retry_s is None else fact("quota-wait", wait=retry_s)
        return cls("quota", held=fact(f"quota-{scope}-{period}", count=limit), when=when)
