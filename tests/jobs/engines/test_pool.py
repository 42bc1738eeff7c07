"""Several worker processes behind one engine: each request once, no more at a time than there are workers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.library.database import Database
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Request, WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.engines.pool import Pool
from jobs.kinds.base import TaskSettings
from jobs.kinds.index import FolderIndex
from jobs.queue import Queue
from jobs.runner import Pace, Runner
from tests.jobs.helpers import STUBS, until
from tests.jobs.stub_runner import EFFECTS, KINDS
from tests.make import write_tone


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool([LocalEngine(WorkerOptions("none", extra_tasks=STUBS)) for _ in range(2)])
    yield pool
    await pool.stop()


def waiting(folder: Path, name: str) -> Request:
    return Request("wait", {"began": str(folder / name), "until": str(folder / "go")})


async def test_requests_run_side_by_side_and_the_third_waits(pool: Pool, tmp_path: Path) -> None:
    assert pool.slots == 2
    runs = [asyncio.create_task(pool.run(waiting(tmp_path, name))) for name in ("a", "b")]
    await until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    third = asyncio.create_task(pool.run(Request("echo")))
    with pytest.raises(Cancelled):
        await pool.run(Request("echo"), None, lambda: True)
    assert not third.done()
    (tmp_path / "go").touch()
    pids = [(await run)["pid"] for run in runs]
    assert len(set(pids)) == 2
    assert (await third)["pid"] in pids


async def test_one_worker_dies_the_other_goes_on(pool: Pool, tmp_path: Path) -> None:
    other = asyncio.create_task(pool.run(waiting(tmp_path, "a")))
    await until((tmp_path / "a").exists)
    with pytest.raises(Crashed):
        await pool.run(Request("die"))
    assert (await pool.run(Request("echo")))["said"] is None
    (tmp_path / "go").touch()
    assert (await other)["pid"]


async def test_a_runner_claims_as_many_jobs_as_there_are_slots(
    pool: Pool, database: Database, settings: TaskSettings, tmp_path: Path
) -> None:
    await database.write(EFFECTS)
    queue = Queue(database)
    for name in ("a", "b", "c"):
        spec = {"task": "wait", **waiting(tmp_path, name).arguments}
        await queue.enqueue("stub", spec, user_id=1)
    runner = Runner(queue, pool, settings, kinds=KINDS, pace=Pace(poll_s=0.01))
    running = asyncio.create_task(runner.run_forever())
    await until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    assert (await queue.counts())["running"] == 2
    (tmp_path / "go").touch()

    async def all_done() -> bool:
        return (await queue.counts())["done"] == 3

    await until(all_done)
    runner.stop()
    await running
    assert len(await database.fetch("SELECT * FROM effect")) == 3


async def test_a_folder_is_indexed_side_by_side(database: Database, tmp_path: Path) -> None:
    class Watching(Pool):
        now = most = runs = 0

        async def run(self, *arguments: Any) -> dict[str, Any]:
            self.now, self.runs = self.now + 1, self.runs + 1
            self.most = max(self.most, self.now)
            try:
                return await super().run(*arguments)
            finally:
                self.now -= 1

    for number in range(5):
        write_tone(tmp_path / "music" / f"{number}.ogg", 200 + 50 * number, 1.1)
    shutil.copy(tmp_path / "music" / "0.ogg", tmp_path / "music" / "0 again.ogg")
    pool = Watching([LocalEngine(WorkerOptions("none")) for _ in range(2)])
    try:
        report = await FolderIndex(tmp_path / "music", database, pool).run()
    finally:
        await pool.stop()
    assert (report.added, report.duplicates, report.failures) == (5, 1, 0)
    assert (pool.most, pool.runs) == (2, 5)  # the copy waited for its twin
