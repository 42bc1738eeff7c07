"""Cards of jobs: they show position and progress, survive a restart, and end with the result. /jobs lists them.

bot/service/job_cards.py says which card is due; here it is drawn and sent.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import discord
from discord.ext import tasks

from bot.app import Feature, Interaction, Moodstem
from bot.consent import stores_nothing
from bot.errors import GONE, TOO_LARGE, TROUBLE, slash
from bot.features.library.cards import PICTURE
from bot.features.upload.cards import end_notice, index_card, job_card, jobs_card, result_card, stems_card
from bot.posted import changes, remember
from bot.router import on_press
from bot.widgets import Card, note_card
from bot.words.i18n import tr
from core.errors import Refusal
from core.library import job_messages
from core.library.job_messages import Promise
from core.recommend.similar import similar
from core.spoken import speaking
from jobs.files import cancel
from jobs.kinds import analyse, stems
from jobs.model import Job
from jobs.queue import Alongside

log = logging.getLogger(__name__)

TOO_MANY_EDITS = 30046  # of a message that is older than an hour


def channel_of(interaction: Interaction) -> int | None:
    """Return the channel where the bot can edit a message later on, None where it cannot: then a card is an answer that
    only this interaction can edit."""
    may_write = (
        interaction.client.get_guild(interaction.guild_id or 0)
        is not None  # not only installed by the member
        and interaction.app_permissions.send_messages
        and isinstance(interaction.channel, discord.abc.Messageable)
    )
    return interaction.channel_id if may_write else None


def promise(interaction: Interaction, *, card: bool = True) -> Alongside:
    """What `Queue.enqueue` must write beside a job of this member's."""
    return interaction.client.job_cards.promise(channel_of(interaction), interaction.user.id, card=card)


async def own_job(interaction: Interaction, job_id: int) -> Job:
    """The job that a button names, for its owner and those who manage its server. Raises UserError."""
    return await interaction.client.job_cards.own(
        job_id, interaction.user.id, interaction.guild_id, manages=interaction.permissions.manage_guild
    )


async def open_card(interaction: Interaction, job: Job) -> None:
    """Show a new job: as a message of its own where I may write, which can be edited for ever; else as the private
    answer, whose Refresh button keeps it useful."""
    bot, channel = interaction.client, channel_of(interaction)
    if channel is not None:
        try:
            message = await send_card(bot, channel, interaction.user.id, job)
        except TROUBLE as error:
            log.warning("the card of job %d goes to its member alone: %s", job.id, error)
        else:
            sentence = tr("Got it. [This card]({jump_url}) follows its way.", jump_url=message.jump_url)
            await interaction.edit_original_response(view=note_card(sentence))
            return
    await job_messages.drop_promise(bot.database, job.id)
    await open_privately(interaction, job)


async def open_privately(interaction: Interaction, job: Job) -> None:
    """Show a job in place of the deferred answer, which only its member sees."""
    await show(interaction, job)
    interaction.client.job_cards.follow_privately(job, partial(show, interaction), interaction.is_expired)


async def show(interaction: Interaction, job: Job) -> None:
    """The job as it is now, in place of the answer."""
    view, files = await draw(interaction.client, job, interaction.guild_id)
    await interaction.edit_original_response(view=view, attachments=files)


async def send_card(bot: Moodstem, channel_id: int, user_id: int, job: Job) -> discord.Message:
    """The job's card as a new message; the nonce keeps Discord from showing it twice when asked again."""
    view, files = await draw(bot, job, job.guild_id)
    channel = bot.get_partial_messageable(channel_id)
    message = await channel.send(view=view, files=files, nonce=f"job-{job.id}-{user_id % 10**8}")
    await remember(bot, message, user_id, view)
    await bot.job_cards.sent(message.id, channel_id, user_id, job)
    return message


async def draw(
    bot: Moodstem, job: Job, guild_id: int | None, *, picture: bool = True
) -> tuple[Card, list[discord.File]]:
    """The job's card as of now, with its picture when there is one (and it is wanted). It is seen in `guild_id`, which
    may be another place than where the job comes from: there it names what is found there."""
    if job.state != "done":
        return job_card(job), []
    if job.kind == "index":
        return index_card(job), []
    if job.kind == "stems":
        return await _stems_card(bot, job), []
    result = analyse.KIND.result(job)
    track = await bot.library.result_of_upload(result.track_id, job.user_id)
    analysis = await bot.library.analysis(result.track_id)
    if track is None or analysis is None:
        return note_card(tr("This track was removed from the library.")), []
    catalog = await bot.catalogs.of(guild_id)
    near = await asyncio.to_thread(
        similar, catalog, analysis.features(), "timbre", count=3, exclude=[track.id]
    )
    files = []
    path = bot.settings.data / result.picture if picture else None
    if path is not None and path.is_file():
        files.append(discord.File(path, filename=PICTURE))
    listed = None
    if track.source.member_owned and bot.settings.library.recommend_uploads:
        server = await bot.library.upload_guild(track.id)
        listed = await bot.library.is_listed(track.id) if server is not None else None
    return result_card(job, track, analysis, near, picture=bool(files), listed=listed), files


async def _stems_card(bot: Moodstem, job: Job) -> Card:
    """What the job of stems came to; without its file the card offers to make them again."""
    result = stems.KIND.result(job)
    archive = bot.settings.data / result.archive
    analysis = await bot.library.analysis(result.track_id, result.separator)
    there = await asyncio.to_thread(archive.is_file)
    until = archive.stat().st_mtime + bot.settings.retention.stems_days * 86400 if there else None
    return stems_card(job, analysis, until)


class JobCardsCog(Feature):
    """Keeps every card of a job up to date, no more often than Discord bears."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.cards = bot.job_cards
        self.unsent: list[Promise] = []

    async def cog_load(self) -> None:
        # Before this process makes any of its own
        self.unsent = await job_messages.promises(self.bot.database)
        self.follow.start()

    async def cog_unload(self) -> None:
        self.follow.cancel()

    @slash(description="Your uploads and how far they are.", extras=stores_nothing)
    async def jobs(self, interaction: Interaction) -> None:
        found = await self.bot.queue.jobs(user_id=interaction.user.id, limit=5)
        always = await job_messages.wants_every_notice(self.bot.database, interaction.user.id)
        await interaction.response.send_message(view=jobs_card(found, always), ephemeral=True)

    @on_press("job_show", consent=False)
    async def show_job(self, interaction: Interaction, job_id: int) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show(interaction, await own_job(interaction, job_id))

    @on_press("job_refresh", consent=False)
    async def refresh(self, interaction: Interaction, job_id: int) -> None:
        job = await self.bot.queue.get(job_id)
        if job is None:
            raise Refusal("card-job-gone")
        here = job.guild_id is not None and job.guild_id == interaction.guild_id
        if job.user_id != interaction.user.id and not here:
            raise Refusal("card-not-here")
        await interaction.response.defer()
        await show(interaction, job)

    @on_press("job_cancel", consent=False)
    async def cancel(self, interaction: Interaction, job_id: int) -> None:
        job = await own_job(interaction, job_id)
        await interaction.response.defer()
        await cancel(self.bot.queue, self.bot.settings, job.id)
        now = await self.bot.queue.get(job.id)
        if now is not None:
            await show(interaction, now)

    @tasks.loop(seconds=1)
    async def follow(self) -> None:
        """Edit the cards whose job has moved on."""
        if not await self.cards.changed():
            return
        for private, job in await self.cards.due_privately():
            try:
                with speaking(private.language):
                    await private.edit(job)
            except TROUBLE as error:
                log.warning("the private card of job %d could not be edited: %s", job.id, error)
            except Exception:  # one card's trouble is not the others'
                log.exception("the private card of job %d could not be drawn", job.id)
        for card, job in await self.cards.due():
            try:
                with speaking(card.language):
                    await self.redraw(card, job)
            except Exception:  # one card's trouble is not the others'
                log.exception("the card of job %d could not be updated", job.id)
                self.cards.put_off(card)

    @follow.before_loop
    async def wait_for_discord(self) -> None:
        """Before anything else, send the cards that the process before this one did not get to."""
        await self.bot.wait_until_ready()
        for promised, job in await self.cards.promised(self.unsent):
            try:
                with speaking(promised.language):
                    await send_card(self.bot, promised.channel_id, promised.user_id, job)
            except discord.HTTPException as error:
                log.warning("the card of job %d could not be sent: %s", job.id, error)
                if error.code in GONE:
                    await job_messages.drop_promise(self.bot.database, job.id)

    @follow.error
    async def go_on(self, error: BaseException) -> None:
        log.error("updating job cards failed", exc_info=error)
        self.cards.put_off()
        self.follow.restart()

    async def redraw(self, card: job_messages.CardMessage, job: Job) -> None:
        """The job as it is now, in its message. A card that is gone for good is forgotten."""
        message = self.bot.get_partial_messageable(card.channel_id).get_partial_message(card.message_id)
        view, files = await draw(self.bot, job, job.guild_id)
        if job.ended:
            await changes(self.bot, message, view)
        try:
            await message.edit(view=view, attachments=files)
        except discord.HTTPException as error:
            if error.status == 413 or error.code == TOO_LARGE:
                # This server takes no file of that size.
                view, _ = await draw(self.bot, job, job.guild_id, picture=False)
                await message.edit(view=view, attachments=[])
                await self.cards.forget(card)
            elif error.code in GONE:
                await self.cards.forget(card)
            elif error.code == TOO_MANY_EDITS and job.ended:
                await send_card(self.bot, card.channel_id, card.user_id, job)
                await self.cards.forget(card)
            else:
                log.warning("the card of job %d could not be edited: %s", job.id, error)
                self.cards.put_off(card, 600.0 if error.code == TOO_MANY_EDITS else 15.0)
            return
        if await self.cards.drawn(card, job):
            await self.notify(message, job)
        if job.ended:
            await self.cards.forget(card)

    async def notify(self, card: discord.PartialMessage, job: Job) -> None:
        """Answers the card with a message that the member is told of; edits tell nobody."""
        try:
            told = await card.channel.send(
                end_notice(job),
                reference=card.to_reference(fail_if_not_exists=False),
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.user_id)]),
                nonce=f"job-{job.id}-end",
            )
        except discord.HTTPException as error:
            log.warning("nobody could be told of the end of job %d: %s", job.id, error)
        else:
            await remember(self.bot, told, job.user_id)
