"""The cards of /help and /jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.features.upload.cards import always_button, job_title
from bot.i18n import mark, tr
from bot.router import Press
from bot.theme import roughly
from bot.widgets import Card, Style, note_card, row, text

if TYPE_CHECKING:
    from jobs.model import Job

STATES = {
    "queued": mark("waiting"),
    "running": mark("being analysed"),
    "done": mark("done"),
    "failed": mark("failed"),
    "cancelled": mark("cancelled"),
}


def help_card() -> Card:
    """What I can do, in a few lines."""
    return Card(
        text(tr("## Music that fits your mood, with reasons")),
        text(
            tr(
                "**/mood** asks about seven short questions and keeps your answers, even if you stop half-way."
            ),
            tr(
                "**/recommend** picks tracks whose *instruments* fit, and says why in measured numbers; a tap steers them: calmer, less vocals, a surprise."
            ),
            tr("**/journey** leads from how you feel to another mood, step by step."),
            tr("**/party** makes one playlist of several people's moods, fair to each."),
            tr(
                "**/upload** takes a track apart, shows what each instrument does and what goes with it, and hands you its stems."
            ),
            tr(
                "**/similar** finds tracks like one of yours or the library's, or music to practise an instrument with."
            ),
            tr(
                "**/library** finds music by name or by sound (“calm piano”); **/playlist** keeps what you like."
            ),
            tr(
                "**/jobs** lists your uploads. **/privacy** shows, hands out or erases what I keep about you."
            ),
        ),
        row(Press("mood_start", label=tr("Ask me"), style=Style.primary)),
    )


def jobs_card(jobs: Sequence[Job], always: bool = False) -> Card:
    """A member's latest jobs and how far they are; `always`: they are told of the end of each."""
    if not jobs:
        return note_card(tr("Nothing yet: give me a track with /upload."), always_button(always))
    told = (
        tr("-# I send you a direct message when one of your tracks is done.")
        if always
        else tr("-# I can send you a direct message when one of your tracks is done.")
    )
    return Card(
        text(
            tr("### Your latest jobs"),
            *(
                f"{place}\\. **{job_title(job)}**: {_state(job.state, job.eta_s)} · <t:{int(job.created_at)}:R>"
                for place, job in enumerate(jobs, 1)
            ),
        ),
        row(
            *(
                Press("job_show", job.id, label=tr("Show {place}", place=place))
                for place, job in enumerate(jobs, 1)
            )
        ),
        text(told),
        row(always_button(always)),
    )


def _state(state: str, eta_s: float | None) -> str:
    left = tr(", {time} to go", time=roughly(eta_s)) if eta_s else ""
    word = tr(STATES.get(state, state))
    return f"{word}{left}" if state in ("queued", "running") else word
