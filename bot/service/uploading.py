"""Uploads: from a member's file to a job, into the library and out of it, and to nothing left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal
from weakref import WeakValueDictionary

from bot.service import downloads
from core.audio.length import probable_seconds
from core.errors import Refusal
from core.library.database import Database
from core.library.guild_limits import limits_of
from core.library.tags import one_line
from core.library.tracks import Library, Track, picture_name
from core.settings import Settings
from core.spoken import spoken
from jobs.configure import quotas
from jobs.kinds import analyse
from jobs.model import INTERACTIVE, Job
from jobs.queue import Alongside, Queue

MB = 1_000_000


class Uploading:
    """What members may do with their uploads; `guild_id` None is a direct message."""

    def __init__(self, settings: Settings, database: Database, queue: Queue, library: Library) -> None:
        self.settings = settings
        self.database = database
        self.queue = queue
        self.library = library
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def check_size(self, size: int, limit_mb: float | None = None) -> None:
        """Raises UserError for what needs no look into the file; by the operator's limit where no other is given."""
        limit_mb = self.settings.limits.upload_mb if limit_mb is None else limit_mb
        if size == 0:
            raise Refusal("upload-empty")
        if size > limit_mb * MB:
            raise Refusal("upload-too-large", limit_mb=limit_mb)

    async def take(
        self,
        name: str,
        size: int,
        read: downloads.Read,
        *,
        user_id: int,
        guild_id: int | None,
        words: dict[str, str],
        key: str,
        alongside: Alongside,
    ) -> Job:
        """Store the file and enqueue its analysis, or neither; the same `key` is the same upload. Raises UserError."""
        # One after the other for each member: a hundred at once are refused before they are fetched.
        async with self._turns.setdefault(user_id, asyncio.Lock()):
            here = await limits_of(self.database, guild_id, self.settings.limits)
            self.check_size(size, here.upload_mb)
            limits = quotas(here)
            await self.queue.admit("analyse", limits, user_id=user_id, guild_id=guild_id)
            kept = await downloads.keep(read, size, self.settings.uploads, limit=int(here.upload_mb * MB))
            try:
                job = await self.queue.enqueue(
                    "analyse",
                    analyse.Spec(
                        kept.path.name,
                        one_line(name) or "Untitled",
                        kept_back=self.settings.library.uploads_join == "when asked",
                        language=spoken(),
                        words=words,
                    ),
                    user_id=user_id,
                    guild_id=guild_id,
                    priority=INTERACTIVE,
                    cost=await asyncio.to_thread(probable_seconds, kept.path),
                    dedup=key,
                    once=True,
                    subject=f"audio:{kept.digest}",
                    limits=limits,
                    alongside=alongside,
                )
            except BaseException:
                kept.path.unlink(missing_ok=True)
                raise
            if analyse.KIND.spec(job).path != kept.path.name:
                kept.path.unlink(missing_ok=True)
            return job

    async def track_of(self, job: Job) -> Track | None:
        """Return the track that an upload has become, unless it was removed."""
        if job.kind != analyse.KIND.name or job.state != "done":
            return None
        return await self.library.result_of_upload(analyse.KIND.result(job).track_id, job.user_id)

    async def list_(self, job: Job, user_id: int, listed: bool) -> None:
        """Add one's upload to the library, or take it out; where the operator allows it. Raises UserError."""
        track = await self.track_of(job)
        if track is None or not track.source.member_owned:
            raise Refusal("nothing-to-list")
        if listed and not self.settings.library.recommend_uploads:
            raise Refusal("uploads-not-listed")
        if listed and job.user_id != user_id:
            raise Refusal("upload-not-yours")
        if await self.library.upload_guild(track.id) is None:
            raise Refusal("upload-without-library")
        await self.library.set_listed(track.id, listed)

    async def remove(self, job: Job, user_id: int) -> Literal["removed", "kept", "gone"]:
        """Forget an upload's track, audio and pictures; of a recording that others uploaded too, only the user's claim.

        An admin's word counts for all who uploaded it.

        Raises UserError when the recording is the library's own.
        """
        track = await self.track_of(job)
        if track is None:
            return "gone"
        if not track.source.member_owned:
            raise Refusal("recording-stays")
        if not await self.library.disclaim(track.id, user_id if job.user_id == user_id else None):
            return "kept"
        await asyncio.to_thread(
            _unlink,
            self.settings.data / track.path,
            self.settings.previews / f"{track.content_hash}.ogg",
            *self.settings.stems.glob(f"{track.content_hash[:32]}-*.zip"),
            *self.settings.pictures.glob(picture_name(track.content_hash, "*", "*")),
        )
        return "removed"


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
