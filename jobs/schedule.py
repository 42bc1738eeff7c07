"""What is due by the clock: APScheduler in the bot's process, which only enqueues or does a moment's work.

The timer's own store forgets; the table `schedule_state` remembers when each task last succeeded, so that a run
that was missed while the bot was off is made up for once, soon after the start. When the wall clock is set, or the
machine wakes up, the timers are set anew.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from core.genre.model_file import model_file
from core.library.backup import backup, rehearse
from core.library.database import Database
from core.library.sources import MEMBER_OWNED_SQL
from jobs.disk import keep_within
from jobs.kinds import index, renew
from jobs.model import BACKGROUND, NOBODY
from jobs.owner import is_dead
from jobs.queue import Queue
from jobs.retention import Retention, clean_up

log = logging.getLogger(__name__)

WATCH_S = 30.0
JUMP_S = 10.0


@dataclass(frozen=True)
class Plan:
    """What the schedule needs to know; `data` is the data folder, times of day are UTC."""

    data: Path
    folders: Sequence[Path] = ()
    retention: Retention = field(default_factory=Retention)
    genre_model: Path | None = None
    backups: int = 7
    disk_bytes: int = 10_000_000_000
    backup_bytes: int = 10_000_000_000


@dataclass(frozen=True)
class Due:
    """One scheduled task."""

    name: str
    trigger: BaseTrigger
    run: Callable[[], Awaitable[object]]


class Schedule:
    """Starts and stops with the bot. `clock` gives the present time, in UTC."""

    def __init__(
        self,
        queue: Queue,
        plan: Plan,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        tasks: Sequence[Due] | None = None,
    ) -> None:
        self.queue = queue
        self.plan = plan
        self.clock = clock
        self.tasks = list(tasks) if tasks is not None else planned(queue, plan)
        self._watching: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    async def start(self) -> None:
        """Begin; tasks whose last run was missed run once within a minute."""
        for task in self.tasks:
            first: dict[str, Any] = {}
            if await self.missed(task):
                first["next_run_time"] = self.clock() + timedelta(seconds=random.uniform(5, 60))
            self._scheduler.add_job(functools.partial(self.run, task), task.trigger, id=task.name, **first)
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch_clock())

    async def stop(self) -> None:
        """Cancels what runs and waits until it has ended."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)  # cancels what runs, but does not wait for it
            await asyncio.gather(*self._running, return_exceptions=True)

    async def run(self, task: Due) -> bool:
        """Run one task now and remember how it went; an error ends up in the log and in `states`, nowhere else."""
        running = asyncio.current_task()
        assert running is not None
        self._running.add(running)
        try:
            await task.run()
        except Exception as error:
            log.exception("The scheduled task %s failed", task.name)
            await self._remember(task, error=f"{type(error).__name__}: {error}")
            return False
        else:
            await self._remember(task)
            return True
        finally:
            self._running.discard(running)

    async def _watch_clock(self) -> None:
        """A timer counts the seconds that the machine is awake; set them anew when the wall clock disagrees."""
        ahead = self.clock().timestamp() - time.monotonic()
        while True:
            await asyncio.sleep(WATCH_S)
            now = self.clock().timestamp() - time.monotonic()
            if abs(now - ahead) > JUMP_S:
                log.warning("The clock has jumped by %.0f seconds: the schedule is set anew", now - ahead)
                self.set_anew()
                ahead = now

    def set_anew(self) -> None:
        """Each task's next run from the present time on; what has become due meanwhile runs at once."""
        now = self.clock()
        for task in self.tasks:
            job = self._scheduler.get_job(task.name)
            if job is not None and job.next_run_time is not None and job.next_run_time > now:
                self._scheduler.modify_job(task.name, next_run_time=_next(task.trigger, now))
        self._scheduler.wakeup()

    async def states(self) -> list[dict[str, Any]]:
        """For doctor: {name, last_success, last_error, last_error_at, next_run, missed}, times in Unix seconds."""
        rows = {
            row["name"]: dict(row) for row in await self.queue.database.fetch("SELECT * FROM schedule_state")
        }
        blank = {"last_success": None, "last_error": None, "last_error_at": None}
        states = []
        for task in self.tasks:
            job = self._scheduler.get_job(task.name) if self._scheduler.running else None
            due = job.next_run_time if job else _next(task.trigger, self.clock())
            states.append(
                {
                    "name": task.name,
                    **blank,
                    **rows.get(task.name, {}),
                    "next_run": due.timestamp() if due else None,
                    "missed": await self.missed(task, timedelta(minutes=2)),
                }
            )
        return states

    async def missed(self, task: Due, grace: timedelta = timedelta()) -> bool:
        """Was a run due between the last success and now (less `grace`)? What has never run is due."""
        row = await self.queue.database.fetch_one(
            "SELECT last_success FROM schedule_state WHERE name = ?", [task.name]
        )
        if row is None or row["last_success"] is None:
            return True
        last = datetime.fromtimestamp(row["last_success"], UTC)
        due = task.trigger.get_next_fire_time(last, last + timedelta(microseconds=1))
        return due is not None and due <= self.clock() - grace

    async def _remember(self, task: Due, error: str | None = None) -> None:
        now = self.clock().timestamp()
        if error is None:
            await self.queue.database.write(
                "INSERT INTO schedule_state (name, last_success) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET"
                " last_success = excluded.last_success, last_error = NULL, last_error_at = NULL",
                [task.name, now],
            )
        else:
            await self.queue.database.write(
                "INSERT INTO schedule_state (name, last_error, last_error_at) VALUES (?, ?, ?) ON CONFLICT (name)"
                " DO UPDATE SET last_error = excluded.last_error, last_error_at = excluded.last_error_at",
                [task.name, error, now],
            )


def _next(trigger: BaseTrigger, now: datetime) -> datetime | None:
    if isinstance(trigger, IntervalTrigger):  # it counts from its start, which may lie ahead now
        soon: datetime = now + trigger.interval
        return soon
    due: datetime | None = trigger.get_next_fire_time(None, now)
    return due


def planned(queue: Queue, plan: Plan) -> list[Due]:
    """Everything that Moodstem does by the clock."""
    database = queue.database
    return [
        Due(
            "reindex",
            CronTrigger(hour=3, minute=30, timezone=UTC),
            lambda: enqueue_reindex(queue, plan.folders, plan.genre_model),
        ),
        Due("backup", CronTrigger(hour=4, minute=30, timezone=UTC), lambda: back_up(database, plan)),
        Due("upkeep", CronTrigger(hour=4, minute=45, timezone=UTC), database.maintain),
        Due(
            "retention",
            CronTrigger(minute=10, timezone=UTC),
            lambda: clean_up(database, plan.data, plan.retention),
        ),
        Due(
            "disk",
            IntervalTrigger(minutes=5, timezone=UTC),
            lambda: keep_within(database, plan.data, plan.disk_bytes, plan.backup_bytes),
        ),
        Due("reaper", IntervalTrigger(seconds=30, timezone=UTC), lambda: queue.reap(is_dead)),
    ]


async def enqueue_reindex(queue: Queue, folders: Sequence[Path], genre_model: Path | None = None) -> None:
    """One background job for each watched folder: those of the settings and those that were indexed before; and
    one for the uploads, which a new separator or analyser has to hear again."""
    known = await queue.database.fetch("SELECT path FROM folder WHERE watched = 1")
    for folder in dict.fromkeys(
        [*(str(folder.resolve()) for folder in folders), *(row["path"] for row in known)]
    ):
        await queue.enqueue(
            "index", index.Spec(folder), user_id=NOBODY, priority=BACKGROUND, dedup=f"index:{folder}"
        )
    if await queue.database.fetch(f"SELECT 1 FROM track WHERE origin IN {MEMBER_OWNED_SQL} LIMIT 1") or (
        model_file(genre_model) is not None
        and await queue.database.fetch(
            "SELECT 1 FROM track WHERE NOT EXISTS (SELECT 1 FROM latent WHERE track_id = track.id) LIMIT 1"
        )
    ):
        await queue.enqueue("renew", renew.Spec(), user_id=NOBODY, priority=BACKGROUND, dedup="renew")


async def back_up(database: Database, plan: Plan) -> None:
    """A backup, and the proof that it can be restored."""
    await rehearse(await backup(database, plan.data / "backups", keep=plan.backups))
