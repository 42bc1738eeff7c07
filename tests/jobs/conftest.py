"""A queue on a real database, a clock that tests turn, and workers with tasks of the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.library.database import Database
from core.library.schema import open_database
from jobs.engines.base import Limits, WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Runner
from tests.jobs.helpers import QUICK, STUBS, Clock
from tests.jobs.stub_runner import EFFECTS, KINDS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await open_database(tmp_path / "data" / "moodstem.db") as database:
        yield database


@pytest.fixture
def queue(database: Database, clock: Clock) -> Queue:
    return Queue(database, clock=clock)


@pytest.fixture
async def live_queue(database: Database) -> Queue:
    """In real time, and with short waits before the next attempt."""
    await database.write(EFFECTS)
    return Queue(database, backoff_s=0.01)


@pytest.fixture
def runner(live_queue: Queue, engine: LocalEngine, settings: TaskSettings) -> Runner:
    """Does the tests' own kind of job; in kinds/ it really analyses."""
    return Runner(live_queue, engine, settings, kinds=KINDS, pace=QUICK)


@pytest.fixture
def settings(tmp_path: Path) -> TaskSettings:
    settings = TaskSettings(tmp_path / "data")
    settings.uploads.mkdir(parents=True, exist_ok=True)
    return settings


@pytest.fixture
async def engines() -> AsyncIterator[Callable[..., LocalEngine]]:
    """Makes local engines without a separator and with the tests' own tasks; ends their workers afterwards."""
    made: list[LocalEngine] = []

    def make(**limits: Any) -> LocalEngine:
        engine = LocalEngine(WorkerOptions("none", limits=Limits(**limits), extra_tasks=STUBS))
        made.append(engine)
        return engine

    yield make
    for engine in made:
        await engine.stop()


@pytest.fixture
def engine(engines: Callable[..., LocalEngine]) -> LocalEngine:
    return engines()


@pytest.fixture(scope="session")
def warm_engine() -> Iterator[LocalEngine]:
    """One worker for all tests that really analyse: its first analysis costs seconds."""
    engine = LocalEngine(WorkerOptions("none", extra_tasks=STUBS))
    yield engine
    asyncio.run(engine.stop())
