"""Cards for those who manage a server."""

from __future__ import annotations

from collections.abc import Sequence

from bot.condition import Condition
from bot.features.upload.cards import job_title
from bot.router import Press
from bot.theme import plain, roughly
from bot.widgets import Card, Style, note_card, row, text
from bot.words.i18n import number, percent, tr
from bot.words.named import word, words
from bot.words.say import say
from core.library.audit import AuditEntry
from core.settings import LimitSettings
from jobs.model import Job

PAGE = 10


def server_jobs_card(jobs: Sequence[Job], stats: dict[str, int]) -> Card:
    """Jobs of this server that wait or run, and how the last ones ended."""
    counted = ", ".join(
        word("counted-states", state, count=count) for state, count in stats.items() if count
    ) or tr("nothing yet")
    if not jobs:
        return note_card(
            tr("No job waits or runs. So far: {counted}.", counted=counted),
            Press("admin_jobs", label=tr("Refresh")),
        )
    lines, buttons = [], []
    for place, job in enumerate(jobs, 1):
        about = {"job": job_title(job), "member": f"<@{job.user_id}>", "state": state_of(job)}
        lines.append(tr("**{place}.** {job} by {member}: {state}", place=place, **about))
        cancel = tr("Cancel {place}", place=place)
        style, disabled = Style.danger, job.cancel_requested
        buttons.append(Press("admin_cancel", job.id, label=cancel, style=style, disabled=disabled))
    return Card(
        text(tr("## Jobs on this server"), f"-# {counted}"),
        text(*lines),
        *(row(*buttons[start : start + 5]) for start in range(0, len(buttons), 5)),
        row(Press("admin_jobs", label=tr("Refresh"))),
    )


def state_of(job: Job) -> str:
    """How far a job is, or its place in the queue."""
    if job.state == "running":
        left = tr(", {time} to go", time=roughly(job.eta_s)) if job.eta_s else ""
        return f"{percent(job.progress)}{left}"
    return tr("number {place} in the queue", place=job.position)


def newer_older(action: str, page: int, more: bool) -> list[Press]:
    """Buttons through a log; `more`: there are older entries."""
    return [
        Press(action, max(page - 1, 0), label=tr("Newer"), emoji="◀️", disabled=page == 0),
        Press(action, page + 1, label=tr("Older"), emoji="▶️", disabled=not more),
    ]


def stats_card(tracks: dict[str, int], jobs: dict[str, int], host: Sequence[str]) -> Card:
    """The server's library and jobs, and for the operator `host_lines`."""
    return Card(
        text(tr("## How things stand")),
        text(
            tr(
                "**Library** {total} tracks: {folder} from folders, {upload} uploaded, {sample} samples",
                **tracks,
            ),
            tr(
                "**Jobs of this server** {done} done, {failed} failed, {running} running, {queued} waiting",
                **jobs,
            ),
            *host,
        ),
    )


def host_lines(now: Condition, separator: str, chosen: str) -> list[str]:
    """Workers, separator, disk and backups; `separator` is at work, `chosen` stands in the settings."""
    worker = str(now.workers) if now.workers else tr("none is running; start `moodstem worker`")
    backup = f"<t:{now.backup_at:.0f}:R>" if now.backup_at else tr("none yet; `/admin backup` makes one")
    return [
        tr("**Workers** {worker}", worker=worker),
        tr("**Separator** {separator}", separator=separator)
        + (tr(" (set to {chosen})", chosen=chosen) if chosen != separator else ""),
        tr(
            "**Disk** {free_gb:.1f} GB free; the database has {database_mb:.1f} MB",
            free_gb=now.free_bytes / 1e9,
            database_mb=now.database_bytes / 1e6,
        ),
        tr("**Last backup** {backup}", backup=backup),
    ]


def limits_card(here: LimitSettings, own: set[str]) -> Card:
    """Every limit that a server may set, and who set it."""
    lines = [
        f"**{number(getattr(here, name), 'g') if getattr(here, name) else tr('any number')}** {word('limits', name)}"
        + (tr(" (set here)") if name in own else "")
        for name in words("limits")
    ]
    return Card(
        text(tr("## Limits on this server"), *lines),
        text(tr("-# `/admin limits` with a name and a number changes one; without a number it goes back.")),
    )


def log_card(entries: Sequence[AuditEntry], page: int, more: bool) -> Card:
    """Who did what, newest first."""
    if not entries:
        return note_card(tr("Nothing yet: what admins change with my commands will be listed here."))
    lines = [
        f"<t:{entry.at}:d> <@{entry.user_id}> **{plain(tr(entry.action))}** {plain(say(entry.detail) if entry.detail else '', 160)}"
        for entry in entries
    ]
    return Card(text(tr("## What admins did")), text(*lines), row(*newer_older("admin_log", page, more)))
