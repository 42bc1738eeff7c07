"""From the operator's settings to what workers need."""

from __future__ import annotations

from core.settings import Settings
from jobs.engines.local import LocalEngine
from jobs.runner import RunnerOptions


def runner_options(settings: Settings) -> RunnerOptions:
    return RunnerOptions(
        data=settings.data.absolute(),
        separator=settings.jobs.separator,
        weights=settings.jobs.weights,
        threads=settings.jobs.threads,
        upload_seconds=settings.limits.duration_min * 60,
        folder_seconds=settings.limits.duration_min * 60,
    )


def local_engine(settings: Settings) -> LocalEngine:
    """An engine for the command line, which waits for its result."""
    return LocalEngine(
        settings.jobs.separator, weights_dir=settings.jobs.weights, threads=settings.jobs.threads
    )
