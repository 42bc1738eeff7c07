"""'Tell me when it is done', of one track or always: a direct message, or the next best way, and none twice.

A direct message can be refused at any time (the member has closed them). Then the channel of the card is told, with a
word why; where I may not write either, the member learns it in answer to their next command. Whatever happens, the
result waits in /jobs.
"""

from __future__ import annotations

import logging

import discord
from discord.ext import commands, tasks

from bot.app import Feature, Interaction
from bot.errors import TROUBLE
from bot.features.upload.cards import always_button, job_title
from bot.features.upload.job_cards import channel_of
from bot.posted import remember
from bot.router import Press, on_press
from bot.theme import BAD, GOOD
from bot.widgets import Card, Style, note_card
from bot.words.i18n import tr
from core.errors import Refusal
from core.library import job_messages
from core.library.job_messages import Notice
from core.spoken import speaking, spoken
from jobs.model import Job

log = logging.getLogger(__name__)


class NoticesCog(Feature):
    """Tells members of the end of their jobs."""

    async def cog_load(self) -> None:
        self.follow.start()

    async def cog_unload(self) -> None:
        self.follow.cancel()

    @on_press("job_tell")
    async def ask(self, interaction: Interaction, job_id: int) -> None:
        """Tell me, or, pressed once more, don't."""
        job = await self.bot.queue.get(job_id)
        if job is None:
            raise Refusal("job-gone")
        if job.user_id != interaction.user.id:
            raise Refusal("notice-not-yours")
        if job.ended:
            raise Refusal("job-done-already")
        notice = Notice(job.id, interaction.user.id, channel_of(interaction), spoken())
        stands = await job_messages.toggle_notice(self.bot.database, notice)
        sentence = (
            tr("🔔 I'll send you a direct message when **{title}** is done.", title=job_title(job))
            if stands
            else tr("🔕 Taken back: I'll send you no message about **{title}**.", title=job_title(job))
        )
        always = await job_messages.wants_every_notice(self.bot.database, interaction.user.id)
        view = note_card(sentence, always_button(always))
        await interaction.response.send_message(view=view, ephemeral=True)

    @on_press("tell_always")
    async def always(self, interaction: Interaction, wanted: str) -> None:
        """Of every track of theirs from now on, or of none by itself."""
        await job_messages.set_every_notice(self.bot.database, interaction.user.id, wanted == "1")
        sentence = (
            tr("🔔 From your next track on I'll always send you a direct message when it is done.")
            if wanted == "1"
            else tr("🔕 From now on I'll send you a message only about tracks of which you ask me to.")
        )
        view = note_card(sentence, always_button(wanted == "1"))
        await interaction.response.send_message(view=view, ephemeral=True)

    @tasks.loop(seconds=1)
    async def follow(self) -> None:
        """Tell members of ended jobs."""
        for notice, job in await self.bot.notices.due():
            with speaking(notice.language):
                await self.tell(notice, job)

    @follow.before_loop
    async def wait_for_discord(self) -> None:
        await self.bot.wait_until_ready()

    @follow.error
    async def go_on(self, error: BaseException) -> None:
        log.error("telling members failed", exc_info=error)
        self.bot.notices.look_again()
        self.follow.restart()

    async def tell(self, notice: Notice, job: Job) -> None:
        """By direct message, or in the channel where that is closed; whatever Discord says, no error is raised."""
        if job.state == "cancelled":  # they did that themselves
            return await self.bot.notices.settle(job, "told")
        try:
            direct = await self.bot.create_dm(discord.Object(notice.user_id))
            message = await direct.send(view=ended_card(job), nonce=f"job-{job.id}-told")
            await remember(self.bot, message, notice.user_id)
        except discord.Forbidden:
            told = await self.tell_in_channel(notice, job)
            return await self.bot.notices.settle(job, "told" if told else "unheard")
        except discord.HTTPException as error:
            if error.status < 500 and error.status != 429:  # there is no such member any more, say
                log.warning("the member of job %d cannot be told: %s", job.id, error)
                return await self.bot.notices.settle(job, "unheard")
            return self.later(job, error)
        except TROUBLE as error:
            return self.later(job, error)
        return await self.bot.notices.settle(job, "told")

    def later(self, job: Job, error: Exception) -> None:
        log.warning("the member of job %d is told later: %s", job.id, error)
        self.bot.notices.put_off(job)

    async def tell_in_channel(self, notice: Notice, job: Job) -> bool:
        """Where the member pressed the button; the name of their file is on the card there already."""
        if notice.channel_id is None:
            return False
        try:
            message = await self.bot.get_partial_messageable(notice.channel_id).send(
                view=ended_card(job, mention=True),
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(notice.user_id)]),
                nonce=f"job-{job.id}-told",
            )
            await remember(self.bot, message, notice.user_id)
        except TROUBLE as error:
            log.warning("nobody could be told of the end of job %d: %s", job.id, error)
            return False
        return True

    @commands.Cog.listener()
    async def on_app_command_completion(self, interaction: Interaction, _command: object) -> None:
        """Who could not be reached is told in answer to their next command, once."""
        missed = await job_messages.take_unheard(self.bot.database, interaction.user.id)
        if not missed or not interaction.response.is_done():
            return
        jobs = [job for one in missed if (job := await self.bot.queue.get(one.job_id)) is not None]
        with speaking(missed[0].language):
            for job in jobs[:3]:
                try:
                    await interaction.followup.send(view=ended_card(job, closed=True), ephemeral=True)
                except TROUBLE as error:
                    log.warning("the member of job %d could not be told at last: %s", job.id, error)


def ended_card(job: Job, *, mention: bool = False, closed: bool = False) -> Card:
    """What is done, and the way to it."""
    title = job_title(job)
    if job.state == "done":
        sentence = tr("**{title}** is done.", title=title)
    else:
        sentence = tr("**{title}** could not be finished.", title=title)
    why = tr("Your direct messages are closed to me, so I say it here.")
    lines = [f"<@{job.user_id}> {sentence}" if mention else sentence]
    if mention or closed:
        lines.append(f"-# {why}")
    show = Press("job_show", job.id, label=tr("Show it"), style=Style.primary)
    return note_card("\n".join(lines), show, colour=GOOD if job.state == "done" else BAD)
