"""What commands and buttons of playlists have in common, and what other features show of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot import autocomplete as choices
from bot.app import Interaction
from bot.features.listen.commands import preview_file, track_named
from bot.features.playlists.cards import player_buttons, playlist_card, shared_card
from bot.posted import post
from bot.router import Press
from bot.theme import GOOD, plain
from bot.widgets import Card, note_card
from bot.words.i18n import tr
from core.errors import Refusal
from core.library.playlists import Entry, Playlist
from core.library.tracks import Track


async def save_as_playlist(interaction: Interaction, wanted: str, track_ids: Sequence[int]) -> None:
    """Tracks that were chosen for the member as a playlist of theirs, in place of the deferred answer."""
    playlists = interaction.client.playlists
    name = await playlists.free_name(interaction.user.id, wanted)
    playlist = await playlists.create(interaction.user.id, name, track_ids)
    note = tr("Saved; give it another name with /playlist rename.")
    await show_playlist(interaction, playlist, note)


async def put_into(interaction: Interaction, playlist: Playlist, track: Track) -> Card:
    """Add the track and say so."""
    added = await interaction.client.playlists.add(playlist.id, interaction.user.id, [track.id])
    names = {"title": plain(track.title), "playlist": plain(playlist.name)}
    return note_card(
        tr("**{title}** is in **{playlist}** now.", **names)
        if added
        else tr("**{title}** is in **{playlist}** already.", **names),
        Press("pl_show", playlist.id, label=tr("Open it")),
        colour=GOOD,
    )


async def show_playlist(interaction: Interaction, playlist: Playlist, note: str | None = None) -> None:
    """In place of the deferred answer."""
    playlist = await visible_playlist(interaction, playlist.id)
    await interaction.edit_original_response(view=await playlist_view(interaction, playlist, note=note))


async def playlist_view(
    interaction: Interaction, playlist: Playlist, page: int = 0, note: str | None = None
) -> Card:
    """For somebody else's eyes without the owner's buttons, and with those tracks only that are found here."""
    entries = await choices.entries_of(interaction, playlist)
    own = playlist.user_id == interaction.user.id
    if not own:
        playlist = counted_as(playlist, entries)
    return playlist_card(playlist, entries, page, own=own, note=note)


async def visible_playlist(interaction: Interaction, playlist_id: int) -> Playlist:
    """One's own, or one that was shared here. Raises UserError."""
    return await interaction.client.playlists.visible(
        playlist_id, interaction.user.id, choices.place_of(interaction)
    )


async def post_playlist(interaction: Interaction, playlist: Playlist) -> None:
    """For everybody here; from now on whoever has this card may look and listen."""
    entries = await choices.entries_of(interaction, playlist, all_=True)
    if not entries:
        raise Refusal("share-empty")
    playlist = await interaction.client.playlists.share(
        playlist.id, interaction.user.id, choices.place_of(interaction)
    )
    tracks = [entry.track_id for entry in entries if entry.track_id is not None]
    await post(interaction, shared_card(counted_as(playlist, entries), entries), tracks)


async def play_from(interaction: Interaction, playlist: Playlist, place: int) -> None:
    """Half a minute of one track of the list, with buttons to go on; in place of the deferred answer."""
    entries = await choices.entries_of(interaction, playlist)
    here = [entry for entry in entries if entry.track_id is not None]
    if not here:
        raise Refusal("play-empty")
    place %= len(here)
    track = await track_named(interaction, here[place].track_id or 0)
    sound = await preview_file(interaction.client, track)
    await interaction.client.listening.heard(interaction.user.id, track.id)
    names = {"title": plain(track.title), "by": f" · {plain(track.artist)}" if track.artist else ""}
    at = {"place": place + 1, "count": len(here), "name": plain(playlist.name)}
    await interaction.edit_original_response(
        content=tr("▶️ **{title}**{by}\n-# {place} of {count} in {name}", **names, **at),
        attachments=[sound],
        view=player_buttons(playlist, place, len(here), track.id),
    )


def counted_as(playlist: Playlist, entries: Sequence[Entry]) -> Playlist:
    """The list with the numbers of these entries, which are all that somebody sees."""
    return replace(playlist, count=len(entries), duration_s=sum(entry.duration_s for entry in entries))
