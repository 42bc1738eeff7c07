"""The engines: those of this package, and those that installed packages add by entry point. Imports no Ray."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import create_model

from core.plugins import with_plugins
from core.settings import JobSettings, Settings
from jobs.engines import local
from jobs.engines.base import Engine, EngineInfo, Limits, WorkerOptions
from jobs.engines.cluster import engine as ray

BUNDLED = (local.INFO, ray.INFO)


@cache
def installed() -> Mapping[str, EngineInfo]:
    """Return all engines by name. Packages that the operator installed are imported for it."""
    return with_plugins(BUNDLED, "moodstem.engines", EngineInfo)


@cache
def job_settings() -> type[JobSettings]:
    """Return the settings under `[jobs]`, with the keys of every installed engine."""
    kinds = tuple(info.settings for info in installed().values() if info.settings is not None)
    names: Any = Literal[tuple(installed())]
    return create_model("JobSettings", __base__=kinds, engine=(names, "local"))


def make_engine(settings: Settings, *, warm: bool = False) -> Engine:
    """Return the engine that the settings ask for. Raises UserError when something that it needs is not installed."""
    jobs = settings.jobs
    options = WorkerOptions(
        jobs.separator,
        jobs.weights,
        jobs.threads,
        settings.htdemucs.model_dump(),
        jobs.genre_model,
        jobs.device,
        Limits(memory_mb=jobs.memory_mb, time_s=jobs.time_min * 60),
        warm,
    )
    return installed()[jobs.engine].make(jobs, options)
