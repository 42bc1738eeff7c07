"""Cards of jobs: they show position and progress, survive a restart, and end with the result."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import discord
from discord.ext import commands, tasks

from bot.app import Moodstem
from bot.ui.buttons import on_press
from bot.ui.cards import Card, note_card
from bot.ui.jobs import PICTURE, index_card, job_card, result_card
from core.errors import UserError
from core.recommend.similarity import similar
from jobs import cards as card_store
from jobs.model import Job

log = logging.getLogger(__name__)

GONE = {10003, 10008, 50001, 50013}  # unknown channel or message, no access, missing permissions


class JobCards(commands.Cog):
    """Keeps every card of a job up to date, no more often than Discord bears."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.seen_change = -1
        self.postponed = False
        bot.job_cards = self

    async def cog_load(self) -> None:
        self.follow.start()

    async def cog_unload(self) -> None:
        self.follow.cancel()

    async def open(self, interaction: discord.Interaction[Moodstem], job: Job) -> None:
        """Show a new job: as a message of its own where I may write, which can be edited for ever; else as
        the private answer, whose Refresh button keeps it useful."""
        channel = interaction.channel
        if (
            self.bot.get_guild(interaction.guild_id or 0) is not None  # not only installed by the member
            and interaction.app_permissions.send_messages
            and isinstance(channel, discord.abc.Messageable)
        ):
            message = await channel.send(view=job_card(job))
            await card_store.put_card(
                self.bot.database,
                job_id=job.id,
                channel_id=message.channel.id,
                message_id=message.id,
                user_id=interaction.user.id,
                state_shown=shown(job),
            )
            await interaction.edit_original_response(
                view=note_card(f"Got it. [This card]({message.jump_url}) follows its way.")
            )
        else:
            await interaction.edit_original_response(view=job_card(job))

    @tasks.loop(seconds=1)
    async def follow(self) -> None:
        """Edit the cards whose job has moved on."""
        latest = await self.bot.queue.latest_change()
        if latest == self.seen_change and not self.postponed:
            return
        self.seen_change, self.postponed = latest, False
        for card in await card_store.cards(self.bot.database):
            job = await self.bot.queue.get(card.job_id)
            if job is None:
                await card_store.drop_card(self.bot.database, card.message_id)
                continue
            if shown(job) == card.state_shown:
                continue
            if not job.ended and time.time() - card.updated_at < pause(time.time() - job.created_at):
                self.postponed = True
                continue
            await self.redraw(card, job)

    @follow.before_loop
    async def wait_for_discord(self) -> None:
        await self.bot.wait_until_ready()

    @follow.error
    async def go_on(self, error: BaseException) -> None:
        log.error("updating job cards failed", exc_info=error)
        self.postponed = True
        self.follow.restart()

    async def redraw(self, card: card_store.Card, job: Job) -> None:
        message = self.bot.get_partial_messageable(card.channel_id).get_partial_message(card.message_id)
        view, files = await self.draw(job)
        try:
            await message.edit(view=view, attachments=files)
        except discord.HTTPException as error:
            if error.code in GONE:
                await card_store.drop_card(self.bot.database, card.message_id)
            else:
                log.warning("a job's card could not be edited: %s", error)
                self.postponed = True
            return
        if job.ended:
            await card_store.drop_card(self.bot.database, card.message_id)
        else:
            await card_store.put_card(
                self.bot.database,
                job_id=job.id,
                channel_id=card.channel_id,
                message_id=card.message_id,
                user_id=card.user_id,
                state_shown=shown(job),
            )

    async def draw(self, job: Job) -> tuple[Card, list[discord.File]]:
        """The job's card as of now, with its picture when there is one."""
        if job.state != "done":
            return job_card(job), []
        if job.kind == "index":
            return index_card(job), []
        result = job.result or {}
        track = await self.bot.library.get(result["track_id"])
        analysis = await self.bot.library.analysis(result["track_id"])
        if track is None or analysis is None:
            return note_card("This track was removed from the library."), []
        catalog = await self.bot.catalog()
        near = await asyncio.to_thread(
            similar, catalog, analysis.features(), "timbre", count=3, exclude=[track.id]
        )
        files = []
        picture = self.bot.settings.data / result["picture"] if result.get("picture") else None
        if picture is not None and picture.is_file():
            files.append(discord.File(picture, filename=PICTURE))
        return result_card(job, track, analysis, near, picture=bool(files)), files

    @on_press("job_refresh")
    async def refresh(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        job = await self.bot.queue.get(int(job_id))
        if job is None:
            raise UserError("This job is no longer kept; upload the track again if you need it.")
        await interaction.response.defer()
        view, files = await self.draw(job)
        await interaction.edit_original_response(view=view, attachments=files)

    @on_press("job_cancel")
    async def cancel(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        job = await self.own_job(interaction, int(job_id))
        await interaction.response.defer()
        await self.bot.queue.cancel(job.id)
        now = await self.bot.queue.get(job.id)
        if now is not None:
            view, files = await self.draw(now)
            await interaction.edit_original_response(view=view, attachments=files)

    async def own_job(self, interaction: discord.Interaction[Any], job_id: int) -> Job:
        """The job, for its owner and for those who may manage the server."""
        job = await self.bot.queue.get(job_id)
        if job is None:
            raise UserError("This job is no longer kept; nothing was changed.")
        if job.user_id != interaction.user.id and not interaction.permissions.manage_guild:
            raise UserError(
                "Only the person who started this can do that; use /upload for a track of your own."
            )
        return job


def shown(job: Job) -> str:
    """What a card shows of a job, as a key: the same key needs no edit."""
    return f"{job.state}|{job.position}|{job.stage}|{round(job.progress * 20)}|{job.error or ''}|{job.cancel_requested}"


def pause(age_s: float) -> float:
    """Seconds between two edits of a card: Discord slows down, then refuses, edits of old messages."""
    return 3.0 if age_s < 300 else 15.0 if age_s < 3600 else 60.0


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(JobCards(bot))
