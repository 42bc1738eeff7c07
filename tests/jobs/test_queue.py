"""The queue as those see it who put work in and take it out."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from core.library.store import Database, Transaction
from jobs.model import Claimed, Job
from jobs.queue import Queue

LEASE = 60.0


async def put(queue: Queue, user: int = 1, **more: Any) -> Job:
    return await queue.enqueue("analyse", more.pop("spec", {"path": "x"}), user_id=user, **more)


async def take(queue: Queue, owner: str = "me") -> Claimed:
    claimed = await queue.claim(owner, LEASE)
    assert claimed is not None
    return claimed


async def state(queue: Queue, job: Job | Claimed) -> str:
    found = await queue.get(job.id)
    assert found is not None
    return found.state


async def test_a_job_goes_its_way(queue: Queue, clock: Any) -> None:
    job = await put(queue, spec={"path": "abc", "name": "Song.mp3"}, guild_id=9)
    assert (job.state, job.position, job.progress, job.eta_s) == ("queued", 1, 0.0, None)
    claimed = await take(queue)
    assert (claimed.id, claimed.spec, claimed.attempt) == (job.id, {"path": "abc", "name": "Song.mp3"}, 1)
    assert await queue.progress(claimed, "separate", 0.4)
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.stage, seen.progress, seen.position) == ("running", "separate", 0.4, None)
    clock.forward(8)
    assert await queue.finish(claimed, {"track_id": 5})
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.progress, seen.result, seen.finished_at) == (
        "done",
        1.0,
        {"track_id": 5},
        clock.now,
    )
    assert await queue.claim("me", LEASE) is None


async def test_what_was_confirmed_is_on_disk(queue: Queue, database: Database) -> None:
    job = await put(queue)
    other = sqlite3.connect(database.path)  # as after a crash: another connection sees only what is committed
    assert other.execute("SELECT state FROM job WHERE id = ?", [job.id]).fetchall() == [("queued",)]
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert (await database.fetch("PRAGMA synchronous"))[0][0] == 2


async def test_the_same_key_joins_the_active_job(queue: Queue) -> None:
    first = await put(queue, dedup="interaction:7")
    again = await put(queue, dedup="interaction:7", spec={"path": "other"})
    assert again.id == first.id
    assert again.spec == first.spec
    await queue.finish(await take(queue), {})
    assert (await put(queue, dedup="interaction:7")).id != first.id
    assert (await put(queue)).id != (await put(queue)).id  # no key, no joining


async def test_simultaneous_deliveries_make_one_job(queue: Queue) -> None:
    jobs = await asyncio.gather(*(put(queue, dedup="k") for _ in range(20)))
    assert len({job.id for job in jobs}) == 1


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
    assert await queue.look(zombie) is None
    assert not await queue.progress(zombie, "late", 0.9)
    assert not await queue.finish(zombie, {"who": "zombie"}, effect)
    assert not await queue.fail(zombie, "too late")
    assert not await queue.give_back(zombie)
    assert not await queue.cancelled(zombie)
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


async def test_the_effect_and_the_end_are_one(queue: Queue, database: Database) -> None:
    await put(queue)
    claimed = await take(queue)

    async def half(transaction: Transaction) -> None:
        await transaction.run(
            "INSERT INTO track (content_hash, path, origin, title, duration_s) VALUES ('h', 'p', 'upload', 't', 1)"
        )
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await queue.finish(claimed, {}, half)
    assert await database.fetch("SELECT 1 FROM track") == []
    assert await state(queue, claimed) == "running"


async def test_passing_errors_are_tried_again_later_and_then_given_up(queue: Queue, clock: Any) -> None:
    job = await put(queue)
    for attempt in (1, 2):
        await queue.fail(await take(queue), "No luck.")
        seen = await queue.get(job.id)
        assert seen is not None
        assert (seen.state, seen.error, seen.attempt) == ("queued", "No luck.", attempt)
        clock.forward(4.9 * 2 ** (attempt - 1))  # at least half of 10, 20 seconds
        assert await queue.claim("me", LEASE) is None
        clock.forward(5.2 * 2 ** (attempt - 1))
    await queue.fail(await take(queue), "No luck.")
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.error) == ("failed", "No luck. It failed 3 times and was set aside.")


async def test_permanent_errors_are_not_tried_again(queue: Queue) -> None:
    job = await put(queue)
    await queue.fail(await take(queue), "The file is empty.", code="input", permanent=True)
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.error, seen.error_code, seen.attempt) == (
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
        await queue.fail(await take(queue), "Boom.", code=code)
    seen = await queue.get(job.id)
    assert seen is not None
    assert seen.state == "failed"
    assert f"{limit} times" in str(seen.error)
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
    beat = await queue.look(claimed)
    assert beat is not None
    assert beat.cancel
    assert await queue.cancelled(claimed)
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
            await queue.fail(claimed, "Something else went wrong meanwhile.")
        case "give_back":
            await queue.give_back(claimed)
    clock.forward(700)
    assert await state(queue, job) == "cancelled"
    assert await queue.claim("me", LEASE) is None


async def test_time_left_comes_from_measured_speed(queue: Queue, clock: Any) -> None:
    await put(queue, 1, cost=10)
    claimed = await take(queue)
    clock.forward(20)  # two seconds per unit
    await queue.finish(claimed, {})
    first = await put(queue, 1, cost=30)
    second = await put(queue, 2, cost=5)
    assert first.eta_s == pytest.approx(60)
    assert second.eta_s == pytest.approx(60 + 10) or second.eta_s == pytest.approx(10)
    claimed = await take(queue)
    clock.forward(15)
    await queue.progress(claimed, "separate", 0.5)  # faster than expected
    seen = await queue.get(claimed.id)
    assert seen is not None
    assert seen.eta_s == pytest.approx(15)


async def test_two_runners_halve_the_wait(queue: Queue, clock: Any) -> None:
    await put(queue, 1, cost=10)
    claimed = await take(queue)
    clock.forward(10)
    await queue.finish(claimed, {})
    for user in range(2, 6):
        await put(queue, user, cost=10)
    last = await put(queue, 9, cost=10)
    assert last.eta_s == pytest.approx(50)
    await queue.seen("a", {})
    await queue.seen("b", {})
    seen = await queue.get(last.id)
    assert seen is not None
    assert seen.eta_s == pytest.approx(20 + 10)


async def test_changes_are_few_and_complete(queue: Queue) -> None:
    first, second = await put(queue, 1), await put(queue, 2)
    changes = await queue.changes(0)
    assert [change.job_id for change in changes] == [first.id, second.id]
    mark = changes[-1].number
    assert mark == await queue.latest_change()
    assert await queue.changes(mark) == []
    claimed = await take(queue)
    for share in (0.1, 0.2, 0.3):
        await queue.progress(claimed, "separate", share)
    changes = await queue.changes(mark)
    assert [(change.job_id, change.state) for change in changes] == [(first.id, "running")]
    assert await queue.heartbeat(claimed, LEASE)
    assert await queue.changes(changes[-1].number) == []


async def test_a_removed_job_hides_no_later_change(queue: Queue, database: Database) -> None:
    job = await put(queue)
    await queue.cancel(job.id)
    mark = await queue.latest_change()
    await database.write("DELETE FROM job")
    later = await put(queue)
    assert later.id != job.id  # ids are never used again: a card must not show somebody else's job
    assert [change.job_id for change in await queue.changes(mark)] == [later.id]


async def test_claims_are_exclusive(database: Database, queue: Queue) -> None:
    for user in range(40):
        await put(queue, user)
    async with await Database.open(database.path) as second:
        queues = [queue, Queue(second, clock=queue.clock)]

        async def drain(index: int) -> list[int]:
            taken = []
            while claimed := await queues[index % 2].claim(str(index), LEASE):
                taken.append(claimed.id)
            return taken

        taken = await asyncio.gather(*(drain(index) for index in range(6)))
    everything = [job for part in taken for job in part]
    assert sorted(everything) == sorted(set(everything))
    assert len(everything) == 40


async def test_only_kinds_that_the_runner_knows(queue: Queue) -> None:
    await put(queue)
    assert await queue.claim("me", LEASE, ["index"]) is None
    assert await queue.claim("me", LEASE, ["index", "analyse"]) is not None


async def test_a_clock_that_jumps_back_stops_nothing(queue: Queue, clock: Any) -> None:
    waiting, failed, held = await put(queue, 1), await put(queue, 2), await put(queue, 3)
    await take(queue)
    await queue.give_back(await take(queue))
    clock.forward(-2 * 86400)
    assert await queue.reap() == 1  # its lease would run for two more days
    taken = set()
    while claimed := await queue.claim("me", LEASE):
        taken.add(claimed.id)
    assert taken == {waiting.id, failed.id, held.id}


async def test_backoff_survives_a_jump_back(queue: Queue, clock: Any) -> None:
    await put(queue)
    await queue.fail(await take(queue), "No luck.")
    clock.forward(-86400)
    assert await queue.claim("me", LEASE) is not None


async def test_a_full_disk_loses_nothing_and_confirms_nothing(queue: Queue, database: Database) -> None:
    kept = await put(queue)
    [pages] = (await database.fetch("PRAGMA page_count"))[0]
    await database.fetch(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for _ in range(200):
            await put(queue, spec={"path": "x" * 1000})
    before = (await queue.counts())["queued"]
    await database.fetch("PRAGMA max_page_count = 1073741823")
    assert (await queue.counts())["queued"] == before
    assert (await database.fetch("PRAGMA integrity_check"))[0][0] == "ok"
    assert (await take(queue)).id == kept.id
    await put(queue)


@pytest.mark.parametrize(("code", "at_least", "at_most"), [("disk", 30, 60), ("busy", 5, 10)])
async def test_a_full_disk_or_a_locked_database_is_not_the_jobs_fault(
    queue: Queue, clock: Any, code: str, at_least: float, at_most: float
) -> None:
    job = await put(queue)
    for _ in range(20):
        await queue.fail(await take(queue), "The disk is full.", code=code)
        seen = await queue.get(job.id)
        assert seen is not None
        assert (seen.state, seen.error) == ("queued", "The disk is full.")
        clock.forward(at_least - 0.1)
        assert await queue.claim("me", LEASE) is None
        clock.forward(at_most - at_least + 0.2)
    await queue.finish(await take(queue), {})
    assert await state(queue, job) == "done"


async def test_work_that_goes_with_a_new_job_is_one_with_it(queue: Queue, database: Database) -> None:
    async def promise(transaction: Transaction, job_id: int) -> None:
        await transaction.run("INSERT INTO card_due VALUES (?, 5, 1, 'en')", [job_id])

    job = await put(queue, dedup="k", alongside=promise)
    assert (await put(queue, dedup="k", alongside=promise)).id == job.id  # and no second promise
    assert [row["job_id"] for row in await database.fetch("SELECT job_id FROM card_due")] == [job.id]

    async def fault(transaction: Transaction, job_id: int) -> None:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await put(queue, alongside=fault)
    assert [one.id for one in await queue.jobs()] == [job.id]


async def test_a_locked_database_confirms_nothing_and_loses_nothing(queue: Queue, database: Database) -> None:
    await database.fetch("PRAGMA busy_timeout = 20")
    await put(queue, 1)
    claimed = await take(queue)
    waiting = await put(queue, 2)
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for attempt in (
        put(queue, 3),
        queue.cancel(waiting.id),
        queue.claim("me", LEASE),
        queue.finish(claimed, {}),
    ):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await attempt
    assert (await queue.counts()) == {"queued": 1, "running": 1, "done": 0, "failed": 0, "cancelled": 0}
    other.execute("COMMIT")
    other.close()
    assert await queue.finish(claimed, {})
    assert (await take(queue)).id == waiting.id


async def test_lists_and_counts_by_state_server_and_member(queue: Queue) -> None:
    waiting, running, done = [await put(queue, user, guild_id=user) for user in (1, 2, 2)]
    await queue.cancel(waiting.id)
    claimed = await take(queue)
    assert claimed.id == running.id
    assert [job.id for job in await queue.jobs()] == [done.id, running.id, waiting.id], "newest first"
    assert [job.id for job in await queue.jobs(state="running")] == [running.id]
    assert [job.id for job in await queue.jobs(state=("queued", "cancelled"))] == [done.id, waiting.id]
    assert [job.id for job in await queue.jobs(user_id=2, limit=1)] == [done.id]
    assert [job.id for job in await queue.jobs(guild_id=1)] == [waiting.id]
    none = {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
    assert await queue.counts() == none | {"queued": 1, "running": 1, "cancelled": 1}
    assert await queue.counts(1) == none | {"cancelled": 1} and await queue.counts(3) == none


async def test_a_heartbeat_tells_of_a_cancellation_and_progress_stays_within_bounds(queue: Queue) -> None:
    job = await put(queue)
    claimed = await take(queue)
    beat = await queue.heartbeat(claimed, LEASE)
    assert beat is not None and beat.cancel is False
    for said, kept in ((-1.0, 0.0), (1.7, 1.0)):
        await queue.progress(claimed, "separate", said)
        seen = await queue.get(job.id)
        assert seen is not None and seen.progress == kept
    await queue.cancel(job.id)
    beat = await queue.heartbeat(claimed, LEASE)
    assert beat is not None and beat.cancel is True


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
    assert seen is not None and seen.error == "The worker stopped in the middle."
    clock.forward(2)
    assert await queue.reap(lambda _: False) == 1, "its lease ran out"


async def test_runners_are_forgotten_when_they_are_dead_or_silent_for_a_day(queue: Queue, clock: Any) -> None:
    began = clock.now
    await queue.seen("old", {"slots": 1})
    clock.forward(60)
    await queue.seen("dead", {})
    await queue.seen("old", {"slots": 2})
    assert await queue.runners() == [
        {"owner": "old", "started_at": began, "seen_at": clock.now, "slots": 2},
        {"owner": "dead", "started_at": clock.now, "seen_at": clock.now},
    ]
    await queue.reap(lambda owner: owner == "dead")
    assert [one["owner"] for one in await queue.runners()] == ["old"]
    clock.forward(86_400)
    await queue.reap()
    assert len(await queue.runners()) == 1, "a day, not more"
    clock.forward(1)
    await queue.reap()
    assert not await queue.runners()


async def test_only_what_the_runner_can_do_is_urgent_to_it(queue: Queue) -> None:
    await put(queue, priority=5)
    assert await queue.urgent(0) and await queue.urgent(0, ["analyse"])
    assert not await queue.urgent(0, ["index"]) and not await queue.urgent(5)


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
        await queue.fail(await take(queue), "Boom.", code=code)
        seen = await queue.get(job.id)
        assert seen is not None and (seen.finished_at is None) == (number < limit)
    assert (seen.state, seen.finished_at, seen.error) == ("failed", clock.now, f"Boom. {said}")


async def test_a_cancelled_attempt_has_its_end_and_no_error(queue: Queue, clock: Any) -> None:
    job = await put(queue)
    claimed = await take(queue)
    await queue.cancel(job.id)
    clock.forward(1)
    await queue.fail(claimed, "Boom.", code="crash")
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.error, seen.error_code, seen.finished_at) == (
        "cancelled",
        None,
        "cancelled",
        clock.now,
    )
