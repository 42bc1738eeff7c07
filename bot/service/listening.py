"""Thirty seconds of a track to hear, and the note that it was heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from core.audio.preview import preview
from core.errors import Refusal
from core.library.consent import agreed
from core.library.database import Database
from core.library.history import History
from core.library.tracks import Track
from core.settings import Settings


@dataclass(frozen=True)
class Listening:
    """Makes previews of tracks and remembers what was heard."""

    settings: Settings
    database: Database
    history: History

    async def preview(self, track: Track) -> bytes:
        """Return half a minute of the track as Ogg. Raises UserError when its audio is gone."""
        audio = await asyncio.to_thread(self.audio, track)
        return await asyncio.to_thread(preview, audio, self.settings.previews, track.content_hash)

    def audio(self, track: Track) -> Path:
        """Return the track's file. Raises UserError when it is gone."""
        path = track.source.locate(track.path, self.settings)
        if not path.is_file() and track.source.member_owned:
            raise Refusal("upload-not-kept", days=self.settings.retention.uploads_days)
        if not path.is_file():
            raise Refusal("audio-not-there", title=track.title)
        return path

    async def heard(self, user_id: int, track_id: int) -> None:
        """Remember that the member was played the track, if they agreed to that."""
        if await agreed(self.database, user_id):
            await self.history.played(user_id, track_id)


def file_name(title: str) -> str:
    """Return letters, digits and hyphens of the title, so that no client stumbles over an attachment's name."""
    return (
        "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in title).split())[:60] or "preview"
    )
