"""Data classes of the queue: jobs, claims, quotas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import Fact, Refusal, fact
from core.library.connection import Row

State = Literal["queued", "running", "done", "failed", "cancelled"]

INTERACTIVE = 10
"""Priority of jobs that a user waits for."""
BACKGROUND = 0
"""Priority of re-indexing and other background work."""
NOBODY = 0
"""User id of scheduled jobs."""


@dataclass(frozen=True)
class Job:
    """A snapshot of one job. Times are Unix seconds."""

    id: int
    kind: str
    spec: dict[str, Any]
    user_id: int
    guild_id: int | None
    priority: int
    cost: float
    state: State
    stage: str
    """The current stage as a short word such as 'separate'; empty before it starts."""
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
    """The error that the user is shown; None unless the last attempt failed."""
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
        """Return the job of a table row; `position` counts from 1, `eta_s` is in seconds."""
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
    """A job that a runner holds under a lease.

    Every write of the runner carries `token`, which changes when another runner claims the job after a lost lease: the
    write then does nothing.
    """

    id: int
    token: int
    kind: str
    spec: dict[str, Any]
    user_id: int
    guild_id: int | None
    priority: int
    attempt: int


@dataclass(frozen=True)
class Heartbeat:
    """The answer to a runner that extends its lease."""

    cancel: bool
    """Whether the job was cancelled."""


@dataclass(frozen=True)
class Change:
    """The latest change of one job; earlier ones are not kept."""

    number: int
    job_id: int
    state: State


@dataclass(frozen=True)
class Quotas:
    """The number of jobs that may wait, and that may be added in 24 hours whatever became of them; None for no limit."""

    waiting_per_user: int | None = 3
    waiting_per_guild: int | None = 50
    waiting_total: int | None = 200
    daily_per_user: int | None = None
    daily_per_guild: int | None = None


class QuotaError(Refusal):
    """Raised when a quota is used up, with the codes quota-{user,guild,total}-{waiting,day}."""

    @classmethod
    def of(cls, scope: str, period: str, limit: int, retry_s: float | None) -> QuotaError:
        """Return the error of a `scope` ('user', 'guild', 'total') and a `period` ('waiting', 'day'); `retry_s` is the wait in
        seconds, if known."""
        when = fact("quota-when-done") if retry_s is None else fact("quota-wait", wait=retry_s)
        return cls("quota", held=fact(f"quota-{scope}-{period}", count=limit), when=when)
