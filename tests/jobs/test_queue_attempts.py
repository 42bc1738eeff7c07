"""Attempts at a job and how they end: leases, lost owners, errors and another try, cancelling, giving back."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import fact
from core.library.database import Transaction
from jobs.queue import Queue
from tests.jobs.helpers import LEASE, put, state, take
from tests.refusals import spoken


async def test_a_lost_lease_fences_every_write_off(queue: Queue, clock: Any) -> None:
    job = await put(queue)
    zombie = await take(queue, "zombie")
    clock.forward(LEASE + 1)
    assert await queue.reap() == 1
    heir = await take(queue, "heir")
    assert heir.token > zombie.token
    wrote: list[int] = []

    async def effect(transaction: Transaction) -> None:
        wrote.append(1)

    assert await queue.heartbeat(zombie, LEASE) is None
    assert await queue.check_lease(zombie) is None
    assert not await queue.progress(zombie, "late", 0.9)
    assert not await queue.finish(zombie, {"who": "zombie"}, effect)
    assert not await queue.fail(zombie, fact("plain", sentence="too late"))
    assert not await queue.give_back(zombie)
    assert not await queue.confirm_cancelled(zombie)
    assert wrote == []
    assert await queue.finish(heir, {"who": "heir"}, effect)
    assert not await queue.finish(heir, {"who": "heir twice"}, effect)
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.result, wrote) == ({"who": "heir"}, [1])


async def test_heartbeats_keep_the_lease(queue: Queue, clock: Any) -> None:
    await put(queue)
    claimed = await take(queue)
    for _ in range(10):
        clock.forward(LEASE / 2)
        assert await queue.heartbeat(claimed, LEASE) is not None
        assert await queue.reap() == 0
    clock.forward(LEASE)
    assert await queue.reap() == 1


async def test_a_dead_owner_is_reaped_before_the_lease_ends(queue: Queue) -> None:
    await put(queue)
    claimed = await take(queue, "gone")
    assert await queue.reap(lambda owner: owner == "someone else") == 0
    assert await queue.reap(lambda owner: owner == "gone") == 1
    assert await state(queue, claimed) == "queued"


async def test_passing_errors_are_tried_again_later_and_then_given_up(queue: Queue, clock: Any) -> None:
    job = await put(queue)
    for attempt in (1, 2):
        await queue.fail(await take(queue), fact("plain", sentence="No luck."))
        seen = await queue.get(job.id)
        assert seen is not None
        assert (seen.state, spoken(seen), seen.attempt) == ("queued", "No luck.", attempt)
        clock.forward(4.9 * 2 ** (attempt - 1))  # at least half of 10, 20 seconds
        assert await queue.claim("me", LEASE) is None
        clock.forward(5.2 * 2 ** (attempt - 1))
    await queue.fail(await take(queue), fact("plain", sentence="No luck."))
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, spoken(seen)) == ("failed", "No luck. It failed 3 times and was set aside.")


async def test_permanent_errors_are_not_tried_again(queue: Queue) -> None:
    job = await put(queue)
    await queue.fail(
        await take(queue), fact("plain", sentence="The file is empty."), code="input", permanent=True
    )
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, spoken(seen), seen.error_code, seen.attempt) == (
        "failed",
        "The file is empty.",
        "input",
        1,
    )


@pytest.mark.parametrize(("code", "limit"), [("crash", 2), ("timeout", 2), ("lost", 5)])
async def test_a_poisonous_job_is_set_aside(queue: Queue, clock: Any, code: str, limit: int) -> None:
    job = await put(queue)
    for _ in range(limit):
        clock.forward(700)
        await queue.fail(await take(queue), fact("plain", sentence="Boom."), code=code)
    seen = await queue.get(job.id)
    assert seen is not None
    assert seen.state == "failed"
    assert f"{limit} times" in spoken(seen)
    clock.forward(700)
    assert await queue.claim("me", LEASE) is None


async def test_giving_back_blames_nobody(queue: Queue) -> None:
    first, second = await put(queue, 1), await put(queue, 2)
    claimed = await take(queue)
    assert claimed.id == first.id
    await queue.give_back(claimed)
    seen = await queue.get(first.id)
    assert seen is not None
    assert (seen.state, seen.position, seen.attempt) == ("queued", 1, 0)
    assert (await take(queue)).id == first.id
    assert (await take(queue)).id == second.id


async def test_cancel_a_waiting_job(queue: Queue) -> None:
    job = await put(queue)
    assert await queue.cancel(job.id)
    assert await state(queue, job) == "cancelled"
    assert await queue.claim("me", LEASE) is None
    assert not await queue.cancel(job.id)


async def test_cancel_a_running_job(queue: Queue) -> None:
    job = await put(queue)
    claimed = await take(queue)
    assert await queue.cancel(job.id)
    assert await state(queue, job) == "running"
    beat = await queue.check_lease(claimed)
    assert beat is not None
    assert beat.cancel
    assert await queue.confirm_cancelled(claimed)
    assert await state(queue, job) == "cancelled"


@pytest.mark.parametrize("way", ["reap", "fail", "give_back"])
async def test_a_cancelled_job_never_comes_back(queue: Queue, clock: Any, way: str) -> None:
    job = await put(queue)
    claimed = await take(queue)
    await queue.cancel(job.id)
    match way:
        case "reap":
            clock.forward(LEASE + 1)
            await queue.reap()
        case "fail":
            await queue.fail(claimed, fact("plain", sentence="Something else went wrong meanwhile."))
        case "give_back":
            await queue.give_back(claimed)
    clock.forward(700)
    assert await state(queue, job) == "cancelled"
    assert await queue.claim("me", LEASE) is None


async def test_backoff_survives_a_jump_back(queue: Queue, clock: Any) -> None:
    await put(queue)
    await queue.fail(await take(queue), fact("plain", sentence="No luck."))
    clock.forward(-86400)
    assert await queue.claim("me", LEASE) is not None


@pytest.mark.parametrize(("code", "at_least", "at_most"), [("disk", 30, 60), ("busy", 5, 10)])
async def test_a_full_disk_or_a_locked_database_is_not_the_jobs_fault(
    queue: Queue, clock: Any, code: str, at_least: float, at_most: float
) -> None:
    job = await put(queue)
    for _ in range(20):
        await queue.fail(await take(queue), fact("plain", sentence="The disk is full."), code=code)
        seen = await queue.get(job.id)
        assert seen is not None
        assert (seen.state, spoken(seen)) == ("queued", "The disk is full.")
        clock.forward(at_least - 0.1)
        assert await queue.claim("me", LEASE) is None
        clock.forward(at_most - at_least + 0.2)
    await queue.finish(await take(queue), {})
    assert await state(queue, job) == "done"


async def test_what_is_given_back_keeps_its_spec_and_takes_notes_along(queue: Queue) -> None:
    await put(queue, spec={"path": "x", "done": 1})
    claimed = await take(queue)
    assert await queue.give_back(claimed) is True and await queue.give_back(claimed) is False
    claimed = await take(queue)
    assert claimed.spec == {"path": "x", "done": 1}
    assert await queue.give_back(claimed, {"done": 2})
    assert (await take(queue)).spec == {"path": "x", "done": 2}


async def test_reaping_counts_what_it_took_and_says_why(queue: Queue, clock: Any) -> None:
    jobs = [await put(queue, user) for user in (1, 2, 3)]
    for owner in ("a", "b", "c"):
        await take(queue, owner)
    clock.forward(LEASE - 1)
    assert await queue.reap(lambda owner: owner in ("a", "b")) == 2
    assert [await state(queue, job) for job in jobs] == ["queued", "queued", "running"]
    seen = await queue.get(jobs[0].id)
    assert seen is not None and spoken(seen) == "The worker stopped in the middle."
    clock.forward(2)
    assert await queue.reap(lambda _: False) == 1, "its lease ran out"


@pytest.mark.parametrize(
    ("code", "limit", "said"),
    [
        ("bug", 3, "It failed 3 times and was set aside."),
        ("crash", 2, "It made the worker crash 2 times and was set aside."),
        ("timeout", 2, "It took too long 2 times and was set aside."),
        ("lost", 5, "Its worker was lost 5 times and it was set aside."),
    ],
)
async def test_attempts_end_with_a_sentence_and_the_time(
    queue: Queue, clock: Any, code: str, limit: int, said: str
) -> None:
    job = await put(queue)
    for number in range(1, limit + 1):
        clock.forward(700)
        await queue.fail(await take(queue), fact("plain", sentence="Boom."), code=code)
        seen = await queue.get(job.id)
        assert seen is not None and (seen.finished_at is None) == (number < limit)
    assert (seen.state, seen.finished_at, spoken(seen)) == ("failed", clock.now, f"Boom. {said}")


async def test_a_cancelled_attempt_has_its_end_and_no_error(queue: Queue, clock: Any) -> None:
    job = await put(queue)
    claimed = await take(queue)
    await queue.cancel(job.id)
    clock.forward(1)
    await queue.fail(claimed, fact("plain", sentence="Boom."), code="crash")
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.error, seen.error_code, seen.finished_at) == (
        "cancelled",
        None,
        "cancelled",
        clock.now,
    )
