"""A runner that really analyses, without a separator."""

from __future__ import annotations

import pytest

from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Pace, Runner


@pytest.fixture
def runner(live_queue: Queue, warm_engine: LocalEngine, settings: TaskSettings) -> Runner:
    return Runner(live_queue, warm_engine, settings, pace=Pace(progress_s=0.0))
