"""/similar: tracks that go with one, by their instruments or their sound, and music to practise an instrument with."""

from __future__ import annotations

import asyncio
from pathlib import Path

from discord import app_commands

from bot import autocomplete as choices
from bot.app import Feature, Interaction, Moodstem
from bot.consent import stores_nothing
from bot.errors import slash
from bot.features.similar.cards import COUNT, PICTURE, SimilarQuestion, answer_card, comparison_card
from bot.router import on_press
from bot.service.drawings import Drawings
from bot.widgets import attached
from bot.words.likeness import side_by_side
from bot.words.pictures import comparison_words
from core.audio.types import STEMS
from core.errors import Fact, Refusal
from core.library.catalog import Catalog
from core.library.latents import Latents, common_genre, load_latents, told
from core.library.tracks import Track
from core.pictures.drawing import draw_comparison
from core.recommend import acoustic_similarity
from core.recommend.prominence import Prominent, prominent
from core.recommend.similar import Similar, similar
from core.track_analysis import TrackAnalysis

POOL = 5
"""To practise with, and like a track: among this many times more similar tracks than are shown."""

KEPT = 12
"""Comparisons that stay in memory, about 0.4 MB each."""


class SimilarCommands(Feature, name="Similar"):
    """Finds what goes with a track and shows why."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.latents: tuple[int, Latents] | None = None
        self.comparisons: Drawings[tuple[bytes, list[Fact], bool]] = Drawings(KEPT)

    @slash(
        description="Tracks like one of the library or your own, or music to practise with.",
        extras=stores_nothing,
    )
    @app_commands.describe(
        track="Begin to type a title; your own uploads come first",
        by="What is compared: the sound (when not said), instruments, or what the network hears",
        instrument="Compare only how much this one plays",
        practise="Music to practise this instrument with: where it stands out",
    )
    @app_commands.autocomplete(track=choices.tracks_and_own)
    @app_commands.choices(
        by=choices.offered("compared"),
        instrument=choices.INSTRUMENTS,
        practise=choices.INSTRUMENTS,
    )
    async def similar(
        self,
        interaction: Interaction,
        track: str | None = None,
        by: str | None = None,
        instrument: str | None = None,
        practise: str | None = None,
    ) -> None:
        if track is None and practise is None:
            raise Refusal("nothing-to-compare")
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await choices.chosen_track_or_own(interaction, track) if track else None
        question = SimilarQuestion(
            found.id if found else 0,
            by or ("instruments" if instrument else "sound"),
            stems=(instrument,) if instrument and by != "sound" else (),
            practise=practise or "",
        )
        await self.answer(interaction, question)

    async def answer(self, interaction: Interaction, question: SimilarQuestion) -> None:
        """In place of the deferred answer, or of the card whose button was pressed."""
        track, analysis = (
            await self.known(interaction, question.track_id) if question.track_id else (None, None)
        )
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        heard = (
            await self.heard_alike(catalog, question, track) if question.by == "latent" and track else None
        )
        near, standing = await asyncio.to_thread(find, catalog, question, analysis, heard)
        await interaction.edit_original_response(view=answer_card(question, track, near, standing))

    async def heard_alike(self, catalog: Catalog, question: SimilarQuestion, track: Track) -> list[Similar]:
        """By the genre network's vectors, which are there once a track has been heard by it."""
        version = await self.bot.library.version()
        if self.latents is None or self.latents[0] != version:
            self.latents = version, await load_latents(self.bot.database)
        latents = self.latents[1]
        own = latents.of(track.id)
        if own is None:
            raise Refusal("not-heard-yet")
        count = COUNT * POOL if question.practise else COUNT
        near = await asyncio.to_thread(latents.near, own, count, catalog, track.id)
        here = await told(self.bot.database, track.id)
        found = []
        for track_id, cosine in near:
            there = await told(self.bot.database, track_id)
            found.append(Similar(catalog.track(track_id), cosine, common_genre(there, here)))
        return found

    @on_press("sim", consent=False)
    async def again(
        self, interaction: Interaction, track_id: int, by: str, metric: str, stems: str, practise: str
    ) -> None:
        await interaction.response.defer()
        await self.answer(interaction, SimilarQuestion.of(track_id, by, metric, stems, practise))

    @on_press("sim_metric", consent=False)
    async def measured(self, interaction: Interaction, track_id: int, *how: str) -> None:
        await self.again(interaction, track_id, *_four(how))

    @on_press("sim_stem", consent=False)
    async def only(self, interaction: Interaction, track_id: int, *how: str) -> None:
        """One more instrument that is compared, or one less."""
        await interaction.response.defer()
        question, stem = SimilarQuestion.of(track_id, *_four(how[:-1])), how[-1]
        await self.answer(interaction, question.toggled(stem) if stem in STEMS else question)

    @on_press("sim_practise", consent=False)
    async def practise(self, interaction: Interaction, track_id: int, *how: str) -> None:
        await self.again(interaction, track_id, *_four((*how[:3], *how[4:])))

    @on_press("compare", consent=False)
    async def compare(self, interaction: Interaction, one: int, other: int) -> None:
        """Two tracks beside each other; the picture takes some seconds, in a process of its own."""
        if one == other:
            raise Refusal("card-of-other-version")
        await interaction.response.defer(ephemeral=True, thinking=True)
        (left, first), (right, second) = (
            await self.known(interaction, one),
            await self.known(interaction, other),
        )
        catalog = await self.bot.catalogs.of(interaction.guild_id)
        key = left.id, right.id, interaction.guild_id, await self.bot.library.version()
        picture, reasons, there = await self.comparisons.get(
            key, lambda: self.draw(catalog, (left, first), (right, second))
        )
        await interaction.edit_original_response(
            view=comparison_card(left, right, reasons, there), attachments=[attached(picture, PICTURE)]
        )

    async def draw(
        self, catalog: Catalog, *sides: tuple[Track, TrackAnalysis]
    ) -> tuple[bytes, list[Fact], bool]:
        """The picture, what agrees and differs, and whether the audio of both is there."""
        audio: list[Path | None] = [self.bot.settings.data / track.path for track, _ in sides]
        for place, path in enumerate(audio):
            if path is not None and not await asyncio.to_thread(path.is_file):
                audio[place] = None
        space = await asyncio.to_thread(acoustic_similarity.sound_space, catalog)
        left, right = ((analysis.features(), analysis.separator) for _, analysis in sides)
        similarity, terms = acoustic_similarity.agreements(space.vector(*left), space.vector(*right))
        tracks = [(track.title, analysis, path) for (track, analysis), path in zip(sides, audio, strict=True)]
        longest = max(self.bot.settings.limits.duration_min * 60, 900.0)
        parts = side_by_side(terms, left[0], right[0])
        picture = await draw_comparison(tracks, parts, comparison_words(similarity), longest)
        return picture, acoustic_similarity.strongest(terms, left[0], right[0]), None not in audio

    async def known(self, interaction: Interaction, track_id: int) -> tuple[Track, TrackAnalysis]:
        """A track that is found here, with its analysis. Raises UserError when either is gone."""
        track = await self.bot.catalogs.track(interaction.guild_id, interaction.user.id, track_id)
        analysis = await self.bot.library.analysis(track.id) if track else None
        if track is None or analysis is None:
            raise Refusal("compared-track-gone")
        return track, analysis


def find(
    catalog: Catalog,
    question: SimilarQuestion,
    analysis: TrackAnalysis | None,
    heard: list[Similar] | None = None,
) -> tuple[list[Similar], list[Prominent]]:
    """What is similar (`heard`: by the network, found already), and of it what stands out, where an instrument is to be
    practised."""
    near: list[Similar] = heard or []
    if analysis is not None and heard is None:
        own = [track.id for track in catalog.tracks if track.content_hash == analysis.content_hash]
        own.append(question.track_id)
        near = similar(
            catalog,
            analysis.features(),
            question.by,
            question.stems or None,
            COUNT * POOL if question.practise else COUNT,
            exclude=own,
            metric=question.metric,
            separator=analysis.separator,
        )
    if not question.practise:
        return near, []
    among = {one.track.id for one in near} if analysis is not None else None
    return near, prominent(catalog, question.practise, COUNT, among)


def _four(how: tuple[str, ...]) -> tuple[str, str, str, str]:
    """What a question's button says beside the track: what is compared, by which measure and instruments, what for."""
    if len(how) != 4:
        raise Refusal("card-of-other-version")
    return how
