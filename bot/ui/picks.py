"""Cards about recommended and similar tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from discord import ui

from bot.ui.buttons import Press
from bot.ui.cards import Card, Style, line, mood_colour, row, text
from bot.ui.theme import plain

if TYPE_CHECKING:
    from discord import ui

    from core.library.tracks import Track
    from core.moods.profile import Profile
    from core.recommend.similarity import Similar
    from core.recommend.store import Pick, Recommended

PAGE = 5
"""Tracks on one card: a card holds at most 40 components, and more than five reasons to listen are none."""


def picks_card(made: Recommended, profile: Profile | None, page: int = 0, shared: bool = False) -> Card:
    """One page of recommended tracks: what, why in one or two sentences, and a button to hear each."""
    pages = -(-len(made.picks) // PAGE)
    first = page * PAGE
    shown = made.picks[first : first + PAGE]
    strongest = profile.strongest(1)[0][0] if profile and profile.strongest(1) else None
    title = "Picked to share" if shared else "For you, now"
    subject = f"for {made.occasion}" if made.occasion else "for the mood of the moment"
    mood = f" · {profile.summary()}" if profile and not shared else ""
    items: list[ui.Item[Any]] = [text(f"## {title}", f"-# Music {subject}{mood}")]
    for position, pick in enumerate(shown, first):
        items.append(line())
        items.append(
            _section(
                Press("play", pick.track_id, label="Play", emoji="▶️"),
                f"**{position + 1}. {plain(pick.title)}**",
                _by_line(pick.artist, pick.genre),
                *(f"> {reason['text']}" for reason in pick.reasons[:2]),
            )
        )
    items.append(line())
    items.append(
        row(*(Press("rec_why", made.id, i, label=f"Why {i + 1}?") for i in range(first, first + len(shown))))
    )
    if not shared:
        turning = [
            Press("rec_page", made.id, (page - 1) % pages, emoji="◀️"),
            Press("rec_page", made.id, page + 1, label=f"{page + 1} / {pages}", emoji="▶️"),
        ]
        items.append(
            row(
                *(turning if pages > 2 else turning[1:] if pages == 2 else ()),
                Press("rec_more", made.id, label="Other picks", emoji="🔀", style=Style.primary),
                Press("rec_share", made.id, page, label="Share", emoji="📣"),
            )
        )
    return Card(*items, colour=mood_colour(strongest))


def why_card(pick: Pick, occasion: str | None) -> Card:
    """The reasons for one track, with what spoke against it."""
    reasons = [f"**{_signed(reason['contribution'])}** {reason['text']}" for reason in pick.reasons[:5]]
    against = [f"**{_signed(reason['contribution'])}** {reason['text']}" for reason in pick.against[:2]]
    sources = sorted({reason["citation"] for reason in pick.reasons[:5] if reason["citation"]})
    return Card(
        text(f"## Why {plain(pick.title)}?", f"-# All reasons add up to a score of {pick.score:+.2f}."),
        text("**What speaks for it**", *(reasons or ["Nothing in particular: the others fit even less."])),
        *([text("**What speaks against it**", *against)] if against else []),
        *([text(f"-# After {'; '.join(sources)}")] if sources else []),
        row(
            Press("play", pick.track_id, label="Play", emoji="▶️"),
            Press("like_this", pick.track_id, label="More like this"),
        ),
    )


def similar_card(track: Track, near: Sequence[Similar]) -> Card:
    if not near:
        return Card(text(f"Nothing else in the library sounds like **{plain(track.title)}** yet."))
    return Card(
        text(f"## Sounds like {plain(track.title)}"),
        *(similar_section(one) for one in near),
    )


def similar_section(one: Similar) -> ui.Section[Any]:
    return _section(
        Press("play", one.track.id, label="Play", emoji="▶️"),
        f"**{plain(one.track.title)}**",
        _by_line(one.track.artist, one.track.genre),
        *(f"> {reason}" for reason in one.reasons[:1]),
    )


def _section(button: Press, *lines: str) -> ui.Section[Any]:
    return ui.Section("\n".join(one for one in lines if one), accessory=button)


def _by_line(artist: str | None, genre: str | None) -> str:
    parts = [plain(part, 60) for part in (artist, genre) if part]
    return f"-# {' · '.join(parts)}" if parts else ""


def _signed(contribution: float) -> str:
    return f"{contribution:+.2f}".replace("-", "−")
