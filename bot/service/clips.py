"""Thirty seconds of a track, ready to send."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING

import discord

from core.audio.preview import preview
from core.errors import UserError

if TYPE_CHECKING:
    from core.library.tracks import Track
    from core.settings import Settings


async def clip(settings: Settings, track: Track) -> discord.File:
    """The preview as an ordinary attachment: Discord shows its player for those. Raises UserError."""
    sound = await asyncio.to_thread(preview, audio(settings, track), settings.previews, track.content_hash)
    return discord.File(io.BytesIO(sound), filename=f"{file_name(track.title)}.ogg")


def audio(settings: Settings, track: Track) -> Path:
    """The track's file. Raises UserError when it is gone."""
    path = track.source.locate(track.path, settings)
    if not path.is_file() and track.source.member_owned:
        days = settings.retention.uploads_days
        raise UserError(
            "Uploads are kept for {days} days, and this one is gone; upload it again to hear it.", days=days
        )
    if not path.is_file():
        raise UserError(
            "The audio of “{title}” is not where it was; ask an admin to run /reindex.", title=track.title
        )
    return path


def file_name(title: str) -> str:
    """Letters, digits and hyphens of the title, so that no client stumbles over the attachment's name."""
    return (
        "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in title).split())[:60] or "preview"
    )
