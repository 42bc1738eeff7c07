"""Who is to be told of the end of a job now."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.library import job_messages
from core.library.database import Database
from core.library.job_messages import Notice
from jobs.model import Job
from jobs.queue import Queue

AGAIN_S = 30.0
"""After trouble with Discord, before a notice is tried again."""
FEW = 5
"""Notices in one second: opening many direct messages at once gets a bot blocked."""


class Notices:
    """Decides which members are told now. `serves` tells which servers' jobs are this process's: of several, the one that
    has the card of a job tells of its end, too."""

    def __init__(self, database: Database, queue: Queue, serves: Callable[[int | None], bool]) -> None:
        self.database = database
        self.queue = queue
        self.serves = serves
        self.not_before: dict[int, float] = {}
        self._seen_change = -1

    async def due(self) -> list[tuple[Notice, Job]]:
        """Return the notices to send now: a few, when the queue has changed or something was put off."""
        latest = await self.queue.latest_change()
        if latest == self._seen_change and not self.not_before:
            return []
        self._seen_change = latest
        due = await job_messages.due_notices(self.database)
        jobs = {one.job_id for one in due}
        self.not_before = {job_id: at for job_id, at in self.not_before.items() if job_id in jobs}
        waiting = [one for one in due if time.monotonic() >= self.not_before.get(one.job_id, 0.0)]
        ended = [(notice, await self.queue.get(notice.job_id)) for notice in waiting]
        mine = [(notice, job) for notice, job in ended if job is not None and self.serves(job.guild_id)]
        if len(mine) > FEW:
            self.look_again()
        return mine[:FEW]

    def look_again(self) -> None:
        """Something is left to do, whether the queue changes or not."""
        self._seen_change = -1

    def put_off(self, job: Job) -> None:
        """Discord had trouble; try this one again after a while."""
        self.not_before[job.id] = time.monotonic() + AGAIN_S

    async def settle(self, job: Job, state: job_messages.NoticeState) -> None:
        """Note that the member was told, or could not be reached."""
        self.not_before.pop(job.id, None)
        await job_messages.set_notice_state(self.database, job.id, state)
