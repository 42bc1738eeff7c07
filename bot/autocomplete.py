"""What an option offers while somebody types: tracks, genres, keys, one's playlists and their entries.

A choice's value says what it is ('track:12', 'list:3', 'entry:9'); whoever ignores the choices and sends a text of
their own is understood as well.
"""

from __future__ import annotations

from discord import app_commands

from bot.app import Interaction
from bot.errors import guard_autocomplete
from bot.router import whole
from bot.theme import clock
from bot.words.i18n import tr, trn
from bot.words.named import words
from core.audio.types import STEMS
from core.errors import Refusal
from core.library import search
from core.library.playlists import Entry, Playlist
from core.library.query import fold, keys, parse_key
from core.library.tracks import Track

MOST, LONGEST = 25, 100
"""Choices that Discord shows, and characters of each."""

Interaction = Interaction
Choices = list[app_commands.Choice[str]]


def offered(table: str) -> Choices:
    """What an option offers that has a table of words.toml."""
    return [app_commands.Choice(name=text, value=name) for name, text in words(table).items()]


INSTRUMENTS = [app_commands.Choice(name=stem, value=stem) for stem in STEMS if stem != "other"]
"""What an option that names an instrument offers."""


@guard_autocomplete
async def tracks(interaction: Interaction, current: str) -> Choices:
    """Tracks of this server's library, as 'track:ID'; what was typed stays a title."""
    return await _tracks_here(interaction, current)


async def _tracks_here(interaction: Interaction, current: str) -> Choices:
    bot = interaction.client
    found = await search.complete(bot.database, bot.catalogs.scope(interaction.guild_id), current, limit=MOST)
    return [
        choice(named(track.title, track.artist, track.duration_s), f"track:{track.id}") for track in found
    ]


@guard_autocomplete
async def tracks_and_own(interaction: Interaction, current: str) -> Choices:
    """The member's own uploads first, whether others can find them or not, then the library."""
    own = await search.uploads_of(interaction.client.database, interaction.user.id)
    wanted = fold(current.strip())
    found = [
        choice(f"⬆️ {named(track.title, track.artist, track.duration_s)}", f"track:{track.id}")
        for track in own
        if wanted in fold(f"{track.title} {track.artist or ''}")
    ]
    mine = {one.value for one in found}
    return [*found, *(one for one in await _tracks_here(interaction, current) if one.value not in mine)][
        :MOST
    ]


@guard_autocomplete
async def titles(interaction: Interaction, current: str) -> Choices:
    """Titles to search for; their value is text, since a search is."""
    bot = interaction.client
    found = await search.complete(bot.database, bot.catalogs.scope(interaction.guild_id), current, limit=MOST)
    texts = {
        f"{track.title} {track.artist or ''}".strip(): named(track.title, track.artist) for track in found
    }
    return [choice(name, text) for text, name in texts.items()]


@guard_autocomplete
async def genres(interaction: Interaction, current: str) -> Choices:
    """Genres that this server's tracks have."""
    bot = interaction.client
    found = await search.genres(bot.database, bot.catalogs.scope(interaction.guild_id), current, limit=MOST)
    return [choice(genre, genre) for genre in found]


@guard_autocomplete
async def musical_keys(interaction: Interaction, current: str) -> Choices:
    """Keys that begin with what was typed, or that it may mean: 'd' offers both D major and D minor."""
    asked, wanted = parse_key(current), fold(current.strip())
    fitting = [
        key
        for key in keys()
        if fold(str(key)).startswith(wanted)
        or (asked and asked.tonic in (None, key.tonic) and asked.mode in (None, key.mode))
    ]
    return [choice(str(key) if key.tonic else tr("any {key}", key=key), str(key)) for key in fitting[:MOST]]


@guard_autocomplete
async def playlists(interaction: Interaction, current: str) -> Choices:
    """The member's own, as 'list:ID'."""
    return await _own_playlists(interaction, current)


async def _own_playlists(interaction: Interaction, current: str) -> Choices:
    found, wanted = await interaction.client.playlists.of(interaction.user.id), fold(current.strip())
    return [
        choice(
            f"{playlist.name} ({trn('{count} track', '{count} tracks', playlist.count)})",
            f"list:{playlist.id}",
        )
        for playlist in found
        if wanted in fold(playlist.name)
    ][:MOST]


@guard_autocomplete
async def playlists_or_new(interaction: Interaction, current: str) -> Choices:
    """One's playlists, and to make one of the name that was typed."""
    found = await _own_playlists(interaction, current)
    name = current.strip()
    if name and await interaction.client.playlists.named(interaction.user.id, name) is None:
        found = [*found[: MOST - 1], choice(tr("➕ New playlist “{name}”", name=name), name)]
    return found


async def entries_of(interaction: Interaction, playlist: Playlist, *, all_: bool = False) -> list[Entry]:
    """The places of a list as the member finds them here; `all_`: as everybody here does."""
    bot = interaction.client
    viewer = 0 if all_ else interaction.user.id
    return await bot.playlists.seen(playlist, bot.catalogs.scope(interaction.guild_id), viewer)


def place_of(interaction: Interaction) -> int:
    """Where a playlist is shared: this server, or this direct message."""
    return interaction.guild_id or interaction.channel_id or 0


@guard_autocomplete
async def entries(interaction: Interaction, current: str) -> Choices:
    """The entries of the playlist that another option names."""
    playlist = await chosen_playlist(interaction, str(getattr(interaction.namespace, "playlist", "") or ""))
    wanted = fold(current.strip())
    return [
        choice(f"{place}. {named(entry.title, entry.artist)}", f"entry:{entry.id}")
        for place, entry in enumerate(await entries_of(interaction, playlist), 1)
        if wanted in fold(f"{place}. {entry.title} {entry.artist or ''}")
    ][:MOST]


async def chosen_track(interaction: Interaction, value: str) -> Track:
    """The track that an option means: a choice, or the best match of what was typed. Raises UserError."""
    bot = interaction.client
    scope = bot.catalogs.scope(interaction.guild_id)
    if (track_id := _id(value, "track")) is not None:
        track = await search.visible(bot.database, scope, track_id)
        if track is None:
            raise Refusal("choice-gone")
        return track
    found = await search.complete(bot.database, scope, value, limit=1) if value.strip() else []
    if not found:
        raise Refusal("no-such-title")
    return found[0]


async def chosen_track_or_own(interaction: Interaction, value: str) -> Track:
    """As `chosen_track`, and what the member uploaded. Raises UserError."""
    for track in await search.uploads_of(interaction.client.database, interaction.user.id):
        if value in (f"track:{track.id}", track.title):
            return track
    return await chosen_track(interaction, value)


async def chosen_playlist(interaction: Interaction, value: str) -> Playlist:
    """The member's own playlist that an option means: a choice, or a name. Raises UserError."""
    lists = interaction.client.playlists
    if (playlist_id := _id(value, "list")) is not None:
        return await lists.own(playlist_id, interaction.user.id)
    playlist = await lists.named(interaction.user.id, value)
    if playlist is None:
        raise Refusal("no-such-playlist")
    return playlist


def chosen_entry(entries: list[Entry], value: str) -> Entry:
    """The entry that an option means: a choice, a place, or a part of the title. Raises UserError."""
    kind, _, number = value.partition(":")
    for place, entry in enumerate(entries, 1):
        if (kind == "entry" and number == str(entry.id)) or value.strip().rstrip(".") == str(place):
            return entry
    wanted = fold(value.strip())
    for entry in entries:
        if wanted and kind != "entry" and wanted in fold(entry.title):
            return entry
    raise Refusal("no-such-entry")


def _id(value: str, kind: str) -> int | None:
    """The id that a choice of this kind says ('track:12'); None for a text that was typed."""
    return whole(value.removeprefix(f"{kind}:")) if value.startswith(f"{kind}:") else None


def choice(name: str, value: str) -> app_commands.Choice[str]:
    """One of them, cut to what Discord takes."""
    return app_commands.Choice(name=_cut(name) or "–", value=value[:LONGEST])


def named(title: str, artist: str | None, duration_s: float | None = None) -> str:
    """'Title · Artist (3:07)', cut so that the length still shows."""
    length = f" ({clock(duration_s)})" if duration_s is not None else ""
    text = f"{title} · {artist}" if artist else title
    return _cut(text, LONGEST - len(length)) + length


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
