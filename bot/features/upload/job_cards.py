"""Cards of jobs: they show position and progress, survive a restart, and end with the result."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord.ext import commands, tasks

from bot.app import Moodstem
from bot.errors import GONE, TOO_LARGE, TROUBLE
from bot.features.library.cards import PICTURE
from bot.features.upload.cards import end_notice, index_card, job_card, result_card
from bot.features.upload.stems_card import stems_card
from bot.i18n import speaking, spoken, tr
from bot.router import on_press
from bot.widgets import Card, note_card
from core.errors import UserError
from core.library import job_messages
from core.library.database import Transaction
from core.recommend.similar import similar
from jobs.kinds import analyse, stems
from jobs.model import Job
from jobs.queue import Alongside

log = logging.getLogger(__name__)

TOO_MANY_EDITS = 30046  # of a message that is older than an hour
ENDS = 3
"""Cards of ended jobs that one channel gets in a second; of running ones it gets one."""
NOTICE_S = 120.0
"""Who waited longer than this is told by a new message that it is done."""


@dataclass
class Answer:
    """A private answer that shows a job. It can be edited while its interaction lives, fifteen minutes; after that, and
    after a restart, its Refresh button goes on."""

    interaction: discord.Interaction[Any]
    state_shown: str
    updated_at: float
    language: str


class JobCards(commands.Cog):
    """Keeps every card of a job up to date, no more often than Discord bears."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.seen_change = -1
        self.postponed = False
        self.not_before: dict[int, float] = {}
        self.unsent: list[job_messages.Promise] = []
        self.private: dict[int, Answer] = {}
        bot.job_cards = self

    async def cog_load(self) -> None:
        self.unsent = await job_messages.promises(
            self.bot.database
        )  # before this process makes any of its own
        self.follow.start()

    async def cog_unload(self) -> None:
        self.follow.cancel()

    def promise(self, interaction: discord.Interaction[Any], *, card: bool = True) -> Alongside:
        """What `Queue.enqueue` must write beside a job, so that its card is sent even if this process dies, and that its
        member is told of the end who always wants to be."""
        channel = interaction.channel_id if self.may_write(interaction) else None
        user, language = interaction.user.id, spoken()

        async def write(transaction: Transaction, job_id: int) -> None:
            if card and channel is not None:
                await job_messages.promise_card(
                    transaction, job_messages.Promise(job_id, channel, user, language)
                )
            await job_messages.add_notice_if_wanted(
                transaction, job_messages.Notice(job_id, user, channel, language)
            )

        return write

    def may_write(self, interaction: discord.Interaction[Any]) -> bool:
        """Can the bot edit a message here later on? Else the card is an answer that only this interaction can edit."""
        return (
            self.bot.get_guild(interaction.guild_id or 0) is not None  # not only installed by the member
            and interaction.app_permissions.send_messages
            and isinstance(interaction.channel, discord.abc.Messageable)
        )

    async def open(self, interaction: discord.Interaction[Moodstem], job: Job) -> None:
        """Show a new job: as a message of its own where I may write, which can be edited for ever; else as
        the private answer, whose Refresh button keeps it useful."""
        if self.may_write(interaction) and interaction.channel_id is not None:
            try:
                message = await self.send(interaction.channel_id, interaction.user.id, job)
            except TROUBLE as error:
                log.warning("the card of job %d goes to its member alone: %s", job.id, error)
                message = None
            if message is not None:
                await interaction.edit_original_response(
                    view=note_card(
                        tr("Got it. [This card]({jump_url}) follows its way.", jump_url=message.jump_url)
                    )
                )
                return
        await job_messages.drop_promise(self.bot.database, job.id)
        await self.open_privately(interaction, job)

    async def open_privately(self, interaction: discord.Interaction[Moodstem], job: Job) -> None:
        """Show a job in place of the deferred answer, which only its member sees."""
        view, files = await self.draw(job, interaction.guild_id)
        await interaction.edit_original_response(view=view, attachments=files)
        if not job.ended:
            self.private[job.id] = Answer(interaction, shown(job), time.monotonic(), spoken())

    async def send(self, channel_id: int, user_id: int, job: Job) -> discord.Message:
        """The job's card as a new message; the nonce keeps Discord from showing it twice when asked again."""
        view, files = await self.draw(job, job.guild_id)
        channel = self.bot.get_partial_messageable(channel_id)
        message = await channel.send(view=view, files=files, nonce=f"job-{job.id}-{user_id % 10**8}")
        await self.note(
            job_messages.Card(
                message.id, job.id, channel_id, user_id, "" if job.ended else shown(job), 0.0, spoken()
            )
        )
        return message

    async def note(self, card: job_messages.Card) -> None:
        """Keeps the card as it was shown, so that it is followed after a restart, too."""
        await job_messages.put_card(
            self.bot.database,
            job_id=card.job_id,
            channel_id=card.channel_id,
            message_id=card.message_id,
            user_id=card.user_id,
            state_shown=card.state_shown,
            language=card.language,
            now=self.bot.queue.clock(),
        )

    @tasks.loop(seconds=1)
    async def follow(self) -> None:
        """Edit the cards whose job has moved on: those that ended first, and of each channel a few at a time."""
        latest = await self.bot.queue.latest_change()
        if latest == self.seen_change and not self.postponed:
            return
        self.seen_change, self.postponed = latest, False
        await self.follow_private()
        due: list[tuple[bool, float, job_messages.Card, Job]] = []
        for card in await job_messages.cards(self.bot.database):
            job = await self.bot.queue.get(card.job_id)
            if job is None:
                await job_messages.drop_card(self.bot.database, card.message_id)
            elif not self.bot.serves(job.guild_id):
                continue  # another process sends and edits that server's cards
            elif job.ended or shown(job) != card.state_shown:
                due.append((not job.ended, card.updated_at, card, job))
        edited: Counter[int] = Counter()
        for _, _, card, job in sorted(due, key=lambda entry: entry[:2]):
            if self.too_soon(card, job) or edited[card.channel_id] >= (ENDS if job.ended else 1):
                self.postponed = True
                continue
            edited[card.channel_id] += 1
            try:
                with speaking(card.language):
                    await self.redraw(card, job)
            except Exception:  # one card's trouble is not the others'
                log.exception("the card of job %d could not be updated", job.id)
                self.try_later(card)

    async def follow_private(self) -> None:
        """Edits answers that only the member sees, while the interaction's token lasts (a quarter of an hour)."""
        for job_id, answer in list(self.private.items()):
            job = await self.bot.queue.get(job_id)
            if job is None or answer.interaction.is_expired():
                del self.private[job_id]
                continue
            if shown(job) == answer.state_shown:
                continue
            if not job.ended and time.monotonic() - answer.updated_at < pause(0.0):
                self.postponed = True
                continue
            self.private[job_id] = replace(answer, state_shown=shown(job), updated_at=time.monotonic())
            if job.ended:
                del self.private[job_id]
            try:
                with speaking(answer.language):
                    view, files = await self.draw(job, answer.interaction.guild_id)
                await answer.interaction.edit_original_response(view=view, attachments=files)
            except TROUBLE as error:
                log.warning("the private card of job %d could not be edited: %s", job_id, error)
            except Exception:  # one card's trouble is not the others'
                log.exception("the private card of job %d could not be drawn", job_id)

    def too_soon(self, card: job_messages.Card, job: Job) -> bool:
        """Was it edited a moment ago, or did Discord ask to wait? A job's end does not wait for the former."""
        if time.monotonic() < self.not_before.get(card.message_id, 0.0):
            return True
        now = self.bot.queue.clock()
        return not job.ended and 0 <= now - card.updated_at < pause(now - job.created_at)  # it may jump back

    def try_later(self, card: job_messages.Card, seconds: float = 15.0) -> None:
        """Not before so many seconds from now."""
        self.not_before[card.message_id] = time.monotonic() + seconds
        self.postponed = True

    @follow.before_loop
    async def wait_for_discord(self) -> None:
        await self.bot.wait_until_ready()
        for promise in self.unsent:
            await self.make_good(promise)

    async def make_good(self, promise: job_messages.Promise) -> None:
        """Send a card that the process before this one did not get to."""
        job = await self.bot.queue.get(promise.job_id)
        if job is None or job.state == "cancelled":
            return await job_messages.drop_promise(self.bot.database, promise.job_id)
        if not self.bot.serves(job.guild_id):
            return None
        try:
            with speaking(promise.language):
                await self.send(promise.channel_id, promise.user_id, job)
        except discord.HTTPException as error:
            log.warning("the card of job %d could not be sent: %s", job.id, error)
            if error.code in GONE:
                await job_messages.drop_promise(self.bot.database, job.id)
        return None

    @follow.error
    async def go_on(self, error: BaseException) -> None:
        log.error("updating job cards failed", exc_info=error)
        self.postponed = True
        self.follow.restart()

    async def redraw(self, card: job_messages.Card, job: Job) -> None:
        """The job as it is now, in its message. A card that is gone for good is forgotten."""
        message = self.bot.get_partial_messageable(card.channel_id).get_partial_message(card.message_id)
        view, files = await self.draw(job, job.guild_id)
        try:
            await message.edit(view=view, attachments=files)
        except discord.HTTPException as error:
            if error.status == 413 or error.code == TOO_LARGE:
                # This server takes no file of that size.
                view, _ = await self.draw(job, job.guild_id, picture=False)
                await message.edit(view=view, attachments=[])
                return await self.forget(card)
            if error.code in GONE:
                await self.forget(card)
            elif error.code == TOO_MANY_EDITS and job.ended:
                await self.send(card.channel_id, card.user_id, job)
                await self.forget(card)
            else:
                log.warning("the card of job %d could not be edited: %s", job.id, error)
                self.try_later(card, 600.0 if error.code == TOO_MANY_EDITS else 15.0)
            return None
        self.not_before.pop(card.message_id, None)
        if not job.ended:
            return await self.note(replace(card, state_shown=shown(job)))
        waited = (job.finished_at or job.created_at) - job.created_at
        if (
            waited > NOTICE_S
            and job.state != "cancelled"
            and not await job_messages.notice_requested(
                self.bot.database, job.id
            )  # told directly (bot.features.upload.notices)
        ):
            await self.notify(message, job)
        return await self.forget(card)

    async def notify(self, card: discord.PartialMessage, job: Job) -> None:
        """Answers the card with a message that the member is told of; edits tell nobody."""
        try:
            await card.channel.send(
                end_notice(job),
                reference=card.to_reference(fail_if_not_exists=False),
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(job.user_id)]),
                nonce=f"job-{job.id}-end",
            )
        except discord.HTTPException as error:
            log.warning("nobody could be told of the end of job %d: %s", job.id, error)

    async def forget(self, card: job_messages.Card) -> None:
        self.not_before.pop(card.message_id, None)
        await job_messages.drop_card(self.bot.database, card.message_id)

    async def draw(
        self, job: Job, guild_id: int | None, *, picture: bool = True
    ) -> tuple[Card, list[discord.File]]:
        """The job's card as of now, with its picture when there is one (and it is wanted). It is seen in `guild_id`, which
        may be another place than where the job comes from: there it names what is found there."""
        if job.state != "done":
            return job_card(job), []
        if job.kind == "index":
            return index_card(job), []
        if job.kind == "stems":
            return await self.stems_card(job), []
        result = analyse.KIND.result(job)
        track = await self.bot.library.get(result.track_id)
        analysis = await self.bot.library.analysis(result.track_id)
        if track is None or analysis is None:
            return note_card(tr("This track was removed from the library.")), []
        catalog = await self.bot.catalogs.of(guild_id)
        near = await asyncio.to_thread(
            similar, catalog, analysis.features(), "timbre", count=3, exclude=[track.id]
        )
        files = []
        path = self.bot.settings.data / result.picture if picture else None
        if path is not None and path.is_file():
            files.append(discord.File(path, filename=PICTURE))
        listed = None
        if track.source.member_owned and self.bot.settings.library.recommend_uploads:
            server = await self.bot.library.upload_guild(track.id)
            listed = await self.bot.library.is_listed(track.id) if server is not None else None
        return result_card(job, track, analysis, near, picture=bool(files), listed=listed), files

    async def stems_card(self, job: Job) -> Card:
        """What the job of stems came to; without its file the card offers to make them again."""
        result = stems.KIND.result(job)
        archive = self.bot.settings.data / result.archive
        analysis = await self.bot.library.analysis(result.track_id, result.separator)
        there = await asyncio.to_thread(archive.is_file)
        until = archive.stat().st_mtime + self.bot.settings.retention.stems_days * 86400 if there else None
        return stems_card(job, analysis, until)

    @on_press("job_refresh", consent=False)
    async def refresh(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        job = await self.bot.queue.get(int(job_id))
        if job is None:
            raise UserError("This job is no longer kept; upload the track again if you need it.")
        here = job.guild_id is not None and job.guild_id == interaction.guild_id
        if job.user_id != interaction.user.id and not here:
            raise UserError("This card is another server's; use /upload for a track of your own.")
        await interaction.response.defer()
        view, files = await self.draw(job, interaction.guild_id)
        await interaction.edit_original_response(view=view, attachments=files)

    @on_press("job_cancel", consent=False)
    async def cancel(self, interaction: discord.Interaction[Moodstem], job_id: str) -> None:
        job = await self.own_job(interaction, int(job_id))
        await interaction.response.defer()
        await self.bot.queue.cancel(job.id)
        now = await self.bot.queue.get(job.id)
        if now is not None:
            view, files = await self.draw(now, interaction.guild_id)
            await interaction.edit_original_response(view=view, attachments=files)

    async def own_job(self, interaction: discord.Interaction[Any], job_id: int) -> Job:
        """The job, for its owner and for those who may manage the server where it was started."""
        job = await self.bot.queue.get(job_id)
        if job is None:
            raise UserError("This job is no longer kept; nothing was changed.")
        manages = interaction.permissions.manage_guild and job.guild_id == interaction.guild_id
        if job.user_id != interaction.user.id and not manages:
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
