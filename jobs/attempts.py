"""Decide whether a job is tried again after a failed attempt."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from core.errors import Fact, fact
from core.library.connection import Row
from core.library.database import Transaction
from jobs.order import LONGEST_BACKOFF_S

BLAMELESS = {"disk": 60.0, "busy": 10.0}
"""Seconds until a job that found the disk full or the database locked is tried again, without limit: it is not at fault."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a job may fail, crash or time out its worker, and lose its runner before it is set aside.

    After the n-th failure it waits up to `backoff_s` * 2**(n - 1) seconds.
    """

    failures: int = 3
    crashes: int = 2
    losses: int = 5
    backoff_s: float = 10.0

    def wait_s(self, code: str, count: int) -> float:
        """Return the seconds until the next attempt, with jitter; 0 if only the runner was lost."""
        if code == "lost":
            return 0.0
        growing: float = min(LONGEST_BACKOFF_S, self.backoff_s * 2 ** (count - 1))
        return BLAMELESS.get(code, growing) * random.uniform(0.5, 1.0)


async def end_attempt(
    transaction: Transaction,
    row: Row,
    error: Fact,
    code: str,
    *,
    permanent: bool,
    now: float,
    retries: RetryPolicy,
) -> None:
    """Queue the running job of this row again, or end it if it is cancelled, hopeless or out of attempts."""
    counter, limit, verdict = {
        "crash": ("crashes", retries.crashes, "crashed-times"),
        "timeout": ("crashes", retries.crashes, "timed-out-times"),
        "lost": ("losses", retries.losses, "lost-times"),
    }.get(code, ("failures", retries.failures, "failed-times"))
    count = row[counter] + (code not in BLAMELESS)
    shown: Fact | None = error
    if row["cancel_requested"]:
        state, code, shown = "cancelled", "cancelled", None
    elif permanent:
        state = "failed"
    elif code not in BLAMELESS and count >= limit:
        state, shown = "failed", fact("set-aside", error=error, verdict=fact(verdict, count=count))
    else:
        state = "queued"
    wait = retries.wait_s(code, count) if state == "queued" else 0.0
    await transaction.run(
        f"UPDATE job SET state = ?, {counter} = ?, error = ?, error_code = ?, owner = NULL, lease_until = NULL,"
        " run_at = ?, progress = 0, stage = '', finished_at = ? WHERE id = ?",
        [
            state,
            count,
            shown and json.dumps(shown),
            code,
            now + wait,
            None if state == "queued" else now,
            row["id"],
        ],
    )
