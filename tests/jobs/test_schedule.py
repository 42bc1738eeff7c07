"""What is due by the clock: done, made up for once when missed, and remembered."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from core.library.backup import backups, rehearse
from core.library.database import Database
from core.library.job_messages import CardMessage, cards, drop_card, put_card
from core.library.tracks import Library
from jobs.kinds import index
from jobs.queue import Queue
from jobs.retention import Retention, clean_up
from jobs.schedule import Plan, Schedule, ScheduledTask, enqueue_reindex, planned
from tests.make import upsert_track

NIGHTLY = CronTrigger(hour=3, minute=30, timezone=UTC)


class Wall:
    def __init__(self) -> None:
        # Noon of tomorrow: APScheduler goes by the machine's clock, and runs at once what is past for that.
        self.now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


async def due(schedule: Schedule, name: str) -> float:
    """Seconds until the task runs."""
    [state] = [state for state in await schedule.states() if state["name"] == name]
    assert state["next_run"] is not None
    return float(state["next_run"]) - schedule.clock().timestamp()


@pytest.mark.parametrize(
    ("last", "soon"),
    [
        (None, True),  # never: a fresh installation
        (timedelta(hours=9), True),  # at three, before half past three of tonight
        (timedelta(days=40), True),
        (timedelta(hours=8), False),
        (timedelta(hours=-5), False),  # the clock has jumped back since
    ],
)
async def test_a_missed_run_is_made_up_for_once(
    queue: Queue, wall: Wall, tmp_path: Path, last: timedelta | None, soon: bool
) -> None:
    ran: list[int] = []

    async def run() -> None:
        ran.append(1)

    task = ScheduledTask("nightly", NIGHTLY, run)
    if last is not None:
        await queue.database.write(
            "INSERT INTO schedule_state (name, last_success) VALUES ('nightly', ?)",
            [(wall.now - last).timestamp()],
        )
    schedule = Schedule(queue, Plan(tmp_path), clock=wall, tasks=[task])
    await schedule.start()
    try:
        assert await schedule.missed(task) == soon
        if soon:
            assert 0 < await due(schedule, "nightly") <= 60
        assert await schedule.run(task)
    finally:
        await schedule.stop()
    assert ran == [1]
    again = Schedule(queue, Plan(tmp_path), clock=wall, tasks=[task])
    assert not await again.missed(task)


async def test_an_error_is_remembered_and_stops_nothing(queue: Queue, wall: Wall, tmp_path: Path) -> None:
    async def run() -> None:
        raise OSError("no space")

    task = ScheduledTask("backup", NIGHTLY, run)
    schedule = Schedule(queue, Plan(tmp_path), clock=wall, tasks=[task])
    assert not await schedule.run(task)
    [state] = await schedule.states()
    assert (state["last_success"], state["last_error"]) == (None, "OSError: no space")
    assert state["last_error_at"] == wall.now.timestamp()


async def test_everything_planned_runs(
    queue: Queue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plan = Plan(tmp_path, folders=[tmp_path / "music"])
    schedule = Schedule(queue, plan)
    assert {task.name for task in schedule.tasks} == {
        "reindex",
        "backup",
        "upkeep",
        "retention",
        "disk",
        "reaper",
    }
    for task in schedule.tasks:
        assert await schedule.run(task), task.name
    [kept] = backups(tmp_path / "backups")
    assert (await rehearse(kept))["job"] == 1
    lines = [one.getMessage() for one in caplog.records]
    for name in ("reindex", "backup", "upkeep", "retention"):
        assert sum(one.startswith(f"Scheduled: {name}, ") for one in lines) == 1, lines
    assert sum(one.startswith(f"Backup {kept.name}: ") for one in lines) == 1, lines
    assert not any("reaper" in one or "disk" in one for one in lines), "what runs all the time is no news"
    [job] = await queue.jobs()
    assert (index.KIND.spec(job), job.priority) == (index.Spec(str(tmp_path / "music")), 0)
    assert {state["name"] for state in await schedule.states() if state["last_success"]} == {
        "reindex", "backup", "upkeep", "retention", "disk", "reaper",
    }  # fmt: skip


async def test_the_scheduler_calls_what_is_due(queue: Queue, tmp_path: Path) -> None:
    import asyncio

    ran = asyncio.Event()

    async def run() -> None:
        ran.set()

    often = ScheduledTask("often", IntervalTrigger(seconds=0.2), run)
    schedule = Schedule(queue, Plan(tmp_path), tasks=[often])
    await schedule.run(often)  # it is not missed: that would wait for a start of many
    ran.clear()
    await schedule.start()
    try:
        await asyncio.wait_for(ran.wait(), 30)
    finally:
        await schedule.stop()


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(hours=9)], ids=["back", "forward"])
async def test_a_clock_that_jumps_sets_the_timers_anew(
    queue: Queue, wall: Wall, tmp_path: Path, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        pass

    wall.now = datetime.now(UTC)  # the timers are set by the machine's clock at first
    often = IntervalTrigger(minutes=5, timezone=UTC, start_date=wall.now)
    nightly = CronTrigger(hour=(wall.now.hour + 14) % 24, minute=30, timezone=UTC)
    tasks = [ScheduledTask("nightly", nightly, run), ScheduledTask("often", often, run)]
    schedule = Schedule(queue, Plan(tmp_path), clock=wall, tasks=tasks)
    for task in tasks:
        await schedule.run(task)
    monkeypatch.setattr(AsyncIOScheduler, "wakeup", lambda scheduler: None)  # it goes by the machine's clock
    await schedule.start()
    try:
        wall.now += jump
        schedule.reschedule()
        assert await due(schedule, "often") <= 300, "soon, or at once where it is late"
        assert 0 < await due(schedule, "nightly") <= 86400
    finally:
        await schedule.stop()


async def test_reindex_is_enqueued_once_per_folder(queue: Queue, database: Database, tmp_path: Path) -> None:
    await database.write(
        "INSERT INTO folder (path, watched) VALUES (?, 1), ('/elsewhere', 1), ('/once', 0)", [str(tmp_path)]
    )
    for _ in range(2):
        await enqueue_reindex(queue, [tmp_path])
    assert sorted(job.spec["folder"] for job in await queue.jobs()) == sorted([str(tmp_path), "/elsewhere"])


async def test_the_reaper_is_among_them(queue: Queue, tmp_path: Path) -> None:
    await queue.enqueue("analyse", {"path": "x"}, user_id=1)
    claimed = await queue.claim("host|another boot|1|1", 60)
    assert claimed is not None
    queue.clock.forward(61)  # type: ignore[attr-defined]
    [reaper] = [task for task in planned(queue, Plan(tmp_path)) if task.name == "reaper"]
    await reaper.run()
    assert (await queue.counts())["queued"] == 1


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, float], Path]:
    """Makes a file of that age in days."""

    def file(name: str, days: float) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        then = time.time() - days * 86400
        os.utime(path, (then, then))
        return path

    return file


async def test_retention(
    database: Database, queue: Queue, tmp_path: Path, make: Callable[[str, float], Path]
) -> None:
    library = Library(database)
    for name in ("fresh", "old"):
        await upsert_track(
            library,
            content_hash=f"hash{name}",
            path=f"uploads/{name}",
            origin="upload",
            title=name,
            duration_s=1,
        )
    await queue.enqueue("analyse", {"path": "waiting"}, user_id=1)
    stay = [make("uploads/fresh", 3), make("uploads/waiting", 40), make("uploads/arriving", 0.01)]
    stay += [
        make("pictures/hashfresh-a-plug-in.png", 2),
        make("previews/hashfresh.ogg", 50),
        make("pictures/.part-1-1.png", 0.01),
    ]
    go = [make("uploads/old", 31), make("uploads/orphan", 0.1), make("uploads/x.part", 0.1)]
    go += [
        make("pictures/hashfresh-unet.png", 31),
        make("pictures/erased-unet.png", 0.1),
        make("pictures/.part-2-1.png", 0.1),
        make("previews/gone.ogg", 0.1),
    ]
    stay.append(make("stems/hashfresh-a-plug-in.zip", 1))
    go += [make("stems/hashold-unet.zip", 3), make("stems/gone-unet.zip", 0.1)]
    removed = await clean_up(database, tmp_path / "data", Retention())
    assert removed == {"jobs": 0, "history": 0, "uploads": 3, "pictures": 3, "previews": 1, "stems": 2}
    assert all(path.exists() for path in stay)
    assert not any(path.exists() for path in go)
    assert (await library.counts())["upload"] == 2  # the analysis stays


async def test_old_jobs_go_with_their_cards(database: Database, queue: Queue, tmp_path: Path) -> None:
    old = await queue.enqueue("analyse", {"path": "a"}, user_id=1)
    await queue.cancel(old.id)
    waiting = await queue.enqueue("analyse", {"path": "b"}, user_id=1)
    for job in (old, waiting):
        await put_card(database, CardMessage(100 + job.id, job.id, 5, 1))
    later = queue.clock() + 31 * 86400
    assert (await clean_up(database, tmp_path, Retention(), now=later))["jobs"] == 1
    assert [job.id for job in await queue.jobs()] == [waiting.id]
    assert [card.job_id for card in await cards(database)] == [waiting.id]


async def test_cards_remember_what_they_show(database: Database, queue: Queue) -> None:
    job = await queue.enqueue("analyse", {"path": "a"}, user_id=1)
    await put_card(database, CardMessage(7, job.id, 5, 1, "queued", 1.0))
    await put_card(database, CardMessage(8, job.id, 5, 2))
    await put_card(database, CardMessage(7, job.id, 5, 1, "running", 2.0))
    first, second = await cards(database, job.id)
    assert (first.message_id, first.state_shown, first.updated_at, first.channel_id) == (7, "running", 2.0, 5)
    assert second.user_id == 2
    await drop_card(database, 7)
    assert [card.message_id for card in await cards(database)] == [8]
