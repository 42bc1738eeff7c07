"""From the operator's settings to what workers need."""

from __future__ import annotations

from pathlib import Path

from core.settings import LimitSettings, Settings
from jobs.engines.base import Engine
from jobs.model import Quotas
from jobs.process import RunnerOptions, make_engine
from jobs.retention import Retention
from jobs.schedule import Plan


def runner_options(settings: Settings) -> RunnerOptions:
    """Raises UserError when the engine that they ask for is not installed."""
    if settings.jobs.engine == "ray":
        from jobs.engines.cluster.engine import check_installed

        check_installed()
    return RunnerOptions(
        data=settings.data.absolute(),
        separator=settings.jobs.separator,
        weights=settings.jobs.weights,
        genre_model=chosen_model(settings),
        threads=settings.jobs.threads,
        htdemucs=settings.htdemucs.model_dump(),
        engine=settings.jobs.engine,
        workers=settings.jobs.workers,
        ray_address=settings.jobs.ray_address,
        gpu_share=settings.jobs.gpu_share,
        storage=settings.jobs.storage,
        device=settings.jobs.device,
        memory_mb=settings.jobs.memory_mb,
        time_s=settings.jobs.time_min * 60,
        upload_seconds=settings.limits.duration_min * 60,
        folder_seconds=max(settings.limits.duration_min * 60, 900.0),
        running_per_user=settings.limits.running_per_user,
    )


def chosen_model(settings: Settings) -> Path | None:
    """Return the operator's genre model as an absolute path: a worker may run elsewhere."""
    chosen = settings.jobs.genre_model
    return chosen.expanduser().resolve() if chosen is not None else None


def quotas(limits: LimitSettings) -> Quotas:
    """What may be put into the queue."""
    return Quotas(
        waiting_per_user=limits.queued_per_user,
        waiting_per_guild=limits.queued_per_server,
        waiting_total=limits.queued_in_all,
        daily_per_user=limits.daily_per_user or None,
        daily_per_guild=limits.daily_per_server or None,
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
        retention=Retention(
            uploads=kept.uploads_days,
            pictures=kept.pictures_days,
            stems=kept.stems_days,
            jobs=kept.jobs_days,
            history=kept.history_days,
        ),
        backups=kept.backups,
        genre_model=chosen_model(settings),
        disk_bytes=int(kept.disk_gb * 1e9),
    )
