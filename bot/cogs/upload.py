"""/upload: a track goes into the queue; one card follows it to its result."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from bot.ui.buttons import on_press
from bot.ui.cards import note_card
from core.errors import UserError
from jobs.model import INTERACTIVE, Quotas

MB = 1_000_000


class Upload(commands.Cog):
    """Takes a track, has it separated and analysed, and shows what it found."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(
        description="Have a track analysed: its instruments, its sound, and what goes with it."
    )
    @app_commands.describe(track="An audio file (mp3, flac, ogg, wav, m4a ...)")
    @answer_refusals
    async def upload(self, interaction: discord.Interaction[Moodstem], track: discord.Attachment) -> None:
        limits = self.bot.settings.limits
        refuse(track, limits.upload_mb)
        await interaction.response.defer(ephemeral=True, thinking=True)
        path = await self.keep(track)
        try:
            job = await self.bot.queue.enqueue(
                "analyse",
                {"path": path.name, "name": track.filename},
                user_id=interaction.user.id,
                guild_id=interaction.guild_id,
                priority=INTERACTIVE,
                cost=track.size / MB,
                dedup=f"interaction:{interaction.id}",
                limits=Quotas(waiting_per_user=limits.queued_per_user, waiting_total=limits.queued_in_all),
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if job.spec["path"] != path.name:  # Discord delivered this interaction twice
            path.unlink(missing_ok=True)
        await self.bot.job_cards.open(interaction, job)

    async def keep(self, track: discord.Attachment) -> Path:
        """The file on our disk, under a name of our own: theirs is only ever shown."""
        try:
            data = await track.read()
        except discord.HTTPException as error:
            raise UserError("Discord did not hand me that file; please upload it again.") from error
        if len(data) > self.bot.settings.limits.upload_mb * MB:
            raise UserError(too_big(self.bot.settings.limits.upload_mb))
        return await asyncio.to_thread(_write, self.bot.settings.uploads, data)

    @on_press("upload_remove")
    async def remove(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        """Forget an uploaded track and its audio; the uploader's and the admins' right."""
        job = await self.bot.job_cards.own_job(interaction, int(job_id))
        track_id = (job.result or {}).get("track_id")
        track = await self.bot.library.get(track_id) if track_id is not None else None
        if track is not None and track.origin == "upload":
            await self.bot.library.remove(track.id)
            await asyncio.to_thread(
                _unlink,
                self.bot.settings.data / track.path,
                self.bot.settings.previews / f"{track.content_hash}.ogg",
            )
            picture = (job.result or {}).get("picture")
            if picture:
                await asyncio.to_thread(_unlink, self.bot.settings.data / picture)
            sentence = "Removed: the audio, its analysis and its picture."
        elif track is not None:
            raise UserError(
                "This recording is part of the library, so it stays; your own upload was not kept twice."
            )
        else:
            sentence = "It was removed already."
        await interaction.response.edit_message(view=note_card(sentence), attachments=[])


def refuse(track: discord.Attachment, limit_mb: float) -> None:
    """What can be told from the attachment alone."""
    if track.size == 0:
        raise UserError("That file is empty; choose another one.")
    if track.size > limit_mb * MB:
        raise UserError(too_big(limit_mb))


def too_big(limit_mb: float) -> str:
    return f"That file is larger than {limit_mb:g} MB; upload a shorter or more compressed version."


def _write(folder: Path, data: bytes) -> Path:
    """Durable before it is confirmed: temporary file, fsync, rename."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / uuid.uuid4().hex
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return path


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Upload(bot))
