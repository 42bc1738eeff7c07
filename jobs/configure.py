"""From the operator's settings to what workers need."""

from __future__ import annotations

from core.settings import Settings
from jobs.engines.local import LocalEngine
from jobs.retention import Retention
from jobs.runner import RunnerOptions
from jobs.schedule import Plan


def runner_options(settings: Settings) -> RunnerOptions:
    return RunnerOptions(
        data=settings.data.absolute(),
        separator=settings.jobs.separator,
        weights=settings.jobs.weights,
        threads=settings.jobs.threads,
        upload_seconds=settings.limits.duration_min * 60,
        folder_seconds=max(settings.limits.duration_min * 60, 900.0),
    )


def local_engine(settings: Settings) -> LocalEngine:
    """An engine for the command line, which waits for its result."""
    return LocalEngine(
        settings.jobs.separator, weights_dir=settings.jobs.weights, threads=settings.jobs.threads
    )


def plan(settings: Settings) -> Plan:
    """What is done by the clock."""
    kept = settings.retention
    return Plan(
        data=settings.data.absolute(),
        folders=settings.library.folders,
        retention=Retention(uploads=kept.uploads_days, pictures=kept.pictures_days, jobs=kept.jobs_days),
        backups=kept.backups,
    )
