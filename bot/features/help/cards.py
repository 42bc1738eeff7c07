"""The card of /help."""

from __future__ import annotations

from bot.router import Press
from bot.widgets import Card, Style, row, text
from bot.words.i18n import tr


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
