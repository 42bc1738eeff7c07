"""The map of the library on a card: drawn when somebody asks, with what they were recommended last."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.app import Interaction
from bot.service.drawings import Drawings
from bot.theme import plain
from bot.widgets import Card, attached, gallery, text
from bot.words.i18n import tr, trn
from bot.words.library_map import corner, map_in_words
from bot.words.pictures import map_words
from core.pictures.drawing import draw_map
from core.recommend.music_map import drawn

PICTURE = "map.png"
PICKED = 10
"""Tracks of the last recommendation that are marked."""


async def show_map(interaction: Interaction, maps: Drawings[bytes]) -> None:
    """In place of the deferred answer. Raises UserError where the library is too small."""
    bot = interaction.client
    catalog = await bot.catalogs.of(interaction.guild_id)
    picked = await bot.recommendations.latest_track_ids(interaction.user.id, PICKED)
    told = map_in_words(await asyncio.to_thread(drawn, catalog, picked))
    here = interaction.guild_id, await bot.library.version()
    words = map_words(len(told["points"]), told["count"])
    key = *here, str(catalog.weights), tuple(picked)
    picture = await maps.get(key, lambda: draw_map(told, words))
    await interaction.edit_original_response(view=map_card(told), attachments=[attached(picture, PICTURE)])


def map_card(told: dict[str, Any]) -> Card:
    """The picture with what it says in words, for those who do not see it."""
    marked = (
        tr("-# The numbers are what I recommended to you last.")
        if told["picked"]
        else tr("-# Ask me with /recommend, and I mark here what I pick.")
    )
    return Card(
        text(
            tr("## The library as a map"),
            tr("-# Tracks that sound alike lie near each other; the arrows point to where a mood is."),
            marked,
        ),
        gallery(PICTURE, described(told)),
    )


def described(told: dict[str, Any]) -> str:
    """The picture in words."""
    moods = ", ".join(f"{name}: {corner(x, y)}" for name, x, y, *_ in told["directions"])
    said = trn("A map of {count} track.", "A map of {count} tracks.", told["count"])
    said += " " + tr("Where moods lie: {moods}.", moods=moods)
    if told["picked"]:
        places = ", ".join(
            f"{number}. {plain(title, 40)} ({corner(*told['points'][place])})"
            for number, (place, title) in enumerate(
                zip(told["picked"], told["picked_titles"], strict=True), 1
            )
        )
        said += " " + tr("Recommended last: {places}.", places=places)
    return said[:1000]
