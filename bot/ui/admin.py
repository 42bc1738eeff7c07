"""Cards for those who manage a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.ui.buttons import Press
from bot.ui.cards import Card, Style, note_card, row, text
from bot.ui.jobs import job_title
from bot.ui.theme import plain, roughly
from core.library.servers import LIMITS

if TYPE_CHECKING:
    from core.library.audit import Entry
    from core.settings import LimitSettings
    from jobs.model import Job

PAGE = 10


@dataclass(frozen=True)
class Stats:
    """What /admin stats shows."""

    tracks: dict[str, int]
    jobs: dict[str, int]
    separator: str
    runners: int
    free_gb: float
    database_mb: float
    last_backup: int | None


def jobs_card(jobs: Sequence[Job], stats: dict[str, int]) -> Card:
    """Jobs of this server that wait or run, and how the last ones ended."""
    counted = ", ".join(f"{count} {state}" for state, count in stats.items() if count) or "nothing yet"
    if not jobs:
        return note_card(f"No job waits or runs. So far: {counted}.", Press("admin_jobs", label="Refresh"))
    lines = [
        f"**{place}.** {job_title(job)} by <@{job.user_id}>: {_state(job)}"
        for place, job in enumerate(jobs, 1)
    ]
    return Card(
        text("## Jobs on this server", f"-# {counted}"),
        text(*lines),
        *(
            row(
                *(
                    Press(
                        "admin_cancel",
                        job.id,
                        label=f"Cancel {start + offset}",
                        style=Style.danger,
                        disabled=job.cancel_requested,
                    )
                    for offset, job in enumerate(jobs[start - 1 : start + 4])
                )
            )
            for start in range(1, len(jobs) + 1, 5)
        ),
        row(Press("admin_jobs", label="Refresh")),
    )


def _state(job: Job) -> str:
    if job.state == "running":
        left = f", {roughly(job.eta_s)} to go" if job.eta_s else ""
        return f"{job.progress:.0%}{left}"
    return f"number {job.position} in the queue"


def stats_card(stats: Stats) -> Card:
    tracks, jobs = stats.tracks, stats.jobs
    backup = f"<t:{stats.last_backup}:R>" if stats.last_backup else "none yet; `/admin backup` makes one"
    worker = {0: "none is running; start `moodstem worker`", 1: "one"}.get(stats.runners, str(stats.runners))
    return Card(
        text("## How things stand"),
        text(
            f"**Library** {tracks['total']} tracks: {tracks['folder']} from folders, {tracks['upload']} uploaded, "
            f"{tracks['sample']} samples",
            f"**Jobs of this server** {jobs['done']} done, {jobs['failed']} failed, {jobs['running']} running, "
            f"{jobs['queued']} waiting",
            f"**Workers** {worker}",
            f"**Separator** {stats.separator}",
            f"**Disk** {stats.free_gb:.1f} GB free; the database has {stats.database_mb:.1f} MB",
            f"**Last backup** {backup}",
        ),
    )


def limits_card(here: LimitSettings, own: set[str]) -> Card:
    """Every limit that a server may set, and who set it."""
    lines = [
        f"**{getattr(here, name) or 'any number':{'' if not getattr(here, name) else 'g'}}** {words}"
        + (" (set here)" if name in own else "")
        for name, words in LIMITS.items()
    ]
    return Card(
        text("## Limits on this server", *lines),
        text("-# `/admin limits` with a name and a number changes one; without a number it goes back."),
    )


def log_card(entries: Sequence[Entry], page: int, more: bool) -> Card:
    """Who did what, newest first."""
    if not entries:
        return note_card("Nothing yet: what admins change with my commands will be listed here.")
    lines = [
        f"<t:{entry.at}:d> <@{entry.user_id}> **{plain(entry.action)}** {plain(entry.detail, 160)}"
        for entry in entries
    ]
    return Card(
        text("## What admins did"),
        text(*lines),
        row(
            Press("admin_log", max(page - 1, 0), label="Newer", emoji="◀️", disabled=page == 0),
            Press("admin_log", page + 1, label="Older", emoji="▶️", disabled=not more),
        ),
    )
