"""What is kept about a member, why and for how long, in the same words wherever it is said."""

from __future__ import annotations

from bot.router import Press
from bot.widgets import Card, Style, note_card, row, text
from bot.words.i18n import mark, tr
from core.settings import RetentionSettings

KEPT = mark(
    "Your answers to the mood questions and the profile made of them, what I recommended to you and what you listened to, your 👍 and 👎, searches, playlists and parties, the tracks that you uploaded, which cards in channels show something of you, that you agreed to this, the language that you chose, whether I tell you of finished tracks, and, of those who manage a server, what they did with /admin. I read no messages and guess nothing: moods come only from your answers."
)

WHY = mark(
    "So that I can choose music for you and get better at it, go on where you left, and show you your uploads and lists. Nothing of it is passed on or used for anything else."
)


WHERE = mark(
    "What you upload in a server, its members find and nobody elsewhere; what you send me in a direct message, only you find."
)


def how_long(kept: RetentionSettings) -> str:
    """What goes by itself, and after how many days."""
    return tr(
        "Uploads go after {uploads} days, stems that you asked for after {stems} days, finished jobs after {jobs} days, what you heard and what I picked after {history} days, searches after a week; the rest stays until you erase it.",
        uploads=kept.uploads_days,
        stems=kept.stems_days,
        jobs=kept.jobs_days,
        history=kept.history_days,
    )


def privacy_card(kept: RetentionSettings) -> Card:
    """/privacy: all of it, and what one can do about it."""
    return Card(
        text(tr("## What I keep about you")),
        text(*_in_full(kept)),
        row(
            Press("privacy_export", label=tr("Hand it out"), emoji="📦"),
            Press("privacy_ask", label=tr("Erase all"), style=Style.danger),
        ),
    )


def erase_card() -> Card:
    """Before all of it goes."""
    return note_card(
        tr(
            "Erase your answers, profile, recommendations, ratings, playlists, uploads and all else? This cannot be undone."
        ),
        Press("privacy_erase", label=tr("Erase"), style=Style.danger),
    )


def _in_full(kept: RetentionSettings) -> tuple[str, ...]:
    return (
        tr("**What:** {what}", what=tr(KEPT)),
        tr("**Where:** {where}", where=tr(WHERE)),
        tr("**Why:** {why}", why=tr(WHY)),
        tr("**How long:** {how_long}", how_long=how_long(kept)),
    )
