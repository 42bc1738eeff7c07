"""The runner: takes jobs from the queue, has an engine compute them, and writes what comes out.

Three ways to use it: `moodstem worker` and the embedded worker are processes of their own (`serve`, started by
`spawn_runner`), and tests call `Runner.run_one` inline.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from core.errors import UserError
from core.library.store import Database
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Engine, Limits, TaskFailed, TimedOut, Unavailable
from jobs.engines.local import LocalEngine
from jobs.engines.pool import Pool
from jobs.model import Claimed
from jobs.owner import is_dead, this_owner
from jobs.queue import Queue
from jobs.tasks import analyse, index
from jobs.tasks.base import Done, GiveBack, TaskKind, TaskSettings, Work

log = logging.getLogger(__name__)

KINDS: Mapping[str, TaskKind] = {"analyse": analyse.KIND, "index": index.KIND}
"""Every kind of job that runners know."""

REAP_EVERY_S = 15.0


@dataclass(frozen=True)
class Pace:
    """How often things happen, in seconds."""

    lease_s: float = 60.0
    poll_s: float = 0.1
    """Between two looks at an empty queue; half of it is the mean time from enqueue to start."""
    progress_s: float = 1.0
    """Between two durable writes of progress."""
    retry_s: float = 2.0
    """While the database cannot be written: the disk is full, or somebody holds it locked."""
    drain_s: float = 20.0
    """After SIGTERM, for the running job to end by itself before it is given back."""


class Runner:
    """Works through a queue, as many jobs at a time as its engine has slots: one with one local worker."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        settings: TaskSettings,
        *,
        kinds: Mapping[str, TaskKind] = KINDS,
        pace: Pace | None = None,
        owner: str | None = None,
    ) -> None:
        self.queue = queue
        self.engine = engine
        self.settings = settings
        self.kinds = kinds
        self.pace = pace or Pace()
        self.owner = owner or this_owner()
        self._stop_at: float | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._in_work = 0

    async def run_one(self) -> bool:
        """Take the next job, if there is one, and see it to its end. True when there was one."""
        claimed = await self.queue.claim(self.owner, self.pace.lease_s, self.kinds)
        if claimed is None:
            return False
        self._in_work += 1
        await self._work_on(claimed)
        return True

    async def run_forever(self) -> None:
        """Work until `stop` is called. Whatever goes wrong with the database is logged and tried again."""
        preload: asyncio.Task[None] | None = None
        preload_at = reap_at = seen_at = 0.0
        try:
            while self._stop_at is None:
                try:
                    now = time.monotonic()
                    if now >= preload_at and (preload is None or (preload.done() and not self.engine.slots)):
                        preload_at = now + REAP_EVERY_S
                        preload = asyncio.create_task(self._preload())
                    if now >= reap_at:
                        reap_at = now + REAP_EVERY_S
                        if taken := await self.queue.reap(is_dead):
                            log.warning("Took %d jobs back from workers that are gone", taken)
                    if now >= seen_at:
                        seen_at = now + REAP_EVERY_S
                        await self.queue.seen(self.owner, {"kinds": sorted(self.kinds)})
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
                await self.queue.gone(self.owner)

    def stop(self, drain_s: float | None = None) -> None:
        """Take no further job; give the running one `drain_s` seconds to end, then put it back."""
        drain = self.pace.drain_s if drain_s is None else drain_s
        at = time.monotonic() + drain
        self._stop_at = at if self._stop_at is None else min(at, self._stop_at)

    async def _begin_one(self) -> bool:
        """Take the next job if the engine has a slot for it. False when there is nothing to do but wait."""
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
            await self._see_through(claimed)
        finally:
            self._in_work -= 1

    def has_room(self) -> bool:
        """Could the next job begin now, without any of those that run giving way?"""
        return self._in_work < self.engine.slots

    async def _pause(self, seconds: float) -> None:
        """Until a running job ends, at most this long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def _preload(self) -> None:
        """Load the separator before the first job asks for it."""
        try:
            await self.engine.start()
        except (UserError, Crashed, TimedOut) as error:
            log.error("The separator is not ready: %s", error)

    async def _see_through(self, claimed: Claimed) -> None:
        kind = self.kinds[claimed.kind]
        hand = _Hand(self, claimed)
        keeping = asyncio.create_task(hand.keep())
        work = Work(
            claimed,
            self.queue.database,
            self.engine,
            self.settings,
            hand.report,
            hand.should_stop,
            hand.give_way,
        )
        try:
            outcome = await self._outcome(kind, work)
        finally:
            hand.ended.set()
            await keeping
        while True:
            try:
                return await self._settle(claimed, kind, hand, outcome)
            except sqlite3.OperationalError as error:
                log.error("The outcome of job %d cannot be written (%s): trying again", claimed.id, error)
                if self._stop_at is not None:
                    return None  # whoever finds us dead takes the job back
                await asyncio.sleep(self.pace.retry_s)

    async def _outcome(self, kind: TaskKind, work: Work) -> Done | Exception:
        """Runs the task; whatever it raises is an outcome too, but not the end of this runner's own task."""
        try:
            return await kind.run(work)
        except Exception as error:
            return error

    async def _settle(self, claimed: Claimed, kind: TaskKind, hand: _Hand, outcome: Done | Exception) -> None:
        """Write the outcome. False from the queue means that the lease was lost: then another runner has the job,
        and nothing of ours counts."""
        queue = self.queue
        match outcome:
            case Done():
                held = await queue.finish(claimed, outcome.result, outcome.effect, measured=outcome.measured)
            case Cancelled() if hand.cancel:
                held = await queue.cancelled(claimed)
            case GiveBack():
                held = await queue.give_back(claimed, outcome.notes)
            case Cancelled() | Unavailable():
                held = await queue.give_back(claimed)
            case UserError():
                held = await queue.fail(claimed, str(outcome), code="input", permanent=True)
            case Crashed():
                held = await queue.fail(claimed, str(outcome), code="crash")
            case TimedOut():
                held = await queue.fail(claimed, str(outcome), code="timeout")
            case _:
                details = outcome.details if isinstance(outcome, TaskFailed) else ""
                log.error("Job %d failed: %s\n%s", claimed.id, outcome, details, exc_info=outcome)
                held = await queue.fail(claimed, "Something went wrong inside Moodstem.", code="bug")
        if held and isinstance(outcome, Done):
            if outcome.tidy is not None:
                await asyncio.to_thread(outcome.tidy)
        elif not held:
            log.warning("The lease of job %d was lost; its outcome is dropped", claimed.id)
        elif kind.clean is not None:
            job = await queue.get(claimed.id)
            if job is not None and job.state in ("failed", "cancelled"):
                await asyncio.to_thread(kind.clean, claimed.spec, self.settings)


class _Hand:
    """Holds the lease of one running job: heartbeats, progress, and whether to stop."""

    def __init__(self, runner: Runner, claimed: Claimed) -> None:
        self.runner = runner
        self.claimed = claimed
        self.ended = asyncio.Event()
        self.cancel = False
        self._lost = False
        self._told: tuple[str, float] | None = None
        self._latest: tuple[str, float] | None = None

    def report(self, stage: str, share: float) -> None:
        self._latest = (stage, share)

    def should_stop(self) -> bool:
        stop_at = self.runner._stop_at
        return self.cancel or self._lost or (stop_at is not None and time.monotonic() >= stop_at)

    async def give_way(self) -> bool:
        if self.runner.has_room():
            return False
        return await self.runner.queue.urgent(self.claimed.priority, self.runner.kinds)

    async def keep(self) -> None:
        """Until the job ends: extend the lease, write the progress, look for a cancellation."""
        pace, queue = self.runner.pace, self.runner.queue
        beat_at = time.monotonic() + pace.lease_s / 4
        tell_at = 0.0
        while not self.ended.is_set():
            try:
                now = time.monotonic()
                if now >= beat_at:
                    beat_at = now + pace.lease_s / 4
                    beat = await queue.heartbeat(self.claimed, pace.lease_s)
                else:
                    beat = await queue.look(self.claimed)
                if beat is None:
                    self._lost = True
                    return
                self.cancel = self.cancel or beat.cancel
                if self._latest is not None and self._latest != self._told and now >= tell_at:
                    tell_at = now + pace.progress_s
                    self._told = self._latest
                    await queue.progress(self.claimed, *self._told)
            except sqlite3.OperationalError as error:
                log.error("The lease of job %d could not be extended (%s)", self.claimed.id, error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 0.2)


async def serve(runner: Runner, *, with_parent: bool = False) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal gives the running job back at once.

    With `with_parent`, the end of standard input counts as a signal: then an embedded worker ends with the bot
    that started it, however that one ended.
    """
    loop = asyncio.get_running_loop()
    signals = 0

    def asked_to_end() -> None:
        nonlocal signals
        signals += 1
        runner.stop(None if signals == 1 else 0.0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end)
    if with_parent:
        threading.Thread(target=_follow_parent, args=[loop, runner], daemon=True).start()
    await runner.run_forever()


def _follow_parent(loop: asyncio.AbstractEventLoop, runner: Runner) -> None:
    os.read(0, 1)  # returns when the parent's end of the pipe closes; nothing is ever written
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(runner.stop, 2.0)


@dataclass(frozen=True)
class RunnerOptions:
    """Everything that a runner process needs to know; `data` is the data folder, lengths are in seconds."""

    data: Path
    separator: str = "auto"
    weights: Path | None = None
    threads: int = 1
    workers: int = 1
    upload_seconds: float = 600.0
    folder_seconds: float = 900.0
    memory_mb: float = 8192.0

    def to_arguments(self) -> list[str]:
        """The command line of `python -m jobs.runner` that says the same."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"--{name.replace('_', '-')}={value}" for name, value in given if value is not None]


def make_engine(options: RunnerOptions, *, warm: bool = False) -> Engine:
    """The engine that the options ask for; its workers start with it."""
    engines = [
        LocalEngine(
            options.separator,
            weights_dir=options.weights,
            threads=options.threads,
            limits=Limits(memory_mb=options.memory_mb),
            warm=warm,
        )
        for _ in range(options.workers)
    ]
    return engines[0] if len(engines) == 1 else Pool(engines)


async def run_worker(options: RunnerOptions, *, with_parent: bool = False) -> None:
    """A runner with its own database connection and engine, until a signal ends it: `moodstem worker`."""
    engine = make_engine(options, warm=True)
    settings = TaskSettings(options.data, options.upload_seconds, options.folder_seconds)
    async with await Database.open(options.data / "moodstem.db") as database:
        await serve(Runner(Queue(database), engine, settings), with_parent=with_parent)


class RunnerProcess:
    """A runner in a process of its own, started again whenever it ends by itself. A thread watches it, so no
    event loop has to."""

    def __init__(self, options: RunnerOptions) -> None:
        self._command = [sys.executable, "-P", "-m", "jobs.runner", "--with-parent", *options.to_arguments()]
        self._ending = threading.Event()
        self.restarts = 0
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """None while it runs (or is about to be started again), else its exit code."""
        return self._process.poll() if self._ending.is_set() else None

    def terminate(self, timeout_s: float = 25.0) -> None:
        """SIGTERM: it finishes its job or gives it back; killed after `timeout_s` seconds. Blocks."""
        self._ending.set()
        process = self._process
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._watcher.join()
        if process.stdin is not None:
            process.stdin.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # The pipe on its standard input is never written to: its end tells the runner that we are gone.
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            code = self._process.wait()
            if self._ending.is_set():
                return
            log.error("The worker process ended (%s): starting it again", code)
            if self._process.stdin is not None:
                self._process.stdin.close()
            quick = time.monotonic() - began < 10
            self.restarts = self.restarts + 1 if quick else 0
            if self._ending.wait(min(0.2 * 2**self.restarts, 30.0)):
                return
            self._process = self._start()


def spawn_runner(options: RunnerOptions) -> RunnerProcess:
    """Start a worker process beside this one, for `moodstem run` and `moodstem try`."""
    return RunnerProcess(options)


def main(arguments: list[str] | None = None) -> None:
    """`python -m jobs.runner`: what `spawn_runner` starts."""
    parser = argparse.ArgumentParser(prog="python -m jobs.runner", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--separator", default="auto")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--upload-seconds", type=float, default=600.0)
    parser.add_argument("--folder-seconds", type=float, default=900.0)
    parser.add_argument("--memory-mb", type=float, default=8192.0)
    options = vars(parser.parse_args(arguments))
    with_parent = options.pop("with_parent")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s worker %(levelname)s %(message)s")
    asyncio.run(run_worker(RunnerOptions(**options), with_parent=with_parent))


if __name__ == "__main__":
    main()
