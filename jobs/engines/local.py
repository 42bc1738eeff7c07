"""The local engine runs requests in worker processes of this machine.

A reader thread fills a deque that `run` polls, so no task of the event loop ever waits for a pipe. The worker is started
when it is needed, and again after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from core.errors import UserError, error_of, fact
from core.separation.base import Cancelled
from core.settings import JobSettings
from jobs.engines.base import (
    Crashed,
    Engine,
    EngineInfo,
    OnProgress,
    Request,
    ShouldStop,
    TaskFailed,
    TimedOut,
    WorkerOptions,
)
from jobs.engines.pool import Pool

log = logging.getLogger(__name__)

POLL_S = 0.02
START_S = 180.0
KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""glibc keeps what a worker frees, since each segment of a track asks for as much again. Measured on one thread: page faults
cost htdemucs_6s 15% of its CPU time in float32 and 3% in bfloat16, the bundled separator and the analysis 5%; the peak
of memory grows by 2%. Other C libraries do not read these variables."""


class LocalEngine:
    """One worker on this machine.

    After `recycle_after` runs, the worker is restarted, which frees leaked memory.
    """

    slots = 1

    def __init__(self, options: WorkerOptions, *, recycle_after: int = 200) -> None:
        self.limits = options.limits
        self.recycle_after = recycle_after
        self._command = [sys.executable, "-P", "-m", "jobs.worker", "--separator", options.separator]
        self._command += ["--threads", str(options.threads)]
        if options.htdemucs:
            self._command += ["--htdemucs", json.dumps(dict(options.htdemucs))]
        if options.weights is not None:
            self._command += ["--weights", str(options.weights)]
        if options.genre_model is not None:
            self._command += ["--genre-model", str(options.genre_model)]
        if options.warm:
            self._command.append("--warm")
        if options.extra_tasks is not None:
            self._command += ["--extra-tasks", str(options.extra_tasks)]
        visible = _visible(options.device)
        self._environment = {**KEEP_FREED_MEMORY, **_threads(options.threads), **os.environ, **visible}
        self._child: _Child | None = None
        self.ends: list[float] = []
        self._requests = 0
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is no worker."""
        return self._child.process.pid if self._child and self._child.process.poll() is None else None

    @property
    def ready(self) -> int:
        """1 while the worker lives and has the separator loaded; one that was killed is collected here."""
        return int(self.pid is not None and self._child is not None and self._child.facts is not None)

    async def start(self) -> dict[str, Any]:
        """Start the worker and wait until the separator is loaded.

        Returns {"separator", "separator_version", "analyser_version", "python", "torch"}. Raises
        UserError if it cannot be loaded, Crashed if the worker ends, TimedOut if it takes more than three minutes.
        """
        async with self._lock:
            child = await self._ready()
            return dict(child.facts or {})

    async def stop(self) -> None:
        """End the worker at once; no state is lost."""
        if self._child is not None:
            self._child.end()
            self._child = None

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """See jobs.engines.base.Engine.run."""
        async with self._lock:
            if self._child is not None and self._child.runs >= self.recycle_after:
                await self.stop()
            try:
                while True:
                    child = await self._ready(should_stop)
                    try:
                        return await self._converse(child, request, on_progress, should_stop)
                    except Crashed:
                        if child.begun or child.runs == 1:
                            raise
                        # It had died while it was idle: not this request's fault.
            except (UserError, TaskFailed):
                raise
            except Cancelled:
                if self._child is not None and self._child.busy:
                    await self.stop()
                raise
            except BaseException as error:  # crashed, timed out, or the awaiting task was cancelled
                if isinstance(error, Crashed | TimedOut):
                    self.ends.append(time.time())
                await self.stop()
                raise

    async def _ready(self, should_stop: ShouldStop | None = None) -> _Child:
        if self._child is None or self._child.process.poll() is not None:
            if self._child is not None:
                log.warning("The worker ended by itself (%s): starting another", self._child.ending())
                self.ends.append(time.time())
                self._child.end()
            self._child = _Child(self._command, self._environment)
        child, deadline = self._child, time.monotonic() + START_S
        while child.facts is None:
            for event in child.events():
                if event["event"] == "ready":
                    child.facts = event["facts"]
                elif event["event"] == "refused":
                    await self.stop()
                    raise error_of(event["fact"])
            if child.facts is not None:
                break
            child.check_alive()
            if should_stop is not None and should_stop():
                raise Cancelled
            if time.monotonic() > deadline:
                raise TimedOut(fact("worker-not-ready", count=START_S))
            await asyncio.sleep(POLL_S)
        return child

    async def _converse(
        self,
        child: _Child,
        request: Request,
        on_progress: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> dict[str, Any]:
        self._requests += 1
        number = self._requests
        begun = alive = time.monotonic()
        asked_to_stop: float | None = None
        child.runs += 1
        child.busy, child.begun = True, False
        child.send({"id": number, "task": request.task, "arguments": request.arguments})
        while True:
            for event in child.events():
                if event.get("id") != number:
                    continue
                alive = time.monotonic()
                child.begun = True
                match event["event"]:
                    case "begun":
                        continue
                    case "progress":
                        if on_progress is not None:
                            on_progress(event["stage"], event["share"])
                        continue
                    case outcome:
                        child.busy = False
                        return _result(outcome, event)
            child.check_alive()
            now = time.monotonic()
            if asked_to_stop is None and should_stop is not None and should_stop():
                asked_to_stop = now
                child.send({"cancel": number})
            if asked_to_stop is not None and now - asked_to_stop > self.limits.grace_s:
                raise Cancelled
            if now - alive > self.limits.stall_s:
                raise TimedOut(fact("no-progress", count=self.limits.stall_s))
            if now - begun > self.limits.time_s:
                raise TimedOut(fact("not-done", count=self.limits.time_s))
            if self.limits.memory_mb is not None and child.memory_mb() > self.limits.memory_mb:
                raise Crashed(fact("memory-limit", count=self.limits.memory_mb))
            await asyncio.sleep(POLL_S)


def _threads(threads: int) -> dict[str, str]:
    """Return the environment that limits the threads of NumPy and torch, which read it when they are imported."""
    return {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


def _visible(device: str) -> dict[str, str]:
    """Return the environment in which CUDA finds only this device."""
    if device == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    _, _, number = device.partition(":")
    return {"CUDA_VISIBLE_DEVICES": number} if number else {}


def _result(outcome: str, event: dict[str, Any]) -> dict[str, Any]:
    match outcome:
        case "result":
            result: dict[str, Any] = event["result"]
            return result
        case "cancelled":
            raise Cancelled
        case "refused":
            raise error_of(event["fact"])
        case "memory":
            raise Crashed(fact("memory"))
        case _:
            raise TaskFailed(event["message"], event["details"])


class _Child:
    """A worker process and the thread that reads its events."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self.facts: dict[str, Any] | None = None
        self.runs = 0
        self.busy = False
        self.begun = False
        self._received: deque[dict[str, Any]] = deque()
        self._memory_at = 0.0
        self._memory_mb = 0.0
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=[self.process.stdout], daemon=True)
        self._reader.start()

    def _read(self, lines: IO[str]) -> None:
        with contextlib.suppress(ValueError):  # closed while reading, or half a line from a killed worker
            for line in lines:
                self._received.append(json.loads(line))

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: check_alive says so
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def events(self) -> Iterable[dict[str, Any]]:
        while self._received:
            yield self._received.popleft()

    def check_alive(self) -> None:
        """Raise Crashed when the process has ended and all its events were taken."""
        if self.process.poll() is not None and not self._reader.is_alive() and not self._received:
            raise Crashed(fact("worker-ended", how=self.ending()))

    def ending(self) -> str:
        """How a process that has ended did so: its signal, else its exit code."""
        code = self.process.wait()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def memory_mb(self) -> float:
        """Return the resident memory in MB, read at most every 0.2 s; 0 without /proc."""
        if time.monotonic() - self._memory_at > 0.2:
            self._memory_at = time.monotonic()
            try:
                pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
                self._memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
            except (OSError, IndexError, ValueError):
                self._memory_mb = 0.0
        return self._memory_mb

    def end(self) -> None:
        """Kill the process and release its pipes."""
        self.process.kill()
        self.process.wait()
        self._reader.join(timeout=5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _make(settings: JobSettings, options: WorkerOptions) -> Engine:
    engines = [LocalEngine(options) for _ in range(max(settings.workers, 1))]
    return engines[0] if len(engines) == 1 else Pool(engines)


INFO = EngineInfo("local", _make)
