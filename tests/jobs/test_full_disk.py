"""A disk that is really full, at each point where a job writes: nothing is lost, nothing is blamed on the job."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest

from core.audio.decode import decode
from core.library.database import Database
from core.library.schema import open_database
from jobs.engines.base import WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.kinds.index import FolderIndex
from jobs.queue import Queue
from jobs.retention import Retention, clean_up
from jobs.runner import Pace, Runner
from tests.conftest import fill_up
from tests.jobs.helpers import until
from tests.jobs.stub_runner import EFFECTS, KINDS
from tests.make import WORDS, write_tone
from tests.refusals import spoken

QUICK = Pace(lease_s=30, poll_s=0.01, progress_s=0.0, retry_s=0.02)


def later(queue: Queue, seconds: float) -> None:
    queue.clock = lambda: time.time() + seconds


async def test_the_decoder_blames_no_file(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = write_tone(tmp_path / "song.ogg", seconds=20)
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(OSError, match="No space left"):
        decode(song)  # seven megabytes of samples, three of room


async def test_in_the_middle_of_an_analysis(
    small_disk: Path, database: Database, warm_engine: LocalEngine, settings: TaskSettings
) -> None:
    """The picture finds no room: the job waits, is done once there is some, and leaves nothing half."""
    (small_disk / "pictures").mkdir()
    settings.pictures.symlink_to(small_disk / "pictures")
    write_tone(settings.uploads / "abc")
    queue = Queue(database)
    runner = Runner(queue, warm_engine, settings, pace=QUICK)
    job = await queue.enqueue("analyse", {"path": "abc", "name": "Song.ogg", "words": WORDS}, user_id=1)
    ballast = fill_up(small_disk)
    for attempt in range(1, 6):
        later(queue, 61.0 * attempt)
        assert await runner.run_one()
        seen = await queue.get(job.id)
        assert seen is not None
        assert (seen.state, seen.error_code) == ("queued", "disk"), seen.error
        assert "disk is full" in spoken(seen)
    assert list((small_disk / "pictures").iterdir()) == []
    assert (settings.uploads / "abc").is_file()
    ballast.unlink()
    later(queue, 600.0)
    assert await runner.run_one()
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.error) == ("done", None)


async def test_while_a_folder_is_indexed(
    small_disk: Path, database: Database, warm_engine: LocalEngine, tmp_path: Path, settings: TaskSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No file is remembered as broken since there was no room to decode it."""
    write_tone(tmp_path / "music" / "a.ogg", seconds=20)
    queue = Queue(database)
    await queue.enqueue("index", {"folder": str(tmp_path / "music")}, user_id=1)
    await warm_engine.start()  # the other one, which has room
    monkeypatch.setenv("TMPDIR", str(small_disk))  # for the worker
    engine = LocalEngine(WorkerOptions("none"))
    runner = Runner(queue, engine, settings, pace=QUICK)
    try:
        assert await runner.run_one()
    finally:
        await engine.stop()
    [job] = await queue.jobs()
    assert (job.state, job.error_code) == ("queued", "disk")
    report = await FolderIndex(tmp_path / "music", database, warm_engine).run()
    assert (report.added, report.failures) == (1, 0)


async def test_when_the_outcome_is_to_be_written(
    small_disk: Path, engine: LocalEngine, tmp_path: Path
) -> None:
    """The database's own disk fills up during a job; its effect happens once, as soon as there is room."""
    began, go = tmp_path / "began", tmp_path / "go"
    async with await open_database(small_disk / "moodstem.db") as database:
        await database.write(EFFECTS)
        queue = Queue(database)
        runner = Runner(queue, engine, TaskSettings(small_disk), kinds=KINDS, pace=QUICK)
        spec = {"task": "wait", "began": str(began), "until": str(go), "ballast": "x" * 200_000}
        job = await queue.enqueue("stub", spec, user_id=1)
        await database.maintain()  # an empty log: what comes now needs room
        running = asyncio.create_task(runner.run_forever())
        await until(began.exists)
        ballast = fill_up(small_disk)
        with pytest.raises(sqlite3.OperationalError):
            for _ in range(50):
                await queue.enqueue("stub", spec, user_id=2)
        confirmed = {one.id for one in await queue.jobs()}
        go.touch()
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert not running.done()
        ballast.unlink()

        async def done() -> bool:
            seen = await queue.get(job.id)
            return seen is not None and seen.state == "done"

        await until(done)
        runner.stop()
        await running
        assert {one.id for one in await queue.jobs()} == confirmed
        effects = [row[0] for row in await database.fetch("SELECT job_id FROM effect")]
        assert effects.count(job.id) == 1 and len(effects) == len(set(effects))
        assert (await database.fetch("PRAGMA integrity_check"))[0][0] == "ok"


async def test_the_clean_up_runs_on_a_full_disk(small_disk: Path) -> None:
    """What makes room must not need any."""
    async with await open_database(small_disk / "moodstem.db") as database:
        old = small_disk / "uploads" / "orphan"
        old.parent.mkdir()
        old.write_bytes(bytes(500_000))
        fill_up(small_disk)
        await clean_up(database, small_disk, Retention(), now=time.time() + 7200)
        assert not old.exists()
