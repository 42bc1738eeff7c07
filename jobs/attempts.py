"""What becomes of a job when an attempt at it has ended badly."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

from core.errors import Fact, fact
from core.library.connection import Row
from core.library.database import Transaction
from jobs.order import LONGEST_BACKOFF_S

BLAMELESS = {"disk": 60.0, "busy": 10.0}
"""Seconds until a job that found the disk full or the database locked is tried again. That is not its fault: it waits,
however often, and never fails."""


@dataclass
class Patience:
    """How often a job may fail with a passing error, kill the worker (or take too long), and lose its runner
    before it is set aside. After the n-th failure it waits up to `backoff_s` * 2**(n - 1) seconds."""

    failures: int = 3
    crashes: int = 2
    losses: int = 5
    backoff_s: float = 10.0
    jitter: random.Random = field(default_factory=random.Random)

    def wait_s(self, code: str, count: int) -> float:
        """Seconds until the next attempt, with jitter; none when only the runner was lost."""
        if code == "lost":
            return 0.0
        growing: float = min(LONGEST_BACKOFF_S, self.backoff_s * 2 ** (count - 1))
        return BLAMELESS.get(code, growing) * self.jitter.uniform(0.5, 1.0)


async def end_attempt(
    transaction: Transaction,
    row: Row,
    error: Fact,
    code: str,
    *,
    permanent: bool,
    now: float,
    patience: Patience,
) -> None:
    """Queue the running job of this row again, or end it: cancelled meanwhile, hopeless, or out of attempts."""
    counter, limit, verdict = {
        "crash": ("crashes", patience.crashes, "crashed-times"),
        "timeout": ("crashes", patience.crashes, "timed-out-times"),
        "lost": ("losses", patience.losses, "lost-times"),
    }.get(code, ("failures", patience.failures, "failed-times"))
    count = row[counter] + (code not in BLAMELESS)
    told: Fact | None = error
    if row["cancel_requested"]:
        state, code, told = "cancelled", "cancelled", None
    elif permanent:
        state = "failed"
    elif code not in BLAMELESS and count >= limit:
        state, told = "failed", fact("set-aside", error=error, verdict=fact(verdict, count=count))
    else:
        state = "queued"
    wait = patience.wait_s(code, count) if state == "queued" else 0.0
    await transaction.run(
        f"UPDATE job SET state = ?, {counter} = ?, error = ?, error_code = ?, owner = NULL, lease_until = NULL,"
        " run_at = ?, progress = 0, stage = '', finished_at = ? WHERE id = ?",
        [
            state,
            count,
            told and json.dumps(told),
            code,
            now + wait,
            None if state == "queued" else now,
            row["id"],
        ],
    )
