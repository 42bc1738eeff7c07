"""/playlist: lists of one's own to fill, put in order, listen to, share, and carry to other players and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot import autocomplete as choices
from bot.app import Moodstem
from bot.consent import stores_nothing
from bot.errors import answer_refusals
from bot.features.playlists.cards import (
    choose_card,
    delete_card,
    lists_card,
    player_buttons,
    playlist_card,
    shared_card,
)
from bot.features.playlists.files import bring_in, hand_out
from bot.i18n import inside, tr
from bot.router import Press, on_press
from bot.service.clips import clip
from bot.theme import GOOD, plain
from bot.widgets import Card, note_card
from core.errors import UserError
from core.library.consent import agreed
from core.library.playlist_files import FORMATS
from core.library.playlists import Entry, Playlist
from core.library.tracks import Track
from core.recommend.rules import occasion_label

if TYPE_CHECKING:
    from bot.features.recommend.commands import Recommend

Interaction = discord.Interaction[Moodstem]


class PlaylistCommands(commands.GroupCog, group_name="playlist", group_description="Your playlists."):
    """Keeps members' playlists."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    # -- commands -----------------------------------------------------------------------------------------

    @app_commands.command(description="Make a playlist, empty or with a first track.")
    @app_commands.describe(name="What to call it", track="A first track")
    @app_commands.autocomplete(track=choices.tracks)
    @answer_refusals
    async def create(
        self, interaction: Interaction, name: app_commands.Range[str, 1, 60], track: str | None = None
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        first = [(await choices.chosen_track(interaction, track)).id] if track else []
        await self.show(
            interaction, await self.bot.playlists.create(interaction.user.id, name, first), tr("Made.")
        )

    @app_commands.command(
        name="show", description="One of your playlists, or all of them.", extras=stores_nothing
    )
    @app_commands.describe(playlist="Which one; all when not said")
    @app_commands.autocomplete(playlist=choices.playlists)
    @answer_refusals
    async def show_command(self, interaction: Interaction, playlist: str | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        if playlist:
            await self.show(interaction, await choices.chosen_playlist(interaction, playlist))
        else:
            own = await self.bot.playlists.of(interaction.user.id)
            await interaction.edit_original_response(view=lists_card(own, 0))

    @app_commands.command(description="Put a track into a playlist.")
    @app_commands.describe(playlist="A playlist of yours, or the name of a new one", track="Which track")
    @app_commands.autocomplete(playlist=choices.playlists_or_new, track=choices.tracks)
    @answer_refusals
    async def add(self, interaction: Interaction, playlist: str, track: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await choices.chosen_track(interaction, track)
        try:
            chosen = await choices.chosen_playlist(interaction, playlist)
        except UserError:
            if playlist.startswith("list:"):
                raise
            chosen = await self.bot.playlists.create(interaction.user.id, playlist)
        await interaction.edit_original_response(view=await self.put(interaction, chosen, found))

    @app_commands.command(description="Take a track out of a playlist.")
    @app_commands.describe(playlist="Which playlist", track="Which of its tracks")
    @app_commands.autocomplete(playlist=choices.playlists, track=choices.entries)
    @answer_refusals
    async def remove(self, interaction: Interaction, playlist: str, track: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        entry = choices.chosen_entry(await choices.entries_of(interaction, chosen), track)
        await self.bot.playlists.remove(chosen.id, interaction.user.id, entry.id)
        await self.show(interaction, chosen, tr("Removed {title}.", title=plain(entry.title)))

    @app_commands.command(description="Put a track of a playlist at another place.")
    @app_commands.describe(
        playlist="Which playlist", track="Which of its tracks", place="Its new place, from 1"
    )
    @app_commands.autocomplete(playlist=choices.playlists, track=choices.entries)
    @answer_refusals
    async def move(
        self,
        interaction: Interaction,
        playlist: str,
        track: str,
        place: app_commands.Range[int, 1, 500],
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        entry = choices.chosen_entry(await choices.entries_of(interaction, chosen), track)
        now = await self.bot.playlists.move(chosen.id, interaction.user.id, entry.id, place)
        await self.show(
            interaction, chosen, tr("{title} is number {now} now.", title=plain(entry.title), now=now)
        )

    @app_commands.command(description="Give a playlist another name.")
    @app_commands.describe(playlist="Which playlist", name="Its new name")
    @app_commands.autocomplete(playlist=choices.playlists)
    @answer_refusals
    async def rename(
        self, interaction: Interaction, playlist: str, name: app_commands.Range[str, 1, 60]
    ) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await self.show(
            interaction, await self.bot.playlists.rename(chosen.id, interaction.user.id, name), tr("Renamed.")
        )

    @app_commands.command(description="Delete a playlist.")
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    @answer_refusals
    async def delete(self, interaction: Interaction, playlist: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await interaction.edit_original_response(view=delete_card(chosen))

    @app_commands.command(description="Show a playlist to everybody in this channel.")
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    @answer_refusals
    async def share(self, interaction: Interaction, playlist: str) -> None:
        await self.post(interaction, await choices.chosen_playlist(interaction, playlist))

    @app_commands.command(description="A playlist as files for other players.")
    @app_commands.describe(playlist="Which playlist", form="Which kind of file; all when not said")
    @app_commands.rename(form="format")
    @app_commands.autocomplete(playlist=choices.playlists)
    @app_commands.choices(form=[app_commands.Choice(name=name, value=form) for form, name in FORMATS.items()])
    @answer_refusals
    async def export(self, interaction: Interaction, playlist: str, form: str | None = None) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await choices.chosen_playlist(interaction, playlist)
        await hand_out(self.bot, interaction, chosen, [form] if form else list(FORMATS))

    @app_commands.command(name="import", description="A playlist from a file: M3U, M3U8, XSPF or JSPF.")
    @app_commands.describe(file="The file", name="What to call it; the file's own name when not said")
    @answer_refusals
    async def import_(
        self,
        interaction: Interaction,
        file: discord.Attachment,
        name: app_commands.Range[str, 1, 60] | None = None,
    ) -> None:
        await bring_in(self.bot, interaction, file, name)

    @app_commands.command(
        description="Listen to a playlist, half a minute of each track.", extras=stores_nothing
    )
    @app_commands.describe(playlist="Which playlist")
    @app_commands.autocomplete(playlist=choices.playlists)
    @answer_refusals
    async def play(self, interaction: Interaction, playlist: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.listen(interaction, await choices.chosen_playlist(interaction, playlist), 0)

    # -- buttons: look, share, take along -----------------------------------------------------------------

    @on_press("pl_lists", consent=False)
    async def turn_lists(self, interaction: Interaction, page: str) -> None:
        own = await self.bot.playlists.of(interaction.user.id)
        await interaction.response.edit_message(view=lists_card(own, int(page)))

    @on_press("pl_page", consent=False)
    async def turn(self, interaction: Interaction, playlist_id: str, page: str) -> None:
        playlist = await self.visible(interaction, playlist_id)
        await interaction.response.edit_message(view=await self.card(interaction, playlist, int(page)))

    @on_press("pl_show", consent=False)
    async def show_pressed(self, interaction: Interaction, playlist_id: str) -> None:
        playlist = await self.visible(interaction, playlist_id)
        await interaction.response.send_message(view=await self.card(interaction, playlist), ephemeral=True)

    @on_press("pl_share")
    async def share_pressed(self, interaction: Interaction, playlist_id: str) -> None:
        await self.post(interaction, await self.bot.playlists.own(int(playlist_id), interaction.user.id))

    @on_press("pl_unshare")
    async def unshare(self, interaction: Interaction, playlist_id: str) -> None:
        playlist = await self.bot.playlists.unshare(int(playlist_id), interaction.user.id)
        note = tr("Only you see it now; cards that were posted stop working.")
        await interaction.response.edit_message(view=await self.card(interaction, playlist, note=note))

    @on_press("pl_copy")
    async def copy(self, interaction: Interaction, playlist_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        playlist = await self.bot.playlists.copy(
            int(playlist_id),
            interaction.user.id,
            choices.place_of(interaction),
            self.bot.catalogs.scope(interaction.guild_id),
        )
        await self.show(interaction, playlist, tr("Copied: this one is yours to change."))

    @on_press("pl_export", consent=False)
    async def export_pressed(self, interaction: Interaction, playlist_id: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        playlist = await self.visible(interaction, playlist_id)
        await hand_out(self.bot, interaction, playlist, list(FORMATS))

    @on_press("pl_play", consent=False)
    async def play_pressed(self, interaction: Interaction, playlist_id: str, place: str) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.listen(interaction, await self.visible(interaction, playlist_id), int(place))

    @on_press("pl_on", consent=False)
    async def play_on(self, interaction: Interaction, playlist_id: str, place: str, side: str) -> None:
        """The next one (side 'f') or the one before; to go on at once says something about what plays."""
        await interaction.response.defer()
        playlist = await self.visible(interaction, playlist_id)
        if side == "f":
            here = [
                one.track_id
                for one in await choices.entries_of(interaction, playlist)
                if one.track_id is not None
            ]
            if here:
                await self.bot.history.skipped(interaction.user.id, here[(int(place) - 1) % len(here)])
        await self.listen(interaction, playlist, int(place))

    # -- buttons: fill ------------------------------------------------------------------------------------

    @on_press("pl_pick")
    async def pick(self, interaction: Interaction, track_id: str) -> None:
        """'Add to playlist' on any track: choose which."""
        own = await self.bot.playlists.of(interaction.user.id)
        card = choose_card(await self.track(interaction, track_id), own)
        await interaction.response.send_message(view=card, ephemeral=True)

    @on_press("pl_put")
    async def put_pressed(self, interaction: Interaction, playlist_id: str, track_id: str) -> None:
        playlist = await self.bot.playlists.own(int(playlist_id), interaction.user.id)
        card = await self.put(interaction, playlist, await self.track(interaction, track_id))
        await interaction.response.edit_message(view=card)

    @on_press("pl_new")
    async def put_new(self, interaction: Interaction, track_id: str) -> None:
        track = await self.track(interaction, track_id)
        name = await self.bot.playlists.free_name(interaction.user.id, tr("My playlist"))
        playlist = await self.bot.playlists.create(interaction.user.id, name)
        await interaction.response.edit_message(view=await self.put(interaction, playlist, track))

    @on_press("pl_save")
    async def save(self, interaction: Interaction, recommendation_id: str) -> None:
        """'Save' under recommendations: all of them, as a playlist."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        recommend = cast("Recommend", self.bot.get_cog("Recommend"))
        made = await recommend.own(interaction, recommendation_id)
        wanted = (
            tr("For {occasion}", occasion=inside(occasion_label(made.occasion)))
            if made.occasion
            else tr("For my mood")
        )
        name = await self.bot.playlists.free_name(interaction.user.id, wanted)
        tracks = [pick.track_id for pick in made.picks]
        playlist = await self.bot.playlists.create(interaction.user.id, name, tracks)
        await self.show(interaction, playlist, tr("Saved; give it another name with /playlist rename."))

    # -- what these share ---------------------------------------------------------------------------------

    async def put(self, interaction: Interaction, playlist: Playlist, track: Track) -> Card:
        """Add the track and say so."""
        added = await self.bot.playlists.add(playlist.id, interaction.user.id, [track.id])
        names = {"title": plain(track.title), "playlist": plain(playlist.name)}
        return note_card(
            tr("**{title}** is in **{playlist}** now.", **names)
            if added
            else tr("**{title}** is in **{playlist}** already.", **names),
            Press("pl_show", playlist.id, label=tr("Open it")),
            colour=GOOD,
        )

    async def show(self, interaction: Interaction, playlist: Playlist, note: str | None = None) -> None:
        """In place of the deferred answer."""
        playlist = await self.visible(interaction, playlist.id)
        await interaction.edit_original_response(view=await self.card(interaction, playlist, note=note))

    async def card(
        self, interaction: Interaction, playlist: Playlist, page: int = 0, note: str | None = None
    ) -> Card:
        """For somebody else's eyes without the owner's buttons, and with those tracks only that are found here."""
        entries = await choices.entries_of(interaction, playlist)
        own = playlist.user_id == interaction.user.id
        if not own:
            playlist = counted_as(playlist, entries)
        return playlist_card(playlist, entries, page, own=own, note=note)

    async def visible(self, interaction: Interaction, playlist_id: int | str) -> Playlist:
        """One's own, or one that was shared here. Raises UserError."""
        return await self.bot.playlists.visible(
            int(playlist_id), interaction.user.id, choices.place_of(interaction)
        )

    async def post(self, interaction: Interaction, playlist: Playlist) -> None:
        """For everybody here; from now on whoever has this card may look and listen."""
        entries = await choices.entries_of(interaction, playlist, all_=True)
        if not entries:
            raise UserError(tr("There is nothing in this playlist yet; add a track before you share it."))
        playlist = await self.bot.playlists.share(
            playlist.id, interaction.user.id, choices.place_of(interaction)
        )
        await interaction.response.send_message(view=shared_card(counted_as(playlist, entries), entries))

    async def listen(self, interaction: Interaction, playlist: Playlist, place: int) -> None:
        """Half a minute of one track of the list, with buttons to go on; in place of the deferred answer."""
        entries = await choices.entries_of(interaction, playlist)
        here = [entry for entry in entries if entry.track_id is not None]
        if not here:
            raise UserError(tr("Nothing of this playlist is in the library now; add a track first."))
        place %= len(here)
        track = await self.track(interaction, str(here[place].track_id))
        sound = await clip(self.bot.settings, track)
        if await agreed(self.bot.database, interaction.user.id):
            await self.bot.history.played(interaction.user.id, track.id)
        by = f" · {plain(track.artist)}" if track.artist else ""
        await interaction.edit_original_response(
            content=tr(
                "▶️ **{title}**{by}\n-# {place} of {count} in {name}",
                title=plain(track.title),
                by=by,
                place=place + 1,
                count=len(here),
                name=plain(playlist.name),
            ),
            attachments=[sound],
            view=player_buttons(playlist, place, len(here), track.id),
        )

    async def track(self, interaction: Interaction, track_id: str) -> Track:
        """Raises UserError where it is gone, or of another server's library."""
        track = await self.bot.catalogs.track(interaction.guild_id, interaction.user.id, track_id)
        if track is None:
            raise UserError(
                tr("This track is no longer in the library here; find another with /library search.")
            )
        return track


def counted_as(playlist: Playlist, entries: Sequence[Entry]) -> Playlist:
    """The list with the numbers of these entries, which are all that somebody sees."""
    return replace(playlist, count=len(entries), duration_s=sum(entry.duration_s for entry in entries))


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(PlaylistCommands(bot))
