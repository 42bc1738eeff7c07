"""The card behind a track's "Details": pictures of how it sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from discord import ui

from bot.i18n import mark, tr
from bot.theme import plain
from bot.widgets import Card, gallery, text

if TYPE_CHECKING:
    from core.library.tracks import Track

CAPTIONS = {
    "profile": (
        mark(
            "**Within the library**\n-# Each number says how many percent of the tracks lie below this one."
        ),
        mark("Percentiles of {title} within the library, for the whole track and each instrument"),
    ),
    "contrast": (
        mark(
            "**Musical contrast**\n-# The more separate regions the lower picture has, the more eventful the music."
        ),
        mark("Spectrogram of {title} before and after the threshold that separates sound from silence"),
    ),
    "chroma": (
        mark("**Notes over time**\n-# How much of each of the twelve notes sounds; the keynote is bold."),
        mark("Pitch classes of {title} over time"),
    ),
}


def details_card(track: Track, pictures: Sequence[str], audio_is_there: bool) -> Card:
    """The pictures by name (attached as NAME.png), each below what it shows."""
    items: list[ui.Item[Card]] = []
    for name in pictures:
        caption, description = CAPTIONS[name]
        items += [text(tr(caption)), gallery(f"{name}.png", tr(description, title=plain(track.title)))]
    artist = f"-# {plain(track.artist)}" if track.artist else ""
    gone = (
        []
        if audio_is_there
        else [text(tr("-# Its audio is no longer kept, so there is no picture of its sound."))]
    )
    return Card(text(f"## {plain(track.title)}", *([artist] if artist else [])), *items, *gone)
