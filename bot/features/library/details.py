"""Details of a track: where it lies within the library, its musical contrast, its notes over time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.app import Feature, Interaction, Moodstem
from bot.features.library.cards import details_card
from bot.router import on_press
from bot.service.drawings import Drawings
from bot.widgets import attached
from bot.words.pictures import details_words
from core.errors import Refusal
from core.library.catalog import Catalog
from core.library.tracks import Track
from core.pictures.drawing import draw_details, profile_features
from core.track_analysis import TrackAnalysis

KEPT = 12
"""Tracks whose pictures stay in memory, about half a megabyte each: a shared card's button is pressed by several."""


class Details(Feature):
    """Draws how a track sounds, whoever asks."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.pictures: Drawings[dict[str, bytes]] = Drawings(KEPT)

    @on_press("details", consent=False)
    async def show(self, interaction: Interaction, track_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        track = await self.bot.catalogs.track(interaction.guild_id, interaction.user.id, track_id)
        analysis = await self.bot.library.analysis(track.id) if track else None
        if track is None or analysis is None:
            raise Refusal("details-gone")
        audio = self.bot.settings.data / track.path
        there = await asyncio.to_thread(audio.is_file)
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        key = track.id, await self.bot.library.version(), interaction.guild_id, there
        pictures = await self.pictures.get(
            key, lambda: self.draw(catalog, track, analysis, audio if there else None)
        )
        await interaction.edit_original_response(
            view=details_card(track, list(pictures), there),
            attachments=[attached(content, f"{name}.png") for name, content in pictures.items()],
        )

    async def draw(
        self, catalog: Catalog, track: Track, analysis: TrackAnalysis, audio: Path | None
    ) -> dict[str, bytes]:
        """{name: PNG}; the pictures that need the sound are left out without `audio`."""
        return await draw_details(
            analysis,
            await asyncio.to_thread(catalog.standing, analysis, profile_features()),
            title=track.title,
            words=details_words(analysis, len(catalog)),
            audio=audio,
            max_seconds=max(self.bot.settings.limits.duration_min * 60, 900.0),  # a folder's may be longer
        )
