"""Combine several workers into one engine, where requests wait for a free one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from core.separation.base import Cancelled
from jobs.engines.base import Engine, OnProgress, Request, ShouldStop

POLL_S = 0.02

Worker = TypeVar("Worker")


class Idle(Generic[Worker]):
    """The idle workers, which requests get in the order in which they asked."""

    def __init__(self) -> None:
        self._workers: deque[Worker] = deque()
        self._waiting: deque[object] = deque()

    def put(self, worker: Worker) -> None:
        self._workers.append(worker)

    def remove(self, worker: Worker) -> None:
        """Remove a worker for good, if it is idle."""
        if worker in self._workers:
            self._workers.remove(worker)

    def all(self) -> tuple[Worker, ...]:
        return tuple(self._workers)

    def take_now(self) -> Worker | None:
        """Return an idle worker that no request waits for, None if there is none."""
        return self._workers.pop() if self._workers and not self._waiting else None

    async def take(self, should_stop: ShouldStop | None = None) -> Worker:
        """Wait for a worker and return it, the longest idle first. Raises Cancelled when `should_stop` returns True."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            while not self._workers or self._waiting[0] is not ticket:
                if should_stop is not None and should_stop():
                    raise Cancelled
                await asyncio.sleep(POLL_S)
            return self._workers.popleft()
        finally:
            self._waiting.remove(ticket)


class Pool:
    """One engine made of several, such as the `[jobs] workers` processes of this machine."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = tuple(engines)
        self._idle: Idle[Engine] = Idle()
        for engine in self.engines:
            self._idle.put(engine)

    @property
    def slots(self) -> int:
        return sum(engine.slots for engine in self.engines)

    @property
    def ready(self) -> int:
        return sum(engine.ready for engine in self.engines)

    @property
    def ends(self) -> list[float]:
        return [at for engine in self.engines for at in engine.ends]

    async def start(self) -> dict[str, Any]:
        """Start all engines: see jobs.engines.base.Engine.start."""
        facts = await asyncio.gather(*(engine.start() for engine in self.engines))
        return facts[0]

    async def stop(self) -> None:
        await asyncio.gather(*(engine.stop() for engine in self.engines))

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """See jobs.engines.base.Engine.run."""
        engine = await self._idle.take(should_stop)
        try:
            return await engine.run(request, on_progress, should_stop)
        finally:
            self._idle.put(engine)
