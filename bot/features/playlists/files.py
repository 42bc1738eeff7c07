"""Playlists to other players and back: files that are handed out, and files that are read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import discord

from bot.app import Interaction, Moodstem
from bot.autocomplete import entries_of
from bot.features.playlists.cards import import_card
from bot.service.listening import file_name
from bot.theme import plain
from bot.widgets import attached
from bot.words.i18n import tr
from core.errors import Refusal
from core.library.matching import match
from core.library.playlist_files import MOST_BYTES, item_of, read, write
from core.library.playlists import MOST_ENTRIES, Playlist


async def bring_in(
    bot: Moodstem, interaction: Interaction, file: discord.Attachment, name: str | None
) -> None:
    """A playlist from a file, of what is in the library, in place of the deferred answer. Raises UserError."""
    if file.size > MOST_BYTES:
        raise Refusal("playlist-file-too-large", most=MOST_BYTES // 1_000_000)
    try:
        data = await file.read()
    except discord.HTTPException as error:
        raise Refusal("file-not-handed-over") from error
    found = await asyncio.to_thread(read, data)
    matches = await match(bot.database, bot.catalogs.scope(interaction.guild_id), found.items)
    tracks = list(dict.fromkeys(one.track_id for one in matches if one.track_id is not None))
    title = name or found.name or file.filename.rpartition(".")[0] or tr("Imported")
    playlists, playlist = bot.playlists, None
    if tracks:
        free = await playlists.free_name(interaction.user.id, title)
        playlist = await playlists.create(interaction.user.id, free, tracks[:MOST_ENTRIES])
    card = import_card(playlist, title, matches, found.left_out + max(len(tracks) - MOST_ENTRIES, 0))
    missing = [one.item.label for one in matches if one.track_id is None]
    files = [_text_file("not-found.txt", "\n".join(missing))] if missing else []
    await interaction.edit_original_response(view=card, attachments=files)


async def hand_out(bot: Moodstem, interaction: Interaction, playlist: Playlist, forms: Sequence[str]) -> None:
    """The playlist as a file of each form, in place of the deferred answer. Raises UserError when it is empty."""
    entries = await entries_of(interaction, playlist)
    if not entries:
        raise Refusal("export-empty")
    items = [item_of(entry) for entry in entries]
    name = file_name(playlist.name)
    await interaction.edit_original_response(
        content=tr(
            "**{name}** for other players. `/playlist import` reads each of them.", name=plain(playlist.name)
        ),
        attachments=[attached(write(playlist.name, items, form), f"{name}.{form}") for form in forms],
    )


def _text_file(name: str, content: str) -> discord.File:
    return attached(content.encode(), name)
