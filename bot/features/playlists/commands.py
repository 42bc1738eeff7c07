"""/playlist: lists of one's own to fill, put in order, listen to, share, and carry to other players and back."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

import discord
from discord import app_commands
from discord.ext import commands

from bot import autocomplete as choices
from bot.app import Feature, Interaction, Moodstem
from bot.consent import stores_nothing
from bot.errors import slash
from bot.features.playlists.cards import delete_card, lists_card
from bot.features.playlists.files import bring_in, hand_out
from bot.features.playlists.showing import play_from, post_playlist, put_into, show_playlist
from bot.theme import plain
from bot.words.i18n import tr
from core.errors import UserError
from core.library.playlist_files import FORMATS


class PlaylistCommands(
    Feature, commands.GroupCog, group_name="playlist", group_description="Your playlists."
):
    """Keeps members' playlists."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self.one_at_a_time = asyncio.Lock()

    @slash(description="Make a playlist, empty or with a first track.")
    @app_commands.describe(name="What to call it", track="A first track")
    @app_commands.autocomplete(track=choices.tracks)
    async def create(
        self, interaction: Interaction, name: app_commands.Range[str, 1, 60], track: str | None = None
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        first = [(await choices.chosen_track(interaction, track)).id] if track else []
        await show_playlist(
            interaction, await self.bot.playlists.create(interaction.user.id, name, first), tr("Made.")
        )

    @slash(name="show", description="One of your playlists, or all of them.", extras=stores_nothing)
    @app_commands.describe(playlist="Which one; all when not said")
    @app_commands.autocomplete(playlist=choices.playlists)
    async def show_command(self, interaction: Interaction, playlist: str | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        if playlist:
            await show_playlist(interaction, await choices.chosen_playlist(interaction, playlist))
        else:
            own = await self.bot.playlists.of(interaction.user.id)
            await interaction.edit_original_response(view=lists_card(own, 0))

    @slash(description="Put a track into a playlist.")
    @app_commands.describe(playlist="A playlist of yours, or the name of a new one", track="Which track")
    @app_commands.autocomplete(playlist=choices.playlists_or_new, track=choices.tracks)
    async def add(self, interaction: Interaction, playlist: str, track: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await choices.chosen_track(interaction, track)
        try:
            chosen = await choices.chosen_playlist(interaction, playlist)
        except UserError:
            if playlist.startswith("list:"):
                raise
            chosen = await self.bot.playlists.create(interaction.user.id, playlist)
        await interaction.edit_original_response(view=await put_into(interaction, chosen, found))

    @slash(description="Take a track out of a playlist.")
    @app_commands.describe(playlist="Which playlist", track="Which of its tracks")
    @app_commands.autocomplete(playlist=choices.playlists, track=choices.entries)
    async def remove(self, interaction: Interaction, playlist: str, track: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        entry = choices.chosen_entry(await choices.entries_of(interaction, chosen), track)
        await self.bot.playlists.remove(chosen.id, interaction.user.id, entry.id)
        await show_playlist(interaction, chosen, tr("Removed {title}.", title=plain(entry.title)))

    @slash(description="Put a track of a playlist at another place.")
    @app_commands.describe(
        playlist="Which playlist", track="Which of its tracks", place="Its new place, from 1"
    )
    @app_commands.autocomplete(playlist=choices.playlists, track=choices.entries)
    async def move(
        self, interaction: Interaction, playlist: str, track: str, place: app_commands.Range[int, 1, 500]
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        entry = choices.chosen_entry(await choices.entries_of(interaction, chosen), track)
        now = await self.bot.playlists.move(chosen.id, interaction.user.id, entry.id, place)
        await show_playlist(
            interaction, chosen, tr("{title} is number {now} now.", title=plain(entry.title), now=now)
        )

    @slash(description="Give a playlist another name.")
    @app_commands.describe(playlist="Which playlist", name="Its new name")
    @app_commands.autocomplete(playlist=choices.playlists)
    async def rename(
        self, interaction: Interaction, playlist: str, name: app_commands.Range[str, 1, 60]
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await show_playlist(
            interaction, await self.bot.playlists.rename(chosen.id, interaction.user.id, name), tr("Renamed.")
        )

    @slash(description="Delete a playlist.")
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    async def delete(self, interaction: Interaction, playlist: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await interaction.edit_original_response(view=delete_card(chosen))

    @slash(description="Show a playlist to everybody in this channel.")
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    async def share(self, interaction: Interaction, playlist: str) -> None:
        await post_playlist(interaction, await choices.chosen_playlist(interaction, playlist))

    @slash(description="A playlist as files for other players.")
    @app_commands.describe(playlist="Which playlist", form="Which kind of file; all when not said")
    @app_commands.rename(form="format")
    @app_commands.autocomplete(playlist=choices.playlists)
    @app_commands.choices(form=[app_commands.Choice(name=name, value=form) for form, name in FORMATS.items()])
    async def export(self, interaction: Interaction, playlist: str, form: str | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await hand_out(self.bot, interaction, chosen, [form] if form else list(FORMATS))

    @slash(name="import", description="A playlist from a file: M3U, M3U8, XSPF or JSPF.")
    @app_commands.describe(file="The file", name="What to call it; the file's own name when not said")
    async def import_(
        self,
        interaction: Interaction,
        file: discord.Attachment,
        name: app_commands.Range[str, 1, 60] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        # One file at a time, and of each member one that waits: reading and matching keep a core busy.
        async with self.turns.setdefault(interaction.user.id, asyncio.Lock()), self.one_at_a_time:
            await bring_in(self.bot, interaction, file, name)

    @slash(description="Listen to a playlist, half a minute of each track.", extras=stores_nothing)
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    async def play(self, interaction: Interaction, playlist: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await play_from(interaction, await choices.chosen_playlist(interaction, playlist), 0)
