"""From the operator's settings to what workers need."""

from __future__ import annotations

from core.settings import Settings
from jobs.engines.base import Engine
from jobs.retention import Retention
from jobs.runner import RunnerOptions, make_engine
from jobs.schedule import Plan


def runner_options(settings: Settings) -> RunnerOptions:
    return RunnerOptions(
        data=settings.data.absolute(),
        separator=settings.jobs.separator,
        weights=settings.jobs.weights,
        threads=settings.jobs.threads,
        workers=settings.jobs.workers,
        upload_seconds=settings.limits.duration_min * 60,
        folder_seconds=max(settings.limits.duration_min * 60, 900.0),
    )


def engine(settings: Settings) -> Engine:
    """An engine for the command line, which waits for its result."""
    return make_engine(runner_options(settings))


def plan(settings: Settings) -> Plan:
    """What is done by the clock."""
    kept = settings.retention
    return Plan(
        data=settings.data.absolute(),
        folders=settings.library.folders,
        retention=Retention(uploads=kept.uploads_days, pictures=kept.pictures_days, jobs=kept.jobs_days),
        backups=kept.backups,
    )
