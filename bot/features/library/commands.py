"""/library: search by words, names and sounds; browse by filters; one track with all that is known about it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from bot import autocomplete as choices
from bot.app import Feature, Interaction, Moodstem
from bot.consent import stores_nothing
from bot.errors import slash
from bot.features.library.cards import PAGE, PICTURE, Asked, hits_card, nothing_card, track_card
from bot.features.library.map import show_map
from bot.features.listen.commands import track_named
from bot.router import on_press
from bot.service.drawings import Drawings
from bot.widgets import Card
from core.errors import Refusal
from core.library.query import parse, parse_key
from core.library.search import Filters, hit, search
from core.library.tracks import Track, picture_name
from core.moods.profile import MOODS
from core.recommend.search_semantics import meaning_strengths
from core.recommend.topic_scores import prepare
from core.separation.registry import installed
from core.spoken import LANGUAGES, spoken

KEPT = 8
"""Maps that stay in memory, about 0.2 MB each."""

FITS = 3
"""Moods that a track's card names."""

Command = TypeVar("Command", bound=Callable[..., Any])


def with_filters(command: Command) -> Command:
    """What /library search and browse have in common."""
    described = app_commands.describe(
        genre="Only this genre",
        tempo_from="Beats a minute, at least",
        tempo_to="Beats a minute, at most",
        key="Only this key",
        instrument="Only where this sounds",
    )
    completed = app_commands.autocomplete(genre=choices.genres, key=choices.musical_keys)
    return described(completed(app_commands.choices(instrument=choices.INSTRUMENTS)(command)))


class LibraryCommands(
    Feature, commands.GroupCog, group_name="library", group_description="Find music in the library."
):
    """Finds tracks and shows them."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.maps: Drawings[bytes] = Drawings(KEPT)

    @slash(name="search", description="By title, artist, genre, or how it sounds: calm piano.")
    @app_commands.describe(
        query='Names and sounds, such as: calm piano, "exact words", slow without drums, 120 bpm, D minor'
    )
    @app_commands.autocomplete(query=choices.titles)
    @with_filters
    async def search(
        self,
        interaction: Interaction,
        query: app_commands.Range[str, 1, 200],
        genre: str | None = None,
        tempo_from: app_commands.Range[int, 20, 400] | None = None,
        tempo_to: app_commands.Range[int, 20, 400] | None = None,
        key: str | None = None,
        instrument: str | None = None,
    ) -> None:
        await self.answer(interaction, query, genre, tempo_from, tempo_to, key, instrument)

    @slash(description="Everything in the library, by genre, tempo, key or instrument.")
    @with_filters
    async def browse(
        self,
        interaction: Interaction,
        genre: str | None = None,
        tempo_from: app_commands.Range[int, 20, 400] | None = None,
        tempo_to: app_commands.Range[int, 20, 400] | None = None,
        key: str | None = None,
        instrument: str | None = None,
    ) -> None:
        await self.answer(interaction, None, genre, tempo_from, tempo_to, key, instrument)

    @slash(description="All that is known about one track.", extras=stores_nothing)
    @app_commands.describe(track="Begin to type its title or artist")
    @app_commands.autocomplete(track=choices.tracks)
    async def track(self, interaction: Interaction, track: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.show_track(interaction, await choices.chosen_track(interaction, track))

    @slash(
        name="map",
        description="The whole library as a picture: what sounds alike, and where moods lie.",
        extras=stores_nothing,
    )
    async def map_(self, interaction: Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show_map(interaction, self.maps)

    async def answer(
        self,
        interaction: Interaction,
        text: str | None,
        genre: str | None,
        tempo_from: int | None,
        tempo_to: int | None,
        key: str | None,
        instrument: str | None,
    ) -> None:
        """Keeps the search, for its pages, and shows the first. Raises UserError for a tempo that ends below its
        beginning and for an unknown key."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        if tempo_from and tempo_to and tempo_from > tempo_to:
            raise Refusal("tempo-ends-below")
        if key is not None and parse_key(key) is None:
            raise Refusal("no-key")
        asked = {
            "text": text,
            "genre": genre,
            "tempo_from": tempo_from,
            "tempo_to": tempo_to,
            "key": key,
            "instrument": instrument,
        }
        search_id = await self.bot.history.searched(interaction.user.id, asked)
        await interaction.edit_original_response(
            view=await self.page(asked, search_id, 0, interaction.guild_id)
        )

    @on_press("lib_page", consent=False)
    async def turn(self, interaction: Interaction, search_id: int, page: int) -> None:
        kept = await self.bot.history.search(search_id)
        if kept is None or kept[0] != interaction.user.id:
            raise Refusal("search-gone")
        await interaction.response.defer()
        view = await self.page(kept[1], search_id, page, interaction.guild_id)
        await interaction.edit_original_response(view=view)

    async def page(self, kept: dict[str, Any], search_id: int, page: int, guild_id: int | None) -> Card:
        """One page of the answer as of now; the library may have changed since it was asked."""
        key = parse_key(kept["key"]) if kept["key"] else None
        filters = Filters(kept["genre"], kept["tempo_from"], kept["tempo_to"], key, kept["instrument"])
        asked = Asked(kept["text"], parse(kept["text"] or ""), filters)
        sounds = None
        if asked.query.meant:
            sounds = functools.partial(meaning_strengths, await self.bot.catalogs.of(guild_id))
        if kept["text"] and not asked.query:  # signs only
            return nothing_card(asked)
        for shown in (page, 0):  # a page that is no longer there begins anew
            found = await search(
                self.bot.database,
                self.bot.catalogs.scope(guild_id),
                asked.query,
                asked.filters,
                sounds=sounds,
                limit=PAGE,
                offset=shown * PAGE,
            )
            if found.hits:
                return hits_card(asked, found, search_id, shown)
        return nothing_card(asked)

    @on_press("track_open", consent=False)
    async def open(self, interaction: Interaction, track_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.show_track(interaction, await track_named(interaction, track_id))

    async def show_track(self, interaction: Interaction, track: Track) -> None:
        view, files = await self.draw_track(track, interaction.guild_id)
        await interaction.edit_original_response(view=view, attachments=files)

    async def draw_track(self, track: Track, guild_id: int | None) -> tuple[Card, list[discord.File]]:
        """The track's card, with its picture when one was drawn."""
        known = await hit(self.bot.database, track.id)
        moods = await self.moods(track.id, guild_id)
        drawn = (
            self.bot.settings.pictures / picture_name(track.content_hash, separator.name, language)
            for language in dict.fromkeys((spoken(), *LANGUAGES))
            for separator in installed()
        )
        picture = next((path for path in drawn if path.is_file()), None)
        files = [discord.File(picture, filename=PICTURE)] if picture else []
        return track_card(track, known, moods, picture=bool(files)), files

    async def moods(self, track_id: int, guild_id: int | None) -> list[tuple[str, float]]:
        """The moods that fit the track best by this server's rules, with their scores, best first."""
        catalog = await self.bot.catalogs.of(guild_id)
        if track_id not in catalog:
            return []
        place = catalog.index(track_id)
        prepared = await asyncio.to_thread(prepare, catalog)
        scores = [(mood, float(prepared.scores({mood: 1.0})[place])) for mood in MOODS]
        return sorted((one for one in scores if one[1] > 0), key=lambda one: -one[1])[:FITS]
