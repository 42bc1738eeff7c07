"""The card from which stems are heard and taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.i18n import inside, tr
from bot.router import Press
from bot.theme import GOOD, STEM_EMOJI, plain
from bot.widgets import Card, Style, note_card, row, text
from core.names import stem_name
from core.separation.registry import describe
from jobs.kinds import stems

if TYPE_CHECKING:
    from core.track_analysis import TrackAnalysis
    from jobs.model import Job

SOUNDS = 0.02
"""A stem that sounds for less of the time than this is offered as silent."""


def stems_card(job: Job, analysis: TrackAnalysis | None, until: float | None) -> Card:
    """A button for each stem that sounds, and one for all; `until` (Unix seconds) is when they go, None when they are
    gone."""
    spec = stems.KIND.spec(job)
    again = Press("stems", spec.of, label=tr("Make them again"), style=Style.primary)
    title = plain(spec.name)
    if until is None:
        return note_card(tr("The stems of **{title}** are no longer kept.", title=title), again)
    result = stems.KIND.result(job)
    activity = {stem: facts["activity"] for stem, facts in (analysis.instruments if analysis else {}).items()}
    loud = [stem for stem in result.sizes if activity.get(stem, 1.0) >= SOUNDS]
    silent = [inside(stem_name(stem)) for stem in result.sizes if stem not in loud]
    buttons = [
        Press("stem", job.id, stem, label=stem_name(stem), emoji=STEM_EMOJI.get(stem)) for stem in loud
    ]
    rows = [row(*buttons[first : first + 2]) for first in range(0, len(buttons), 2)]  # as a phone shows them
    separator = describe(result.separator)
    estimate = tr(
        "-# Separated by {separator}: expect traces of the others in each.", separator=tr(separator.label)
    )
    return Card(
        text(
            tr("## Stems of {title}", title=title),
            tr("Tap one to hear it and to take it along; only you see this."),
            *([estimate] if separator.is_estimate else []),
            *([tr("-# Hardly to be heard: {stems}.", stems=", ".join(silent))] if silent else []),
        ),
        *rows,
        row(Press("stem_all", job.id, label=tr("All in one ZIP"), emoji="📦", disabled=not loud)),
        text(
            tr(
                "-# Here until {when}; they can be made again as long as the upload is kept.",
                when=f"<t:{int(until)}:f>",
            )
        ),
        colour=GOOD,
    )
