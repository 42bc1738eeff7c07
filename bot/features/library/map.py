"""The map of the library on a card: drawn when somebody asks, with what they were recommended last."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import discord

from bot.app import Interaction, Moodstem
from bot.service.drawings import Drawings
from bot.theme import plain
from bot.widgets import Card, gallery, text
from bot.words.i18n import tr, trn
from bot.words.library_map import corner, map_in_words
from bot.words.pictures import map_words
from core.pictures.drawing import draw_map
from core.recommend.music_map import drawn

PICTURE = "map.png"
PICKED = 10
"""Tracks of the last recommendation that are marked."""

KEPT = 8
"""Pictures that stay in memory, about 0.2 MB each."""


class Maps:
    """Draws maps of the library."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.pictures: Drawings[bytes] = Drawings(KEPT)

    async def answer(self, interaction: Interaction) -> None:
        """In place of the deferred answer. Raises UserError where the library is too small."""
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        picked = await self.bot.recommendations.latest_track_ids(interaction.user.id, PICKED)
        told = map_in_words(await asyncio.to_thread(drawn, catalog, picked))
        here = interaction.guild_id, await self.bot.library.version()
        key = *here, str(catalog.weights), tuple(picked)
        picture = await self.pictures.get(
            key, lambda: draw_map(told, map_words(len(told["points"]), told["count"]))
        )
        await interaction.edit_original_response(
            view=map_card(told), attachments=[discord.File(io.BytesIO(picture), filename=PICTURE)]
        )


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
