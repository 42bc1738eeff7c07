"""What the queue hands out and answers: whole claims, merged results, times, yes and no."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import fact
from core.library.database import Database, Transaction
from jobs.model import BACKGROUND, INTERACTIVE, QuotaError, Quotas
from jobs.queue import LONGEST_LEASE_S, Queue
from tests.jobs.helpers import LEASE, put, take
from tests.refusals import refusal


async def test_a_claim_holds_all_that_its_work_needs(queue: Queue) -> None:
    job = await queue.enqueue("stems", {"track": 3}, user_id=7, guild_id=5, priority=INTERACTIVE)
    claimed = await take(queue)
    assert (claimed.id, claimed.kind, claimed.spec, claimed.attempt) == (job.id, "stems", {"track": 3}, 1)
    assert (claimed.user_id, claimed.guild_id, claimed.priority) == (7, 5, INTERACTIVE)
    assert (await put(queue)).priority == BACKGROUND, "unless another is asked for"


async def test_what_the_effect_returns_joins_the_result(queue: Queue) -> None:
    for answer, result in (({"track_id": 9}, {"name": "x", "track_id": 9}), (None, {"name": "x"})):
        job = await put(queue)

        async def effect(transaction: Transaction, answer: Any = answer) -> Any:
            return answer

        assert await queue.finish(await take(queue), {"name": "x"}, effect) is True
        seen = await queue.get(job.id)
        assert seen is not None and (seen.state, seen.result) == ("done", result)


async def test_writes_say_whether_they_counted(queue: Queue) -> None:
    await put(queue)
    claimed = await take(queue)
    assert await queue.fail(claimed, fact("plain", sentence="It broke.")) is True
    assert await queue.fail(claimed, fact("plain", sentence="It broke.")) is False
    assert await queue.finish(claimed, {}) is False
    assert await queue.get(4711) is None


async def test_quick_work_is_measured_as_quick(queue: Queue, database: Database, clock: Any) -> None:
    for cost, seconds, wanted in ((4.0, 0.5, 0.125), (0.0, 0.25, 0.25)):
        job = await queue.enqueue("quick", {}, user_id=1, cost=cost)
        claimed = await take(queue)
        clock.forward(seconds)
        await database.write("DELETE FROM job_speed")
        await queue.finish(claimed, {})
        [row] = await database.fetch("SELECT seconds_per_cost FROM job_speed WHERE kind = 'quick'")
        assert row[0] == pytest.approx(wanted), f"{job.id}: a cost of 0 counts as one"


async def test_limits_are_those_that_it_was_made_with(database: Database, clock: Any) -> None:
    queue = Queue(database, clock=clock, running_per_user=1, failure_limit=2, backoff_s=100)
    job = await put(queue)
    await put(queue)
    claimed = await take(queue)
    assert await queue.claim("another", LEASE) is None, "one of a member at once"
    await queue.fail(claimed, fact("plain", sentence="Passing."))
    other = await take(queue)
    assert other.id != job.id, "the first one waits"
    await queue.finish(other, {})
    clock.forward(49)
    assert await queue.claim("me", LEASE) is None, "half of 100 seconds at least"
    clock.forward(52)
    await queue.fail(await take(queue), fact("plain", sentence="Passing."))
    seen = await queue.get(job.id)
    assert seen is not None and seen.state == "failed", "out of two attempts"


async def test_asking_first_is_refused_for_the_server_as_well(queue: Queue) -> None:
    limits = Quotas(waiting_per_guild=1)
    await put(queue, 1, guild_id=5, limits=limits)
    with refusal("This server", QuotaError):
        await queue.admit("analyse", limits, user_id=2, guild_id=5)
    await queue.admit("analyse", limits, user_id=2, guild_id=6)


async def test_the_longest_lease_is_kept_and_a_longer_one_was_set_by_another_clock(
    queue: Queue, clock: Any
) -> None:
    await put(queue)
    await queue.claim("me", LONGEST_LEASE_S)
    assert await queue.reap() == 0
    clock.forward(-1)  # now it ends later than any lease that could have been given
    assert await queue.reap() == 1


async def test_who_leaves_is_no_runner_any_more(queue: Queue) -> None:
    for owner in ("one", "two"):
        await queue.register_runner(owner, {"engine": "local"})
    await queue.unregister_runner("one")
    [left] = await queue.runners()
    assert (left["owner"], left["engine"]) == ("two", "local")


async def test_work_beside_a_new_job_knows_its_number(queue: Queue) -> None:
    heard: list[int] = []

    async def alongside(transaction: Transaction, job_id: int) -> None:
        heard.append(job_id)

    job = await put(queue, alongside=alongside)
    assert heard == [job.id]
