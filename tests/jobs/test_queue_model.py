"""The queue against a model, over any order of events that Hypothesis can think of."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from core.errors import fact
from core.library.database import Database, Transaction
from core.library.schema import open_database
from jobs.model import Claimed
from jobs.queue import Queue
from tests.jobs.helpers import Clock
from tests.jobs.stub_runner import EFFECTS

LEASE = 60.0
LOSSES = 3


@dataclass
class Known:
    """What must be true of one job."""

    user: int
    priority: int
    dedup: str | None
    state: str = "queued"
    token: int = 0
    lease_until: float = 0.0
    cancel: bool = False
    losses: int = 0
    crashes: int = 0
    effects: int = 0


class QueueMachine(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.database: Database = self.do(open_database(Path(self.folder.name) / "moodstem.db"))
        self.do(self.database.write(EFFECTS))
        self.queue = Queue(self.database, clock=self.clock, loss_limit=LOSSES, backoff_s=0.0)
        self.jobs: dict[int, Known] = {}

    def do(self, awaitable: Any) -> Any:
        return self.loop.run(awaitable)

    def teardown(self) -> None:
        self.do(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    def holds(self, claimed: Claimed) -> bool:
        job = self.jobs[claimed.id]
        return job.state == "running" and job.token == claimed.token

    def end(self, claimed: Claimed, state: str) -> None:
        job = self.jobs[claimed.id]
        job.state = "cancelled" if job.cancel and state == "queued" else state

    @rule(user=st.integers(1, 3), priority=st.sampled_from([0, 10]), dedup=st.sampled_from([None, "a", "b"]))
    def enqueue(self, user: int, priority: int, dedup: str | None) -> None:
        job = self.do(self.queue.enqueue("k", {}, user_id=user, priority=priority, dedup=dedup))
        twins = [
            number
            for number, known in self.jobs.items()
            if dedup and known.dedup == dedup and known.state in ("queued", "running")
        ]
        if twins:
            assert job.id == twins[0]
        else:
            assert job.id not in self.jobs
            self.jobs[job.id] = Known(user, priority, dedup)

    @rule(target=claims, user=st.integers(1, 3))
    def enqueue_and_claim(self, user: int) -> Any:
        """Both at once, so that more examples get to what may go wrong with claims."""
        self.enqueue(user, 10, None)
        return self.claim_next()

    @rule(target=claims)
    def claim(self) -> Any:
        return self.claim_next()

    def claim_next(self) -> Any:
        waiting = {number for number, known in self.jobs.items() if known.state == "queued"}
        claimed = self.do(self.queue.claim("me", LEASE))
        if claimed is None:
            assert not waiting
            return multiple()
        assert claimed.id in waiting
        assert claimed.priority == max(self.jobs[number].priority for number in waiting)
        job = self.jobs[claimed.id]
        assert claimed.token > job.token
        job.state, job.token, job.lease_until = "running", claimed.token, self.clock.now + LEASE
        return claimed

    @rule(claimed=claims)
    def heartbeat(self, claimed: Claimed) -> None:
        beat = self.do(self.queue.heartbeat(claimed, LEASE))
        assert (beat is not None) == self.holds(claimed)
        if beat is not None:
            assert beat.cancel == self.jobs[claimed.id].cancel
            self.jobs[claimed.id].lease_until = self.clock.now + LEASE

    @rule(claimed=consumes(claims))
    def finish(self, claimed: Claimed) -> None:
        async def effect(transaction: Transaction) -> None:
            await transaction.run("INSERT INTO effect VALUES (?)", [claimed.id])

        held = self.holds(claimed)
        assert self.do(self.queue.finish(claimed, {"ok": 1}, effect)) == held
        if held:
            self.jobs[claimed.id].effects += 1
            self.end(claimed, "done")

    @rule(claimed=consumes(claims), code=st.sampled_from(["input", "crash"]))
    def fail(self, claimed: Claimed, code: str) -> None:
        held = self.holds(claimed)
        assert (
            self.do(
                self.queue.fail(claimed, fact("plain", sentence="No."), code=code, permanent=code == "input")
            )
            == held
        )
        if held:
            job = self.jobs[claimed.id]
            if code == "crash":
                job.crashes += 1
            given_up = code == "input" or job.crashes >= 2
            job.state = "cancelled" if job.cancel else "failed" if given_up else "queued"

    @rule(claimed=claims)
    def give_back(self, claimed: Claimed) -> None:
        held = self.holds(claimed)
        assert self.do(self.queue.give_back(claimed)) == held
        if held:
            self.end(claimed, "queued")

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.jobs:
            number = data.draw(st.sampled_from(sorted(self.jobs)))
            job = self.jobs[number]
            assert self.do(self.queue.cancel(number)) == (job.state in ("queued", "running"))
            if job.state == "queued":
                job.state = "cancelled"
            elif job.state == "running":
                job.cancel = True

    @rule(seconds=st.sampled_from([1.0, 59.0, -4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.forward(seconds)

    @rule(seconds=st.sampled_from([0.0, 61.0]))
    def reap(self, seconds: float) -> None:
        self.clock.forward(seconds)

        def over(known: Known) -> bool:
            return not self.clock.now < known.lease_until <= self.clock.now + 600

        late = [known for known in self.jobs.values() if known.state == "running" and over(known)]
        assert self.do(self.queue.reap()) == len(late)
        for known in late:
            known.losses += 1
            known.state = "cancelled" if known.cancel else "failed" if known.losses >= LOSSES else "queued"

    @invariant()
    def the_table_agrees(self) -> None:
        rows = self.do(self.database.fetch("SELECT id, state, token FROM job"))
        assert {row["id"]: (row["state"], row["token"]) for row in rows} == {
            number: (known.state, known.token) for number, known in self.jobs.items()
        }

    @invariant()
    def every_effect_happened_once(self) -> None:
        rows = self.do(self.database.fetch("SELECT job_id, count(*) FROM effect GROUP BY job_id"))
        assert {row[0]: row[1] for row in rows} == {
            number: 1 for number, known in self.jobs.items() if known.state == "done"
        }
        assert all(known.effects == (known.state == "done") for known in self.jobs.values())


TestQueueModel = QueueMachine.TestCase
TestQueueModel.settings = settings(max_examples=25, stateful_step_count=40, deadline=None, derandomize=True)
