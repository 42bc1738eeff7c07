"""What the tests of jobs share: a clock to turn, a queue to fill, waiting for other processes, short tones."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from jobs.kinds import analyse
from jobs.model import Claimed, Job
from jobs.queue import Queue

LEASE = 60.0
"""Seconds of a lease that a test takes."""

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


async def take(queue: Queue, owner: str = "me") -> Claimed:
    claimed = await queue.claim(owner, LEASE)
    assert claimed is not None
    return claimed


async def state(queue: Queue, job: Job | Claimed) -> str:
    found = await queue.get(job.id)
    assert found is not None
    return found.state


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


def write_tone(path: Path, hertz: float = 220.0, seconds: float = 1.5, **tags: str) -> Path:
    """A short tone with overtones, so that different ones are different content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(44100 * seconds)) / 44100
    wave = sum(0.2 / n * np.sin(2 * np.pi * hertz * n * t) for n in (1, 2, 3)) * (1 - t / t[-1])
    part = path.with_name(path.name + ".part")
    with soundfile.SoundFile(part, "w", 44100, 1, format="OGG", subtype="VORBIS") as file:
        for name, value in tags.items():
            setattr(file, name, value)
        for block in np.array_split(wave.astype(np.float32), int(seconds) + 1):
            file.write(block)  # libsndfile 1.2 overflows its stack on long Vorbis writes
    os.replace(part, path)  # noqa: PTH105
    return path
