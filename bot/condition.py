"""How the machine, its workers and its schedule are: for /health, /metrics and what the operator sees in /admin stats."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.app import Moodstem
from bot.words.say import say
from core.errors import fact
from core.library.backup import backups
from jobs.disk import RESERVE_BYTES
from jobs.owner import is_dead

RUNNER_ALIVE_S = 60.0
"""Runners say every 15 s that they are there."""

NOT_YET = fact("plain", sentence="the worker is not ready yet")

BACKUP_S = 25 * 3600.0
"""A backup is due every night, and may take its time."""

LATELY_S, LOOP = 600.0, 3
"""So many ends of workers by themselves in that time are more than bad luck."""


@dataclass(frozen=True)
class Condition:
    """Times are Unix seconds. `workers` are ready; `troubles` say why others are not; `lately` counts `restarts` within
    LATELY_S; `schedule` is Schedule.states()."""

    free_bytes: int
    database_bytes: int
    backup_at: float | None
    workers: int
    troubles: Sequence[str]
    restarts: int
    lately: int
    waiting_since: float | None
    schedule: Sequence[Mapping[str, Any]]

    def problems(self, bot: Moodstem) -> list[str]:
        """Return one sentence for each thing that an operator must mend."""
        found = []
        if not self.workers:
            why = "; ".join(self.troubles) or "no worker is running, start `moodstem worker`"
            found.append(f"uploads cannot be analysed: {why}")
        if self.lately >= LOOP:
            found.append(f"workers ended by themselves {self.lately} times in ten minutes: the log says how")
        if self.free_bytes < RESERVE_BYTES:
            found.append(
                f"the disk of {bot.settings.data.absolute()} has {self.free_bytes / 1e9:.1f} GB left and needs {RESERVE_BYTES / 1e9:g}: make room"
            )
        last = next(one for one in self.schedule if one["name"] == "backup")
        if bot.runs_schedule and last["last_error"]:
            found.append(f"the last backup failed: {last['last_error']}")
        elif bot.runs_schedule and last["last_success"] and time.time() - (self.backup_at or 0) > BACKUP_S:
            age = f"is {(time.time() - self.backup_at) / 3600:.0f} hours old" if self.backup_at else "is gone"
            found.append(f"the last backup {age}: one is due every night")
        return found


async def look(bot: Moodstem) -> Condition:
    """Return the present condition."""
    data, database = bot.settings.data, bot.settings.database
    free, size, backup_at = await asyncio.to_thread(
        lambda: (
            shutil.disk_usage(data).free,
            sum(path.stat().st_size for path in data.glob(f"{database.name}*")),
            next((path.stat().st_mtime for path in backups(bot.settings.backups)), None),
        )
    )
    now = time.time()
    runners = [
        one
        for one in await bot.queue.runners()
        if one["seen_at"] > now - RUNNER_ALIVE_S and not is_dead(one["owner"])
    ]
    own = [] if bot.worker is None else bot.worker.ends
    ends = [*own[-5:], *(at for one in runners for at in one["ends"])]
    return Condition(
        free,
        size,
        backup_at,
        workers=sum(one["ready"] for one in runners),
        troubles=[say(one["trouble"] or NOT_YET) for one in runners if not one["ready"]],
        restarts=len(own) + sum(one["ended"] for one in runners),
        lately=sum(at > now - LATELY_S for at in ends),
        waiting_since=await bot.queue.waiting_since(),
        schedule=await bot.schedule.states(),
    )
