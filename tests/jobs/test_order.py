"""Whose job is next, how many of one user run at once, and who is told to wait."""

from __future__ import annotations

from typing import Any

import pytest

from bot.words.say import say
from core.errors import UserError, fact
from jobs.model import BACKGROUND, INTERACTIVE, NOBODY, QuotaError, Quotas
from jobs.queue import Queue
from tests.jobs.helpers import LEASE, put, take
from tests.refusals import refusal


async def test_what_somebody_waits_for_goes_first(queue: Queue) -> None:
    night = await put(queue, priority=BACKGROUND)
    upload = await put(queue, 2, priority=INTERACTIVE)
    assert await queue.has_more_urgent(BACKGROUND)
    assert not await queue.has_more_urgent(INTERACTIVE)
    assert [(await take(queue)).id, (await take(queue)).id] == [upload.id, night.id]


async def test_fifty_jobs_of_one_delay_anothers_first_by_one(queue: Queue, clock: Any) -> None:
    for _ in range(50):
        await put(queue, 1, cost=30)
    running = await take(queue)
    others = [await put(queue, 2, cost=30), await put(queue, 2, cost=30)]
    assert others[0].position == 1
    order = [running.user_id]
    while claimed := await queue.claim("me", LEASE):
        order.append(claimed.user_id)
        clock.forward(30)
        await queue.finish(claimed, {})
    assert order[:5] == [1, 2, 1, 2, 1]
    assert len(order) == 52


async def test_long_jobs_weigh_more(queue: Queue) -> None:
    for _ in range(4):
        await put(queue, 1, cost=100)
    for _ in range(4):
        await put(queue, 2, cost=10)
    order = [(await take(queue)).user_id for _ in range(8)]
    assert order == [1, 2, 2, 2, 2, 1, 1, 1]


async def test_who_used_the_queue_before_does_not_starve(queue: Queue) -> None:
    for _ in range(20):
        await put(queue, 1)
        await queue.finish(await take(queue), {})
    newcomer = [await put(queue, 2) for _ in range(5)]
    regular = await put(queue, 1)
    order = [(await take(queue)).id for _ in range(6)]
    assert order.index(regular.id) <= 2
    assert order[0] == newcomer[0].id


@pytest.mark.parametrize("outcome", ["done", "refused", "cancelled", "tried again"])
async def test_who_claims_two_seconds_and_takes_sixty_holds_nobody_up(
    queue: Queue, clock: Any, outcome: str
) -> None:
    """Mallory's files say 2 s and keep a worker for a minute, whatever comes of them; Bob has three honest tracks."""

    async def attack() -> None:
        while len(await queue.jobs(user_id=666, state=("queued", "running"))) < 3:
            await put(queue, 666, cost=2)

    await attack()
    for _ in range(3):
        await put(queue, 1, cost=180)
    order: list[int] = []
    while order.count(1) < 3:
        await attack()
        claimed = await take(queue)
        order.append(claimed.user_id)
        clock.forward(60 if claimed.user_id == 666 else 20)
        if claimed.user_id == 1 or outcome == "done":
            await queue.finish(claimed, {})
        elif outcome == "cancelled":
            await queue.cancel(claimed.id)
            await queue.confirm_cancelled(claimed)
        else:
            await queue.fail(claimed, fact("bug"), permanent=outcome == "refused")
    assert len(order) <= 5, order


async def test_who_was_thought_to_cost_much_and_did_not_is_paid_back(queue: Queue, clock: Any) -> None:
    for _ in range(3):
        await put(queue, 1, cost=1000)
    for _ in range(3):
        await put(queue, 2, cost=30)
    order = []
    for _ in range(6):
        claimed = await take(queue)
        order.append(claimed.user_id)
        clock.forward(30)
        await queue.finish(claimed, {})
    assert order == [1, 2, 1, 2, 1, 2]


async def test_what_waits_for_a_disk_is_charged_nothing(queue: Queue, clock: Any) -> None:
    await put(queue, 1, cost=10)
    later = await put(queue, 1, cost=10)
    await put(queue, 2, cost=30)
    for _ in range(5):
        claimed = await take(queue)
        clock.forward(600)
        await queue.fail(claimed, fact("disk-full"), code="disk")
        clock.forward(600)
    starts = await queue.database.fetch("SELECT virtual_start FROM job WHERE id = ?", [later.id])
    assert starts[0][0] == 10


async def test_quota_says_how_many_and_when(queue: Queue, clock: Any) -> None:
    limits = Quotas(waiting_per_user=2, waiting_per_guild=3, waiting_total=4)
    await put(queue, 1, limits=limits)
    await put(queue, 1, limits=limits)
    with pytest.raises(QuotaError) as refused:
        await put(queue, 1, limits=limits)
    assert (
        say(refused.value)
        == "You already have 2 jobs waiting or running: try again when one of them is done."
    )
    assert isinstance(refused.value, UserError)
    clock.forward(100)
    first = await take(queue)
    clock.forward(60)
    await queue.finish(first, {})
    await put(queue, 1, limits=limits)
    with refusal(r"try again in about a minute\.$", QuotaError):
        await put(queue, 1, limits=limits)
    await put(queue, 2, guild_id=5, limits=limits)
    await put(queue, 3, guild_id=5, limits=limits)
    with pytest.raises(QuotaError) as refused:
        await put(queue, 4, guild_id=5, limits=limits)
    assert "The queue already holds 4 jobs" in say(refused.value)


async def test_the_daily_quota_counts_what_was_received(queue: Queue, clock: Any) -> None:
    """Whatever became of it: who uploads and cancels all day would else fill the disk."""
    limits = Quotas(daily_per_user=2)
    await put(queue, 1, limits=limits)
    await queue.fail(await take(queue), fact("plain", sentence="Not audio."), code="input", permanent=True)
    clock.forward(3600)
    job = await put(queue, 1, limits=limits)
    await queue.cancel(job.id)
    with pytest.raises(QuotaError) as refused:
        await put(queue, 1, limits=limits)
    assert say(refused.value) == "You have used all 2 jobs of the last 24 hours: try again in about 23 hours."
    clock.forward(23 * 3600 + 1)
    await put(queue, 1, limits=limits)


async def test_what_was_refused_leaves_no_trace(queue: Queue) -> None:
    limits = Quotas(waiting_per_user=1, daily_per_user=2)
    await put(queue, limits=limits)
    for _ in range(5):
        with pytest.raises(QuotaError):
            await queue.admit("analyse", limits, user_id=1)
        with pytest.raises(QuotaError):
            await put(queue, limits=limits)
    await queue.finish(await take(queue), {})
    await queue.admit("analyse", limits, user_id=1)
    assert (await put(queue, limits=limits)).state == "queued"  # the second of the day, not the twelfth
    assert len(await queue.jobs()) == 2


async def test_a_server_has_a_day_of_its_own(queue: Queue, clock: Any) -> None:
    limits = Quotas(waiting_per_user=None, waiting_per_guild=None, daily_per_guild=3)
    for user in (1, 2, 3):
        await put(queue, user, guild_id=5, limits=limits)
    with refusal("This server has used all 3 jobs", QuotaError):
        await put(queue, 4, guild_id=5, limits=limits)
    await put(queue, 4, guild_id=6, limits=limits)
    await put(queue, 4, limits=limits)  # in a direct message
    clock.forward(86401)
    await put(queue, 4, guild_id=5, limits=limits)


async def test_so_many_of_a_server_wait(queue: Queue) -> None:
    limits = Quotas(waiting_per_user=None, waiting_per_guild=2)
    for user in (1, 2):
        await put(queue, user, guild_id=5, limits=limits)
    with refusal("This server already has 2 jobs waiting", QuotaError):
        await put(queue, 3, guild_id=5, limits=limits)
    await put(queue, 3, guild_id=6, limits=limits)
    await put(queue, 3, limits=limits)  # in a direct message


@pytest.mark.parametrize(
    ("limits", "scope", "period"),
    [
        (Quotas(waiting_per_user=0), "user", "waiting"),
        (Quotas(waiting_total=0), "total", "waiting"),
        (Quotas(daily_per_user=0), "user", "day"),
        (Quotas(waiting_per_guild=0, daily_per_guild=0), "guild", "waiting"),
        (Quotas(daily_per_guild=0), "guild", "day"),
    ],
)
async def test_who_may_nothing_is_told_so(queue: Queue, limits: Quotas, scope: str, period: str) -> None:
    with pytest.raises(QuotaError) as refused:
        await put(queue, guild_id=5, limits=limits)
    assert refused.value.values["held"] == fact(f"quota-{scope}-{period}", count=0)
    if scope == "guild":
        await put(queue, limits=limits)  # a direct message is in no server


async def test_one_user_has_only_so_many_running(queue: Queue) -> None:
    queue.running_per_user = 2
    first = [await put(queue, 1, priority=INTERACTIVE) for _ in range(5)]
    running = [await take(queue), await take(queue)]
    assert {claimed.id for claimed in running} == {job.id for job in first[:2]}
    assert await queue.claim("me", LEASE) is None
    assert not await queue.has_more_urgent(BACKGROUND), "what may not run is no reason to give way"
    other = await put(queue, 2, priority=INTERACTIVE)
    assert (await take(queue)).id == other.id
    nightly = await put(queue, 1)
    assert (await take(queue)).id == nightly.id, "background work of the same user is counted apart"
    await queue.finish(running[0], {})
    assert (await take(queue)).id == first[2].id
    assert await queue.claim("me", LEASE) is None


async def test_the_clock_has_no_such_limit(queue: Queue) -> None:
    queue.running_per_user = 1
    for folder in ("a", "b", "c"):
        await put(queue, NOBODY, dedup=folder)
    assert len({(await take(queue)).id for _ in range(3)}) == 3


async def test_two_jobs_about_the_same_never_run_at_once(queue: Queue) -> None:
    twins = [await put(queue, user, subject="audio:abc") for user in (1, 2)]
    other = await put(queue, 3, subject="audio:xyz")
    first = await take(queue)
    assert first.id == twins[0].id
    assert (await take(queue)).id == other.id
    assert await queue.claim("me", LEASE) is None
    await queue.finish(first, {})
    assert (await take(queue)).id == twins[1].id


async def test_a_key_for_ever(queue: Queue) -> None:
    first = await put(queue, dedup="interaction:7", once=True)
    await queue.finish(await take(queue), {})
    assert (await put(queue, dedup="interaction:7", once=True)).id == first.id
    assert (await put(queue, dedup="interaction:8", once=True)).id != first.id
