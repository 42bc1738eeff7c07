"""Which cards of jobs are due: what shows a job, whether it has moved on since, and whether an edit must wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from core.errors import Refusal
from core.library import job_messages
from core.library.database import Database, Transaction
from core.library.job_messages import Promise
from core.spoken import spoken
from jobs.model import Job
from jobs.queue import Alongside, Queue

ENDS = 3
"""Cards of ended jobs that one channel gets in a second; of running ones it gets one."""
NOTICE_S = 120.0
"""Who waited longer than this is told by a new message that it is done."""


@dataclass(frozen=True)
class PrivateCard:
    """An answer that only its member sees. It can be edited while its interaction lives, fifteen minutes; after that, and
    after a restart, its Refresh button goes on."""

    edit: Callable[[Job], Awaitable[None]]
    is_expired: Callable[[], bool]
    state_shown: str
    updated_at: float
    language: str


class JobCards:
    """Decides which cards are edited now. `serves` tells which servers' cards are this process's."""

    def __init__(self, database: Database, queue: Queue, serves: Callable[[int | None], bool]) -> None:
        self.database = database
        self.queue = queue
        self.serves = serves
        self.not_before: dict[int, float] = {}
        self.private: dict[int, PrivateCard] = {}
        self._seen_change = -1
        self._postponed = False

    def promise(self, channel_id: int | None, user_id: int, *, card: bool = True) -> Alongside:
        """What `Queue.enqueue` must write beside a job, so that its card is sent to the channel even if this process dies,
        and that its member is told of the end who always wants to be."""
        language = spoken()

        async def write(transaction: Transaction, job_id: int) -> None:
            if card and channel_id is not None:
                await job_messages.promise_card(transaction, Promise(job_id, channel_id, user_id, language))
            await job_messages.add_notice_if_wanted(
                transaction, job_messages.Notice(job_id, user_id, channel_id, language)
            )

        return write

    async def promised(self, promises: list[Promise]) -> list[tuple[Promise, Job]]:
        """Return those that this process must keep, with their jobs."""
        found = []
        for promise in promises:
            job = await self.queue.get(promise.job_id)
            if job is None or job.state == "cancelled":
                await job_messages.drop_promise(self.database, promise.job_id)
            elif self.serves(job.guild_id):
                found.append((promise, job))
        return found

    async def sent(self, message_id: int, channel_id: int, user_id: int, job: Job) -> None:
        """Follow the message that shows the job from now on, after a restart, too."""
        await self._keep(
            job_messages.CardMessage(
                message_id, job.id, channel_id, user_id, "" if job.ended else _shown(job), 0.0, spoken()
            )
        )

    def follow_privately(
        self, job: Job, edit: Callable[[Job], Awaitable[None]], is_expired: Callable[[], bool]
    ) -> None:
        """Keep a private answer up to date while it can be edited."""
        if not job.ended:
            self.private[job.id] = PrivateCard(edit, is_expired, _shown(job), time.monotonic(), spoken())

    async def changed(self) -> bool:
        """Has any job moved on since this was asked last, or must an edit be made up for?"""
        latest = await self.queue.latest_change()
        if latest == self._seen_change and not self._postponed:
            return False
        self._seen_change, self._postponed = latest, False
        return True

    async def due(self) -> list[tuple[job_messages.CardMessage, Job]]:
        """Return the cards to edit now: those whose jobs have ended first, and of each channel a few."""
        found: list[tuple[bool, float, job_messages.CardMessage, Job]] = []
        for card in await job_messages.cards(self.database):
            job = await self.queue.get(card.job_id)
            if job is None:
                await job_messages.drop_card(self.database, card.message_id)
            elif not self.serves(job.guild_id):
                continue  # another process sends and edits that server's cards
            elif job.ended or _shown(job) != card.state_shown:
                found.append((not job.ended, card.updated_at, card, job))
        edited: Counter[int] = Counter()
        due = []
        for _, _, card, job in sorted(found, key=lambda entry: entry[:2]):
            if self._too_soon(card, job) or edited[card.channel_id] >= (ENDS if job.ended else 1):
                self._postponed = True
                continue
            edited[card.channel_id] += 1
            due.append((card, job))
        return due

    async def due_privately(self) -> list[tuple[PrivateCard, Job]]:
        """Return the private answers to edit now; they count as edited."""
        due = []
        for job_id, card in list(self.private.items()):
            job = await self.queue.get(job_id)
            if job is None or card.is_expired():
                del self.private[job_id]
                continue
            if _shown(job) == card.state_shown:
                continue
            if not job.ended and time.monotonic() - card.updated_at < _pause(0.0):
                self._postponed = True
                continue
            self.private[job_id] = replace(card, state_shown=_shown(job), updated_at=time.monotonic())
            if job.ended:
                del self.private[job_id]
            due.append((card, job))
        return due

    def _too_soon(self, card: job_messages.CardMessage, job: Job) -> bool:
        """Was it edited a moment ago, or did Discord ask to wait? A job's end does not wait for the former."""
        if time.monotonic() < self.not_before.get(card.message_id, 0.0):
            return True
        now = self.queue.clock()
        return not job.ended and 0 <= now - card.updated_at < _pause(now - job.created_at)  # it may jump back

    def put_off(self, card: job_messages.CardMessage | None = None, seconds: float = 15.0) -> None:
        """Look again, and at this card not before so many seconds from now."""
        if card is not None:
            self.not_before[card.message_id] = time.monotonic() + seconds
        self._postponed = True

    async def drawn(self, card: job_messages.CardMessage, job: Job) -> bool:
        """Note that the card shows the job as it is. True when its member is to be told of the end by a message.

        Whoever asked to be told is told directly (bot/service/notices.py).
        """
        self.not_before.pop(card.message_id, None)
        if not job.ended:
            await self._keep(replace(card, state_shown=_shown(job)))
            return False
        waited = (job.finished_at or job.created_at) - job.created_at
        tell = waited > NOTICE_S and job.state != "cancelled"
        return tell and not await job_messages.notice_requested(self.database, job.id)

    async def forget(self, card: job_messages.CardMessage) -> None:
        """Stop following a card: its job has ended, or its message is gone."""
        self.not_before.pop(card.message_id, None)
        await job_messages.drop_card(self.database, card.message_id)

    async def _keep(self, card: job_messages.CardMessage) -> None:
        await job_messages.put_card(self.database, replace(card, updated_at=self.queue.clock()))

    async def own(self, job_id: int, user_id: int, guild_id: int | None, *, manages: bool) -> Job:
        """Return the job, for its owner and for those who manage the server where it was started. Raises UserError."""
        job = await self.queue.get(job_id)
        if job is None:
            raise Refusal("job-gone")
        if job.user_id != user_id and not (manages and job.guild_id == guild_id):
            raise Refusal("job-not-yours")
        return job


def _shown(job: Job) -> str:
    """What a card shows of a job, as a key: the same key needs no edit."""
    return f"{job.state}|{job.position}|{job.stage}|{round(job.progress * 20)}|{job.error or ''}|{job.cancel_requested}"


def _pause(age_s: float) -> float:
    """Seconds between two edits of a card: Discord slows down, then refuses, edits of old messages."""
    return 3.0 if age_s < 300 else 15.0 if age_s < 3600 else 60.0
