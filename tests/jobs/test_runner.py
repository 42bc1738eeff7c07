"""One runner, its engine and the queue, inline in the test's own loop."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from core.folders import DataFolder
from jobs.engines.base import Request
from jobs.engines.local import LocalEngine
from jobs.kinds.base import Done, GiveBack, Kind, TaskSettings, Work
from jobs.queue import Queue
from jobs.runner import Runner
from tests.jobs.helpers import QUICK, effects, look, put_stub, until
from tests.jobs.stub_runner import KINDS
from tests.refusals import spoken


async def test_one_job_at_a_time(runner: Runner, live_queue: Queue) -> None:
    assert not await runner.run_one()
    first, second = (
        await put_stub(live_queue, "echo", say="one"),
        await put_stub(live_queue, "echo", say="two"),
    )
    assert await runner.run_one()
    assert (await look(live_queue, first)).state == "done"
    assert (await look(live_queue, second)).state == "queued"
    assert await runner.run_one()
    result = (await look(live_queue, second)).result
    assert result is not None
    assert (result["said"], result["effect"]) == ("two", True)
    assert await effects(live_queue) == [first.id, second.id]


async def test_bad_input_fails_at_once_with_its_sentence(runner: Runner, live_queue: Queue) -> None:
    job = await put_stub(live_queue, "refuse")
    await runner.run_one()
    job = await look(live_queue, job)
    assert (job.state, job.error_code, spoken(job)) == (
        "failed",
        "input",
        "This file is not music: send another one.",
    )
    assert await effects(live_queue) == []


async def test_a_bug_is_logged_and_tried_again(runner: Runner, live_queue: Queue, caplog: Any) -> None:
    job = await put_stub(live_queue, "bug")
    for _ in range(3):
        await until(runner.run_one)
    job = await look(live_queue, job)
    assert (job.state, job.attempt, job.error_code) == ("failed", 3, "bug")
    assert "ValueError" not in spoken(job)
    assert "ValueError: a bug of ours" in caplog.text


async def test_a_killer_is_set_aside_and_the_next_job_runs(runner: Runner, live_queue: Queue) -> None:
    killer = await put_stub(live_queue, "die")
    good = await put_stub(live_queue, "echo")
    for _ in range(3):
        await until(runner.run_one)
    killer = await look(live_queue, killer)
    assert (killer.state, killer.error_code, killer.attempt) == ("failed", "crash", 2)
    assert "set aside" in spoken(killer)
    assert (await look(live_queue, good)).state == "done"


async def test_a_crash_that_does_not_repeat_costs_one_attempt(
    runner: Runner, live_queue: Queue, tmp_path: Path
) -> None:
    job = await put_stub(live_queue, "die_once", marker=str(tmp_path / "marker"))
    for _ in range(2):
        await until(runner.run_one)
    job = await look(live_queue, job)
    assert (job.state, job.attempt) == ("done", 2)
    assert await effects(live_queue) == [job.id]


async def test_cancel_stops_a_running_job(runner: Runner, live_queue: Queue, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(tmp_path / "never"))
    running = asyncio.create_task(runner.run_one())
    await until(began.exists)
    await live_queue.cancel(job.id)
    assert await running
    assert (await look(live_queue, job)).state == "cancelled"
    assert await effects(live_queue) == []


async def test_progress_shows_while_it_runs(runner: Runner, live_queue: Queue, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(go))
    running = asyncio.create_task(runner.run_one())

    async def shown() -> bool:
        now = await look(live_queue, job)
        return (now.state, now.stage, now.progress) == ("running", "wait", 0.5)

    await until(shown)
    go.touch()
    await running
    assert (await look(live_queue, job)).state == "done"


async def test_who_lost_the_lease_stops_and_drops_the_result(
    runner: Runner, live_queue: Queue, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(tmp_path / "never"))
    running = asyncio.create_task(runner.run_one())
    await until(began.exists)
    await live_queue.reap(lambda owner: True)  # somebody takes us for dead
    await running
    job = await look(live_queue, job)
    assert (job.state, job.attempt) == ("queued", 1)
    assert await effects(live_queue) == []


async def test_the_worker_has_no_database_open(runner: Runner, live_queue: Queue) -> None:
    names = (await runner.engine.run(Request("open_files")))["names"]
    assert names and not any("moodstem.db" in name for name in names)
    assert any(
        "moodstem.db" in str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()
    )


async def test_stop_lets_the_running_job_end(runner: Runner, live_queue: Queue, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(go))
    waiting = await put_stub(live_queue, "echo")
    running = asyncio.create_task(runner.run_forever())
    await until(began.exists)
    assert len(await live_queue.runners()) == 1
    runner.stop()
    go.touch()
    await running
    assert (await look(live_queue, job)).state == "done"
    assert (await look(live_queue, waiting)).state == "queued"
    assert await live_queue.runners() == []


async def test_stop_gives_back_what_takes_too_long(runner: Runner, live_queue: Queue, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(tmp_path / "never"))
    running = asyncio.create_task(runner.run_forever())
    await until(began.exists)
    runner.stop(0.0)
    await running
    job = await look(live_queue, job)
    assert (job.state, job.attempt) == ("queued", 0)


async def test_background_work_gives_way(
    live_queue: Queue, engine: LocalEngine, settings: TaskSettings
) -> None:
    order: list[str] = []

    async def steps(work: Work) -> Done:
        for step in ("a", "b", "c"):
            if step not in order:
                order.append(step)
                if step == "a":
                    await live_queue.enqueue("quick", {}, user_id=2, priority=10)
                if await work.give_way():
                    raise GiveBack
        return Done()

    async def quick(work: Work) -> Done:
        order.append("quick")
        return Done()

    runner = Runner(
        live_queue,
        engine,
        settings,
        kinds={"steps": Kind("steps", dict, dict, steps), "quick": Kind("quick", dict, dict, quick)},
        pace=QUICK,
    )
    job = await live_queue.enqueue("steps", {}, user_id=1)
    for _ in range(3):
        assert await runner.run_one()
    assert order == ["a", "quick", "b", "c"]
    assert (await look(live_queue, job)).attempt == 1


async def test_what_a_failed_job_left_is_removed(
    live_queue: Queue, engine: LocalEngine, settings: TaskSettings
) -> None:
    def brought(spec: dict[str, Any], folder: DataFolder) -> list[Path]:
        return [folder.uploads / spec["task"]]

    kinds = {"stub": Kind("stub", dict, dict, KINDS["stub"].run, inputs=brought)}
    for name in ("echo", "refuse", "bug"):
        (settings.uploads / name).touch()
    runner = Runner(live_queue, engine, settings, kinds=kinds, pace=QUICK)
    await put_stub(live_queue, "echo")
    await put_stub(live_queue, "refuse")
    await put_stub(live_queue, "bug")
    for _ in range(3):
        await until(runner.run_one)
    left = {path.name for path in settings.uploads.iterdir()}
    assert left == {"echo", "bug"}  # the bug's job will be tried again


async def test_a_full_disk_stops_no_runner(runner: Runner, live_queue: Queue, caplog: Any) -> None:
    database = live_queue.database
    jobs = [await put_stub(live_queue, "echo", say="x" * 20000) for _ in range(2)]
    await database.write("UPDATE job SET state = 'done' WHERE id = ?", [jobs[1].id])
    [pages] = (await database.fetch("PRAGMA page_count"))[0]
    await database.write(f"PRAGMA max_page_count = {pages}")
    running = asyncio.create_task(runner.run_forever())
    await until(lambda: "database or disk is full" in caplog.text)
    assert not running.done()
    await database.write("PRAGMA max_page_count = 1073741823")

    async def done() -> bool:
        return (await look(live_queue, jobs[0])).state == "done"

    await until(done)
    runner.stop()
    await running
    assert await effects(live_queue) == [jobs[0].id]
    with sqlite3.connect(database.path) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()
