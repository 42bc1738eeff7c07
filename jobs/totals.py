"""Counters for monitoring, kept in the database since every worker is a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from core.library.database import Database


class StageClock:
    """Adds up the seconds that one job spends in each of its stages."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage: str | None = None
        self._since = 0.0
        self.seconds: dict[str, float] = {}

    def enter(self, stage: str) -> None:
        """Switch to a stage, unless it is the current one."""
        if stage != self._stage:
            self.stop()
            self._stage, self._since = stage, self._clock()

    def stop(self) -> None:
        """End the current stage and add its seconds to those of its name."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + self._clock() - self._since
        self._stage = None


@dataclass(frozen=True)
class Totals:
    """`ended`: {(kind, state): jobs}; `stages`: {(kind, stage): (jobs, seconds)}."""

    ended: dict[tuple[str, str], int]
    stages: dict[tuple[str, str], tuple[int, float]]


async def add_stages(database: Database, kind: str, seconds: dict[str, float]) -> None:
    """Add the stages of a finished job, except those whose name is a sentence about progress."""
    named = {stage: taken for stage, taken in seconds.items() if stage.isidentifier()}
    if not named:
        return
    async with database.transaction() as transaction:
        for stage, taken in named.items():
            await transaction.run(
                "INSERT INTO stage_total (kind, stage, jobs, seconds) VALUES (?, ?, 1, ?)"
                " ON CONFLICT (kind, stage) DO UPDATE SET jobs = jobs + 1, seconds = seconds + excluded.seconds",
                [kind, stage, taken],
            )


async def totals(database: Database) -> Totals:
    """Return the counters since the database was created."""
    ended = await database.fetch("SELECT kind, state, jobs FROM job_total")
    stages = await database.fetch("SELECT kind, stage, jobs, seconds FROM stage_total")
    return Totals(
        {(row["kind"], row["state"]): row["jobs"] for row in ended},
        {(row["kind"], row["stage"]): (row["jobs"], row["seconds"]) for row in stages},
    )
