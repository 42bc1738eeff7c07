"""/upload: a track goes into the queue; one card follows it to its result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from weakref import WeakValueDictionary

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from bot.i18n import spoken, tr
from bot.router import on_press
from bot.service import downloads
from bot.widgets import note_card
from core.audio.length import probable_seconds
from core.errors import UserError
from core.library.guild_limits import limits_of
from core.library.tracks import Track, picture_name
from jobs.configure import quotas
from jobs.kinds import analyse
from jobs.model import INTERACTIVE, Job

MB = 1_000_000


class Upload(commands.Cog):
    """Takes a track, has it separated and analysed, and shows what it found."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @app_commands.command(
        description="Have a track analysed: its instruments, its sound, and what goes with it."
    )
    @app_commands.describe(track="An audio file (mp3, flac, ogg, wav, m4a ...)")
    @answer_refusals
    async def upload(self, interaction: discord.Interaction[Moodstem], track: discord.Attachment) -> None:
        await self.take(interaction, track)

    async def take(self, interaction: discord.Interaction[Moodstem], track: discord.Attachment) -> None:
        """Put the file into the queue and show its card, wherever it came from. Raises UserError."""
        refuse(track, self.bot.settings.limits.upload_mb)  # what needs no look into the database
        await interaction.response.defer(ephemeral=True, thinking=True)
        # One after the other for each member: a hundred at once are refused before they are fetched.
        async with self.turns.setdefault(interaction.user.id, asyncio.Lock()):
            job = await self.enqueue(interaction, track)
        await self.bot.job_cards.open(interaction, job)

    async def enqueue(self, interaction: discord.Interaction[Moodstem], track: discord.Attachment) -> Job:
        """The file onto our disk and its job into the queue, or neither."""
        user, guild = interaction.user.id, interaction.guild_id
        here = await limits_of(self.bot.database, guild, self.bot.settings.limits)
        refuse(track, here.upload_mb)
        limits = quotas(here)
        await self.bot.queue.admit("analyse", limits, user_id=user, guild_id=guild)
        kept = await downloads.keep(
            track,
            self.bot.settings.uploads,
            self.bot.http,
            limit=int(here.upload_mb * MB),
        )
        try:
            job = await self.bot.queue.enqueue(
                "analyse",
                analyse.Spec(
                    kept.path.name,
                    track.filename,
                    kept_back=self.bot.settings.library.uploads_join == "when asked",
                    language=spoken(),
                ),
                user_id=user,
                guild_id=guild,
                priority=INTERACTIVE,
                cost=await asyncio.to_thread(probable_seconds, kept.path),
                dedup=f"interaction:{interaction.id}",  # Discord may deliver an interaction twice
                once=True,
                subject=f"audio:{kept.digest}",
                limits=limits,
                alongside=self.bot.job_cards.promise(interaction),
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
        return await self.bot.library.get(analyse.KIND.result(job).track_id)

    @on_press("upload_list")
    async def list_(self, interaction: discord.Interaction[Moodstem], job_id: str, listed: str) -> None:
        """Add one's upload to the library, or take it out; where the operator allows it."""
        job = await self.bot.job_cards.own_job(interaction, int(job_id))
        track = await self.track_of(job)
        if track is None or not track.source.member_owned:
            raise UserError("This recording is part of the library anyway, or no longer here.")
        if listed == "1" and not self.bot.settings.library.recommend_uploads:
            raise UserError("Whoever runs me keeps uploads out of the library; ask them to allow it.")
        if listed == "1" and job.user_id != interaction.user.id:
            raise UserError("Only who uploaded this can add it to the library.")
        if await self.bot.library.upload_guild(track.id) is None:
            raise UserError(
                "What you sent me in a direct message is in no library; upload it in a server to have it in that server's."
            )
        await interaction.response.defer()
        await self.bot.library.set_listed(track.id, listed == "1")
        view, files = await self.bot.job_cards.draw(job, interaction.guild_id)
        await interaction.edit_original_response(view=view, attachments=files)

    @on_press("upload_remove", consent=False)
    async def remove(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        """Forget an uploaded track and its audio; the uploader's and the admins' right."""
        job = await self.bot.job_cards.own_job(interaction, int(job_id))
        track = await self.track_of(job)
        if track is not None and track.source.member_owned:
            await self.bot.library.remove(track.id)
            await asyncio.to_thread(
                _unlink,
                self.bot.settings.data / track.path,
                self.bot.settings.previews / f"{track.content_hash}.ogg",
                *self.bot.settings.stems.glob(f"{track.content_hash[:32]}-*.zip"),
                *self.bot.settings.pictures.glob(picture_name(track.content_hash, "*", "*")),
            )
            sentence = tr("Removed: the audio, its analysis and its picture.")
        elif track is not None:
            raise UserError(
                "This recording is part of the library, so it stays; your own upload was not kept twice."
            )
        else:
            sentence = tr("It was removed already.")
        await interaction.response.edit_message(view=note_card(sentence), attachments=[])


def refuse(track: discord.Attachment, limit_mb: float) -> None:
    """What can be told from the attachment alone."""
    if track.size == 0:
        raise UserError("That file is empty; choose another one.")
    if track.size > limit_mb * MB:
        raise UserError(too_big(limit_mb))


def too_big(limit_mb: float) -> str:
    return tr(
        "That file is larger than {limit_mb:g} MB; upload a shorter or more compressed version.",
        limit_mb=limit_mb,
    )


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Upload(bot))
