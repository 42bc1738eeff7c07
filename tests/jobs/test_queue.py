"""The queue as those see it who put work in and take it out."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from core.library.database import Database, Transaction
from core.library.schema import open_database
from jobs.queue import Queue
from tests.jobs.helpers import LEASE, put, state, take


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
    async with database.transaction() as transaction:
        assert (await transaction.run("PRAGMA synchronous"))[0][0] == 2


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
    await queue.register_runner("a", {})
    await queue.register_runner("b", {})
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
    async with await open_database(database.path) as second:
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


async def test_a_full_disk_loses_nothing_and_confirms_nothing(queue: Queue, database: Database) -> None:
    kept = await put(queue)
    [pages] = (await database.fetch("PRAGMA page_count"))[0]
    await database.write(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for _ in range(200):
            await put(queue, spec={"path": "x" * 1000})
    before = (await queue.counts())["queued"]
    await database.write("PRAGMA max_page_count = 1073741823")
    assert (await queue.counts())["queued"] == before
    assert (await database.fetch("PRAGMA integrity_check"))[0][0] == "ok"
    assert (await take(queue)).id == kept.id
    await put(queue)


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
    await database.write("PRAGMA busy_timeout = 20")
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


async def test_runners_are_forgotten_when_they_are_dead_or_silent_for_a_day(queue: Queue, clock: Any) -> None:
    began = clock.now
    await queue.register_runner("old", {"slots": 1})
    clock.forward(60)
    await queue.register_runner("dead", {})
    await queue.register_runner("old", {"slots": 2})
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
    assert await queue.has_more_urgent(0) and await queue.has_more_urgent(0, ["analyse"])
    assert not await queue.has_more_urgent(0, ["index"]) and not await queue.has_more_urgent(5)
