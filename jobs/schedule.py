"""Run periodic tasks by APScheduler in the bot's process; they only enqueue jobs or take a moment.

The table `schedule_state` keeps when each task last succeeded, so that a run that was missed while the bot was off
happens once, soon after the start. The tasks are rescheduled when the wall clock is set or the machine wakes up.
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
    """The settings of the scheduled tasks; `data` is the data folder."""

    data: Path
    folders: Sequence[Path] = ()
    retention: Retention = field(default_factory=Retention)
    genre_model: Path | None = None
    backups: int = 7
    disk_bytes: int = 10_000_000_000
    backup_bytes: int = 10_000_000_000


@dataclass(frozen=True)
class ScheduledTask:
    """One scheduled task."""

    name: str
    trigger: BaseTrigger
    run: Callable[[], Awaitable[object]]


class Schedule:
    """Runs the tasks while the bot runs. `clock` returns the current time in UTC."""

    def __init__(
        self,
        queue: Queue,
        plan: Plan,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        tasks: Sequence[ScheduledTask] | None = None,
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
        """Start the timers; a task whose last run was missed runs once within a minute."""
        for task in self.tasks:
            first: dict[str, Any] = {}
            if await self.missed(task):
                first["next_run_time"] = self.clock() + timedelta(seconds=random.uniform(5, 60))
            self._scheduler.add_job(functools.partial(self.run, task), task.trigger, id=task.name, **first)
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch_clock())

    async def stop(self) -> None:
        """Cancel the running tasks and wait until they have ended."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)  # cancels what runs, but does not wait for it
            await asyncio.gather(*self._running, return_exceptions=True)

    async def run(self, task: ScheduledTask) -> bool:
        """Run one task now and store whether it succeeded; its error is logged and shown by `states`, not raised."""
        running = asyncio.current_task()
        assert running is not None
        self._running.add(running)
        began = time.monotonic()
        try:
            done = await task.run()
        except Exception as error:
            log.exception("The scheduled task %s failed", task.name)
            await self._remember(task, error=f"{type(error).__name__}: {error}")
            return False
        else:
            await self._remember(task)
            often = isinstance(task.trigger, IntervalTrigger) and not done
            level = logging.DEBUG if often else logging.INFO
            seconds, what = time.monotonic() - began, f": {done}" if done else ""
            log.log(level, "Scheduled: %s, %.1f s%s", task.name, seconds, what)
            return True
        finally:
            self._running.discard(running)

    async def _watch_clock(self) -> None:
        """Reschedule when the wall clock has jumped, since timers only count the seconds that the machine is awake."""
        ahead = self.clock().timestamp() - time.monotonic()
        while True:
            await asyncio.sleep(WATCH_S)
            now = self.clock().timestamp() - time.monotonic()
            if abs(now - ahead) > JUMP_S:
                log.warning("The clock has jumped by %.0f seconds: the schedule is set anew", now - ahead)
                self.reschedule()
                ahead = now

    def reschedule(self) -> None:
        """Compute each task's next run from the current time; overdue tasks run at once."""
        now = self.clock()
        for task in self.tasks:
            job = self._scheduler.get_job(task.name)
            if job is not None and job.next_run_time is not None and job.next_run_time > now:
                self._scheduler.modify_job(task.name, next_run_time=_next(task.trigger, now))
        self._scheduler.wakeup()

    async def states(self) -> list[dict[str, Any]]:
        """Return {name, last_success, last_error, last_error_at, next_run, missed} of each task, times in Unix seconds."""
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

    async def missed(self, task: ScheduledTask, grace: timedelta = timedelta()) -> bool:
        """Return whether a run was due between the last success and `grace` ago, or the task has never run."""
        row = await self.queue.database.fetch_one(
            "SELECT last_success FROM schedule_state WHERE name = ?", [task.name]
        )
        if row is None or row["last_success"] is None:
            return True
        last = datetime.fromtimestamp(row["last_success"], UTC)
        due = task.trigger.get_next_fire_time(last, last + timedelta(microseconds=1))
        return due is not None and due <= self.clock() - grace

    async def _remember(self, task: ScheduledTask, error: str | None = None) -> None:
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


def planned(queue: Queue, plan: Plan) -> list[ScheduledTask]:
    """Return all scheduled tasks."""
    database = queue.database
    return [
        ScheduledTask(
            "reindex",
            CronTrigger(hour=3, minute=30, timezone=UTC),
            lambda: enqueue_reindex(queue, plan.folders, plan.genre_model),
        ),
        ScheduledTask(
            "backup", CronTrigger(hour=4, minute=30, timezone=UTC), lambda: back_up(database, plan)
        ),
        ScheduledTask("upkeep", CronTrigger(hour=4, minute=45, timezone=UTC), database.maintain),
        ScheduledTask(
            "retention",
            CronTrigger(minute=10, timezone=UTC),
            lambda: clean_up(database, plan.data, plan.retention),
        ),
        ScheduledTask(
            "disk",
            IntervalTrigger(minutes=5, timezone=UTC),
            lambda: keep_within(database, plan.data, plan.disk_bytes, plan.backup_bytes),
        ),
        ScheduledTask("reaper", IntervalTrigger(seconds=30, timezone=UTC), lambda: queue.reap(is_dead)),
    ]


async def enqueue_reindex(queue: Queue, folders: Sequence[Path], genre_model: Path | None = None) -> None:
    """Enqueue a background job for each watched folder (of the settings, and indexed before), and one that renews the
    analyses of uploads and adds missing latent vectors."""
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
    """Make a backup and check that it can be restored."""
    await rehearse(await backup(database, plan.data / "backups", keep=plan.backups))
