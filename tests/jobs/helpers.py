"""What the tests of jobs share: a clock to turn, a queue to fill, waiting for other processes."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.kinds import analyse
from jobs.model import Claimed, Job
from jobs.queue import Queue
from jobs.runner import Pace

LEASE = 60.0
"""Seconds of a lease that a test takes."""

QUICK = Pace(lease_s=30, poll_s=0.01, progress_s=0.0, retry_s=0.02, drain_s=30)

STUBS = Path(__file__).with_name("stub_tasks.py")


class Clock:
    """Unix seconds that only move when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


async def put(queue: Queue, user: int = 1, **more: Any) -> Job:
    return await queue.enqueue("analyse", more.pop("spec", {"path": "x"}), user_id=user, **more)


async def put_stub(queue: Queue, task: str = "echo", user_id: int = 1, **spec: Any) -> Job:
    """A job of the tests' own kind, which the engine does by a function of stub_tasks.py."""
    return await queue.enqueue("stub", {"task": task, **spec}, user_id=user_id)


async def take(queue: Queue, owner: str = "me") -> Claimed:
    claimed = await queue.claim(owner, LEASE)
    assert claimed is not None
    return claimed


async def look(queue: Queue, job: Job | Claimed) -> Job:
    """The job as it is now."""
    found = await queue.get(job.id)
    assert found is not None
    return found


async def state(queue: Queue, job: Job | Claimed) -> str:
    return (await look(queue, job)).state


async def effects(queue: Queue) -> list[int]:
    """The job of each effect that stub_runner.py's kind of job had, in order."""
    return [row[0] for row in await queue.database.fetch("SELECT job_id FROM effect ORDER BY job_id")]


async def until(happened: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = happened()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.01)


def analysed(track_id: int = 1) -> dict[str, Any]:
    """The result of an upload that has become this track, without a picture."""
    result = analyse.Result(track_id, "Song", None, 3.0, "pictures/none.png", known=False)
    return dataclasses.asdict(result)


def is_running(pid: int) -> bool:
    """Is the process there, and not only waiting to be collected?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
