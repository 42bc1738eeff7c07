"""A runner process with the tests' own kind of job, to be killed. Arguments: data folder.

The effect of a job is one row in the table `effect`, which has no unique key on purpose: a job that took effect
twice would show.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from core.library.database import Transaction
from core.library.schema import open_database
from jobs.engines.base import Request, WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import Done, Kind, TaskSettings, Work
from jobs.process import serve
from jobs.queue import Queue
from jobs.runner import Pace, Runner


async def stub(work: Work) -> Done:
    spec = work.claimed.spec
    result = await work.engine.run(Request(spec["task"], spec), work.report, work.should_stop)

    async def effect(transaction: Transaction) -> dict[str, Any]:
        await transaction.run("INSERT INTO effect (job_id) VALUES (?)", [work.claimed.id])
        return {"effect": True}

    return Done(result, effect)


KINDS = {"stub": Kind("stub", dict, dict, stub)}
EFFECTS = "CREATE TABLE IF NOT EXISTS effect (job_id INTEGER NOT NULL) STRICT"
PACE = Pace(lease_s=30, poll_s=0.01, drain_s=30)


async def main(data: Path) -> None:
    async with await open_database(data / "moodstem.db") as database:
        queue = Queue(database, backoff_s=0.05)
        engine = LocalEngine(WorkerOptions("none", extra_tasks=Path(__file__).with_name("stub_tasks.py")))
        await serve(Runner(queue, engine, TaskSettings(data), kinds=KINDS, pace=PACE))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
