"""The buttons of playlists: to look, share, listen and fill, to put in order, and to delete."""

from __future__ import annotations

import asyncio

from bot import autocomplete as choices
from bot.app import Feature, Interaction
from bot.features.listen.commands import track_named
from bot.features.playlists.cards import choose_card, delete_card, edit_card, lists_card
from bot.features.playlists.files import hand_out
from bot.features.playlists.showing import (
    play_from,
    playlist_view,
    post_playlist,
    put_into,
    save_as_playlist,
    show_playlist,
    visible_playlist,
)
from bot.router import on_press
from bot.theme import plain
from bot.widgets import note_card
from bot.words.i18n import inside, tr
from bot.words.moods import occasion_label
from core.library.playlist_files import FORMATS
from core.recommend.transitions import ordered


class PlaylistButtons(Feature):
    """Only its owner changes a playlist: `Playlists` asks who it is."""

    @on_press("pl_lists", consent=False)
    async def turn_lists(self, interaction: Interaction, page: int) -> None:
        own = await self.bot.playlists.of(interaction.user.id)
        await interaction.response.edit_message(view=lists_card(own, page))

    @on_press("pl_page", consent=False)
    async def turn(self, interaction: Interaction, playlist_id: int, page: int) -> None:
        playlist = await visible_playlist(interaction, playlist_id)
        await interaction.response.edit_message(view=await playlist_view(interaction, playlist, page))

    @on_press("pl_show", consent=False)
    async def show_pressed(self, interaction: Interaction, playlist_id: int) -> None:
        playlist = await visible_playlist(interaction, playlist_id)
        await interaction.response.send_message(
            view=await playlist_view(interaction, playlist), ephemeral=True
        )

    @on_press("pl_share")
    async def share_pressed(self, interaction: Interaction, playlist_id: int) -> None:
        await post_playlist(interaction, await self.bot.playlists.own(playlist_id, interaction.user.id))

    @on_press("pl_unshare")
    async def unshare(self, interaction: Interaction, playlist_id: int) -> None:
        playlist = await self.bot.playlists.unshare(playlist_id, interaction.user.id)
        note = tr("Only you see it now; cards that were posted stop working.")
        await interaction.response.edit_message(view=await playlist_view(interaction, playlist, note=note))

    @on_press("pl_copy")
    async def copy(self, interaction: Interaction, playlist_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        playlist = await self.bot.playlists.copy(
            playlist_id,
            interaction.user.id,
            choices.place_of(interaction),
            self.bot.catalogs.scope(interaction.guild_id),
        )
        await show_playlist(interaction, playlist, tr("Copied: this one is yours to change."))

    @on_press("pl_export", consent=False)
    async def export_pressed(self, interaction: Interaction, playlist_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        playlist = await visible_playlist(interaction, playlist_id)
        await hand_out(self.bot, interaction, playlist, list(FORMATS))

    @on_press("pl_play", consent=False)
    async def play_pressed(self, interaction: Interaction, playlist_id: int, place: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await play_from(interaction, await visible_playlist(interaction, playlist_id), place)

    @on_press("pl_on", consent=False)
    async def play_on(self, interaction: Interaction, playlist_id: int, place: int, side: str) -> None:
        """The next one (side 'f') or the one before; to go on at once says something about what plays."""
        await interaction.response.defer()
        playlist = await visible_playlist(interaction, playlist_id)
        if side == "f":
            here = [
                one.track_id
                for one in await choices.entries_of(interaction, playlist)
                if one.track_id is not None
            ]
            if here:
                await self.bot.history.skipped(interaction.user.id, here[(place - 1) % len(here)])
        await play_from(interaction, playlist, place)

    @on_press("pl_pick")
    async def pick(self, interaction: Interaction, track_id: int) -> None:
        """'Add to playlist' on any track: choose which."""
        own = await self.bot.playlists.of(interaction.user.id)
        card = choose_card(await track_named(interaction, track_id), own)
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("pl_put")
    async def put_pressed(self, interaction: Interaction, playlist_id: int, track_id: int) -> None:
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        card = await put_into(interaction, playlist, await track_named(interaction, track_id))
        await interaction.response.edit_message(view=card)

    @on_press("pl_new")
    async def put_new(self, interaction: Interaction, track_id: int) -> None:
        track = await track_named(interaction, track_id)
        name = await self.bot.playlists.free_name(interaction.user.id, tr("My playlist"))
        playlist = await self.bot.playlists.create(interaction.user.id, name)
        await interaction.response.edit_message(view=await put_into(interaction, playlist, track))

    @on_press("pl_save")
    async def save(self, interaction: Interaction, recommendation_id: int) -> None:
        """'Save' under recommendations: all of them, as a playlist."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        made = await self.bot.recommending.own(interaction.user.id, recommendation_id)
        wanted = (
            tr("For {occasion}", occasion=inside(occasion_label(made.query.occasion)))
            if made.query.occasion
            else tr("For my mood")
        )
        await save_as_playlist(interaction, wanted, [pick.track_id for pick in made.picks])

    # -- put in order, delete ------------------------------------------------------------------------------

    @on_press("pl_edit")
    async def edit(self, interaction: Interaction, playlist_id: int, page: int) -> None:
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        await self.show_edited(interaction, playlist.id, page)

    @on_press("pl_up")
    async def up(self, interaction: Interaction, playlist_id: int, entry_id: int, page: int) -> None:
        await self.shift(interaction, playlist_id, entry_id, page, -1)

    @on_press("pl_down")
    async def down(self, interaction: Interaction, playlist_id: int, entry_id: int, page: int) -> None:
        await self.shift(interaction, playlist_id, entry_id, page, 1)

    @on_press("pl_flow")
    async def let_flow(self, interaction: Interaction, playlist_id: int, page: int) -> None:
        """The order in which tempo, key and loudness change least from track to track; the first stays first."""
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        entries = await choices.entries_of(interaction, playlist)
        by_track = {entry.track_id: entry.id for entry in entries if entry.track_id is not None}
        order = await asyncio.to_thread(
            ordered, await self.bot.catalogs.of(interaction.guild_id), list(by_track)
        )
        await self.bot.playlists.arrange(playlist.id, interaction.user.id, [by_track[one] for one in order])
        await self.show_edited(interaction, playlist.id, page)

    @on_press("pl_drop")
    async def drop(self, interaction: Interaction, playlist_id: int, entry_id: int, page: int) -> None:
        await self.bot.playlists.remove(playlist_id, interaction.user.id, entry_id)
        await self.show_edited(interaction, playlist_id, page)

    async def shift(
        self, interaction: Interaction, playlist_id: int, entry_id: int, page: int, by: int
    ) -> None:
        """Moves an entry `by` places down (-1: up) and shows the page again."""
        order = [entry.id for entry in await self.bot.playlists.entries(playlist_id)]
        place = order.index(entry_id) + 1 if entry_id in order else 0  # `move` says so when it is gone
        await self.bot.playlists.move(playlist_id, interaction.user.id, entry_id, place + by)
        await self.show_edited(interaction, playlist_id, page)

    async def show_edited(self, interaction: Interaction, playlist_id: int, page: int) -> None:
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        card = edit_card(playlist, await choices.entries_of(interaction, playlist), page)
        await interaction.response.edit_message(view=card)

    @on_press("pl_delete")
    async def ask_delete(self, interaction: Interaction, playlist_id: int) -> None:
        playlist = await self.bot.playlists.own(playlist_id, interaction.user.id)
        await interaction.response.edit_message(view=delete_card(playlist))

    @on_press("pl_gone")
    async def really_delete(self, interaction: Interaction, playlist_id: int) -> None:
        playlist = await self.bot.playlists.delete(playlist_id, interaction.user.id)
        card = note_card(tr("Deleted **{name}**. The tracks stay in the library.", name=plain(playlist.name)))
        await interaction.response.edit_message(view=card)
