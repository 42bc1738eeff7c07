"""The card of /help."""

from __future__ import annotations

from bot.router import Press
from bot.widgets import Card, Style, row, text
from bot.words.i18n import tr
from bot.words.named import word, words


def help_card() -> Card:
    """What I can do, in a few lines."""
    return Card(
        text(tr("## Music that fits your mood, with reasons")),
        text(*(word("help", line) for line in words("help"))),
        row(Press("mood_start", label=tr("Ask me"), style=Style.primary)),
    )
