"""The runner takes jobs from the queue, has an engine compute them, and stores their results.

It runs in a process of its own (jobs.process); tests call `Runner.run_one` inline.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import Fact, UserError, fact, is_disk_full
from core.library.database import Transaction
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Engine, TaskFailed, TimedOut, Unavailable
from jobs.kinds import kinds as all_kinds
from jobs.kinds.base import Done, GiveBack, Kind, TaskSettings, Work
from jobs.model import Claimed, Job
from jobs.owner import is_dead, this_owner
from jobs.queue import Effect, Queue
from jobs.totals import StageClock, add_stages

log = logging.getLogger(__name__)

REAP_EVERY_S = 15.0
START_EVERY_S = 30.0
"""Between two attempts to have workers ready: one that ends again and again, or a wrong setting, costs little."""


@dataclass(frozen=True)
class Pace:
    """Intervals and time limits of a runner, in seconds."""

    lease_s: float = 60.0
    poll_s: float = 0.1
    """Between two polls of an empty queue; the mean delay of a new job is half of it."""
    progress_s: float = 1.0
    """Between two durable writes of progress."""
    retry_s: float = 2.0
    """Between two attempts to write while the disk is full or the database is locked."""
    drain_s: float = 20.0
    """After SIGTERM, until the running job is put back if it has not ended."""


class Runner:
    """Works through a queue, with as many jobs at a time as its engine has slots."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        settings: TaskSettings,
        *,
        kinds: Mapping[str, Kind[Any, Any]] | None = None,
        pace: Pace | None = None,
        owner: str | None = None,
    ) -> None:
        self.queue = queue
        self.engine = engine
        self.settings = settings
        self.kinds = all_kinds() if kinds is None else kinds
        self.pace = pace or Pace()
        self.owner = owner or this_owner()
        self._stop_at: float | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._in_work = 0
        self._trouble: Fact | None = None

    async def run_one(self) -> bool:
        """Run the next job to its end. Return False if there is none."""
        claimed = await self.queue.claim(self.owner, self.pace.lease_s, self.kinds)
        if claimed is None:
            return False
        self._in_work += 1
        await self._work_on(claimed)
        return True

    async def run_forever(self) -> None:
        """Work until `stop` is called. Errors of the database are logged, and the operation is retried."""
        preload: asyncio.Task[None] | None = None
        preload_at = reap_at = seen_at = 0.0
        told: dict[str, Any] = {}
        try:
            while self._stop_at is None:
                try:
                    now = time.monotonic()
                    idle = preload is None or preload.done()
                    if now >= preload_at and idle and self.engine.ready < max(self.engine.slots, 1):
                        preload_at = now + START_EVERY_S
                        preload = asyncio.create_task(self._preload())
                    if now >= reap_at:
                        reap_at = now + REAP_EVERY_S
                        if taken := await self.queue.reap(is_dead):
                            log.warning("Took %d jobs back from workers that are gone", taken)
                    if now >= seen_at or told != self._facts():
                        seen_at, told = now + REAP_EVERY_S, self._facts()
                        await self.queue.register_runner(self.owner, told)
                    if not await self._begin_one():
                        await self._pause(self.pace.poll_s)
                except (
                    sqlite3.OperationalError
                ) as error:  # disk full, locked for long: nothing is lost by waiting
                    log.error("The database cannot be written (%s): trying again", error)
                    await asyncio.sleep(self.pace.retry_s)
            await asyncio.gather(*self._running)
        finally:
            left = [*self._running, *([preload] if preload else [])]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await self.engine.stop()
            with contextlib.suppress(sqlite3.OperationalError):
                await self.queue.unregister_runner(self.owner)

    def stop(self, drain_s: float | None = None) -> None:
        """Take no further job, and put the running ones back unless they end within `drain_s` seconds."""
        drain = self.pace.drain_s if drain_s is None else drain_s
        at = time.monotonic() + drain
        self._stop_at = at if self._stop_at is None else min(at, self._stop_at)

    async def _begin_one(self) -> bool:
        """Start the next job if the engine has a slot for it. Return whether there was one."""
        ended = {task for task in self._running if task.done()}
        self._running -= ended
        for task in ended:
            task.result()
        if not self.has_room():
            return False
        claimed = await self.queue.claim(self.owner, self.pace.lease_s, self.kinds)
        if claimed is None:
            return False
        self._in_work += 1
        self._running.add(asyncio.create_task(self._work_on(claimed)))
        return True

    async def _work_on(self, claimed: Claimed) -> None:
        try:
            await self._run_job(claimed)
        finally:
            self._in_work -= 1

    def _facts(self) -> dict[str, Any]:
        """What those who watch learn of this runner: workers that are ready, why others are not, latest ends and their number."""
        ends, ready = self.engine.ends, self.engine.ready
        about = {"kinds": sorted(self.kinds), "trouble": self._trouble}
        return {**about, "ready": ready, "ends": ends[-5:], "ended": len(ends)}

    def has_room(self) -> bool:
        """Return whether the engine has a free slot, so that the next job need not wait for a running one."""
        return self._in_work < self.engine.slots

    async def _pause(self, seconds: float) -> None:
        """Wait until a running job ends, but at most this long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def _preload(self) -> None:
        """Load the separator before the first job needs it."""
        try:
            await self.engine.start()
            self._trouble = None
        except (UserError, Crashed, TimedOut) as error:
            if error.fact != self._trouble:  # it is tried again and again
                self._trouble = error.fact
                log.error("No worker is ready: %s", error)

    async def _run_job(self, claimed: Claimed) -> None:
        kind = self.kinds[claimed.kind]
        lease = _JobLease(self, claimed)
        keeping = asyncio.create_task(lease.keep())
        try:
            outcome = await self._outcome(kind, claimed, lease)
        finally:
            lease.ended.set()
            await keeping
        while True:
            try:
                return await self._write_outcome(claimed, kind, lease, outcome)
            except sqlite3.OperationalError as error:
                log.error("The outcome of job %d cannot be written (%s): trying again", claimed.id, error)
                if self._stop_at is not None:
                    return None  # whoever finds us dead takes the job back
                await asyncio.sleep(self.pace.retry_s)

    async def _outcome(
        self, kind: Kind[Any, Any], claimed: Claimed, lease: _JobLease
    ) -> Done[Any] | Exception:
        """Run the job and return its result or the exception that it raised."""
        try:
            work = Work(
                claimed,
                kind.spec(claimed),
                self.queue.database,
                self.engine,
                self.settings,
                lease.report,
                lease.should_stop,
                lease.give_way,
            )
            return await kind.run(work)
        except Exception as error:
            return error

    async def _write_outcome(
        self, claimed: Claimed, kind: Kind[Any, Any], lease: _JobLease, outcome: Done[Any] | Exception
    ) -> None:
        """Store how the job ended. If the lease was lost, another runner has the job, and the queue writes nothing."""
        queue, ended = self.queue, "done"
        match outcome:
            case Done():
                held = await queue.finish(
                    claimed, _json(outcome.result), _effect(outcome), measured=outcome.measured
                )
            case Cancelled() if lease.cancel:
                held = await queue.confirm_cancelled(claimed)
            case GiveBack():
                held = await queue.give_back(claimed, _json(outcome.spec))
            case Cancelled() | Unavailable():
                held = await queue.give_back(claimed)
            case Exception() if is_disk_full(outcome):
                log.error("The disk is full: job %d waits", claimed.id)
                held = await queue.fail(claimed, fact("disk-full"), code="disk")
            case sqlite3.OperationalError():
                log.error("The database cannot be used (%s): job %d waits", outcome, claimed.id)
                held = await queue.fail(claimed, fact("database-busy"), code="busy")
            case UserError():
                held = await queue.fail(claimed, outcome.fact, code="input", permanent=True)
            case Crashed():
                held = await queue.fail(claimed, outcome.fact, code="crash")
            case TimedOut():
                held = await queue.fail(claimed, outcome.fact, code="timeout")
            case _:
                details = outcome.details if isinstance(outcome, TaskFailed) else ""
                log.error("Job %d failed: %s\n%s", claimed.id, outcome, details, exc_info=outcome)
                held = await queue.fail(claimed, fact("bug"), code="bug")
        if held and isinstance(outcome, Done):
            if outcome.tidy is not None:
                await asyncio.to_thread(outcome.tidy)
            lease.stages.stop()
            with contextlib.suppress(sqlite3.OperationalError):  # only for monitoring
                await add_stages(queue.database, claimed.kind, lease.stages.seconds)
        elif held:
            job = await queue.get(claimed.id)
            if job is not None and job.state in ("failed", "cancelled"):
                await asyncio.to_thread(self._remove_inputs, kind, job)
            ended = "erased" if job is None else f"{job.state} {job.error_code or ''}".strip()
        else:
            ended = "its lease was lost and its outcome is dropped"
        level, seconds = logging.INFO if held else logging.WARNING, time.monotonic() - lease.began
        log.log(level, "Job %d, %s, %.1f s: %s", claimed.id, claimed.kind, seconds, ended)

    def _remove_inputs(self, kind: Kind[Any, Any], job: Job) -> None:
        """Remove the input files of a job that failed or was cancelled."""
        with contextlib.suppress(
            TypeError, OSError
        ):  # its spec cannot be read, or the file stays for retention
            for path in kind.inputs(kind.spec(job), self.settings):
                path.unlink(missing_ok=True)


def _json(value: Any) -> dict[str, Any]:
    """Return a Spec or Result as JSON data; those of tests may be plain dictionaries."""
    if value is None:
        return {}
    return dict(value) if isinstance(value, Mapping) else asdict(value)


def _effect(done: Done[Any]) -> Effect | None:
    """Return the job's effect as the queue calls it."""
    effect = done.effect
    if effect is None:
        return None

    async def write(transaction: Transaction) -> dict[str, Any]:
        return _json(await effect(transaction))

    return write


class _JobLease:
    """Holds the lease of one running job, stores its progress and knows whether it should stop."""

    def __init__(self, runner: Runner, claimed: Claimed) -> None:
        self.runner = runner
        self.claimed = claimed
        self.began = time.monotonic()
        self.ended = asyncio.Event()
        self.cancel = False
        self._lost = False
        self._written: tuple[str, float] | None = None
        self._latest: tuple[str, float] | None = None
        self.stages = StageClock()

    def report(self, stage: str, share: float) -> None:
        self.stages.enter(stage)
        self._latest = (stage, share)

    def should_stop(self) -> bool:
        stop_at = self.runner._stop_at
        return self.cancel or self._lost or (stop_at is not None and time.monotonic() >= stop_at)

    async def give_way(self) -> bool:
        if self.runner.has_room():
            return False
        return await self.runner.queue.has_more_urgent(self.claimed.priority, self.runner.kinds)

    async def keep(self) -> None:
        """Extend the lease, store the progress and check for a cancellation until the job ends."""
        pace, queue = self.runner.pace, self.runner.queue
        beat_at = time.monotonic() + pace.lease_s / 4
        write_at = 0.0
        while not self.ended.is_set():
            try:
                now = time.monotonic()
                if now >= beat_at:
                    beat_at = now + pace.lease_s / 4
                    beat = await queue.heartbeat(self.claimed, pace.lease_s)
                else:
                    beat = await queue.check_lease(self.claimed)
                if beat is None:
                    self._lost = True
                    return
                self.cancel = self.cancel or beat.cancel
                if self._latest is not None and self._latest != self._written and now >= write_at:
                    write_at = now + pace.progress_s
                    self._written = self._latest
                    await queue.progress(self.claimed, *self._written)
            except sqlite3.OperationalError as error:
                log.error("The lease of job %d could not be extended (%s)", self.claimed.id, error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 0.2)
