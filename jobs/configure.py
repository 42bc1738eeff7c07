"""Turn the operator's settings into what queue and schedule need."""

from __future__ import annotations

from core.settings import LimitSettings, Settings
from jobs.model import Quotas
from jobs.retention import Retention
from jobs.schedule import Plan


def quotas(limits: LimitSettings) -> Quotas:
    """Return what may be put into the queue."""
    return Quotas(
        waiting_per_user=limits.queued_per_user,
        waiting_per_guild=limits.queued_per_server,
        waiting_total=limits.queued_in_all,
        daily_per_user=limits.daily_per_user or None,
        daily_per_guild=limits.daily_per_server or None,
    )


def plan(settings: Settings) -> Plan:
    """Return what is done by the clock."""
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
        genre_model=settings.jobs.genre_model,
        disk_bytes=int(kept.disk_gb * 1e9),
        backup_bytes=int(kept.backups_gb * 1e9),
    )
