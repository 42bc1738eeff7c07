"""The buttons that put a playlist in order, and those that delete it."""

from __future__ import annotations

import asyncio

import discord
from discord.ext import commands

from bot.app import Moodstem
from bot.autocomplete import entries_of
from bot.features.playlists.cards import delete_card, edit_card
from bot.i18n import tr
from bot.router import on_press
from bot.theme import plain
from bot.widgets import note_card
from core.recommend.transitions import ordered

Interaction = discord.Interaction[Moodstem]


class PlaylistEdit(commands.Cog):
    """Only its owner changes a playlist: `Playlists` asks who it is."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @on_press("pl_edit")
    async def edit(self, interaction: Interaction, playlist_id: str, page: str) -> None:
        playlist = await self.bot.playlists.own(int(playlist_id), interaction.user.id)
        await self.show_edited(interaction, playlist.id, page)

    @on_press("pl_up")
    async def up(self, interaction: Interaction, playlist_id: str, entry_id: str, page: str) -> None:
        await self.shift(interaction, int(playlist_id), int(entry_id), page, -1)

    @on_press("pl_down")
    async def down(self, interaction: Interaction, playlist_id: str, entry_id: str, page: str) -> None:
        await self.shift(interaction, int(playlist_id), int(entry_id), page, 1)

    @on_press("pl_flow")
    async def let_flow(self, interaction: Interaction, playlist_id: str, page: str) -> None:
        """The order in which tempo, key and loudness change least from track to track; the first stays first."""
        playlist = await self.bot.playlists.own(int(playlist_id), interaction.user.id)
        entries = await entries_of(interaction, playlist)
        by_track = {entry.track_id: entry.id for entry in entries if entry.track_id is not None}
        order = await asyncio.to_thread(
            ordered, await self.bot.catalogs.of(interaction.guild_id), list(by_track)
        )
        await self.bot.playlists.arrange(playlist.id, interaction.user.id, [by_track[one] for one in order])
        await self.show_edited(interaction, playlist.id, page)

    @on_press("pl_drop")
    async def drop(self, interaction: Interaction, playlist_id: str, entry_id: str, page: str) -> None:
        await self.bot.playlists.remove(int(playlist_id), interaction.user.id, int(entry_id))
        await self.show_edited(interaction, int(playlist_id), page)

    async def shift(
        self, interaction: Interaction, playlist_id: int, entry_id: int, page: str, by: int
    ) -> None:
        """Moves an entry `by` places down (-1: up) and shows the page again."""
        order = [entry.id for entry in await self.bot.playlists.entries(playlist_id)]
        place = order.index(entry_id) + 1 if entry_id in order else 0  # `move` says so when it is gone
        await self.bot.playlists.move(playlist_id, interaction.user.id, entry_id, place + by)
        await self.show_edited(interaction, playlist_id, page)

    async def show_edited(self, interaction: Interaction, playlist_id: int, page: str) -> None:
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        card = edit_card(playlist, await entries_of(interaction, playlist), int(page))
        await interaction.response.edit_message(view=card)

    @on_press("pl_delete")
    async def ask_delete(self, interaction: Interaction, playlist_id: str) -> None:
        playlist = await self.bot.playlists.own(int(playlist_id), interaction.user.id)
        await interaction.response.edit_message(view=delete_card(playlist))

    @on_press("pl_gone")
    async def really_delete(self, interaction: Interaction, playlist_id: str) -> None:
        playlist = await self.bot.playlists.delete(int(playlist_id), interaction.user.id)
        card = note_card(tr("Deleted **{name}**. The tracks stay in the library.", name=plain(playlist.name)))
        await interaction.response.edit_message(view=card)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(PlaylistEdit(bot))
