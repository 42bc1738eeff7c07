"""A queue that tries again at once, and a runner that really analyses, without a separator."""

from __future__ import annotations

import pytest

from core.library.database import Database
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Pace, Runner


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, backoff_s=0.01)


@pytest.fixture
def runner(queue: Queue, warm_engine: LocalEngine, settings: TaskSettings) -> Runner:
    return Runner(queue, warm_engine, settings, pace=Pace(progress_s=0.0))
