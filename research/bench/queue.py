"""The queue with full durability beside Huey on SQLite and a plain sqlite3 loop, and how soon an idle one starts.

A job is claimed and completed, each in a transaction of its own that is on disk when it returns (WAL,
synchronous=FULL on all sides). The plain loop does the same two updates on a table without leases, tokens, fairness
or change numbers: it is the floor. Huey deletes a task before it runs it, so a task whose worker is killed is lost;
it is measured as its own consumer works, dequeue and execute, with its result stored. Rounds alternate between the
sides and medians count, since other load on the machine comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from core.library.schema import open_database
from jobs.engines.base import WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import Done, Kind, TaskSettings, Work
from jobs.process import serve
from jobs.queue import Queue
from jobs.runner import Runner

JOBS, STARTS, ROUNDS = 600, 60, 5
TARGET_MS = 300.0


def run(jobs: int = JOBS, starts: int = STARTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure; about a minute. `ours` and `peers` give seconds per job (claim and complete) and its inverse."""
    names = [name for name in SIDES if name != "huey" or importlib.util.find_spec("huey")]
    seconds: dict[tuple[str, int], list[float]] = {(name, count): [] for name in names for count in (1, 2)}
    exact = True
    with tempfile.TemporaryDirectory(prefix="moodstem-bench-") as folder:
        for number in range(rounds):
            for (name, count), taken in seconds.items():
                path = Path(folder) / f"{number}-{name}-{count}" / "moodstem.db"
                path.parent.mkdir()
                fill, _, done = SIDES[name]
                fill(path, jobs)
                with _long_log(path):
                    taken.append(_drain(name, path, count) / jobs)
                exact = exact and done(path) == jobs
        waits = asyncio.run(_starts(Path(folder) / "idle", starts))
    each = {key: median(values) for key, values in seconds.items()}
    p95 = 1000 * quantiles(waits, n=20)[-1]
    sides = {
        name: {
            "seconds_per_job": each[name, 1],
            "jobs_per_s": 1 / each[name, 1],
            "jobs_per_s_two_processes": 1 / each[name, 2],
        }
        for name in names
    }
    ours = sides.pop("ours")
    waited = {"enqueue_to_start_p50_ms": 1000 * median(waits), "enqueue_to_start_p95_ms": p95}
    return {
        "name": "queue",
        "work": f"{jobs} jobs claimed and completed, synchronous=FULL, one process and two, median of {rounds}"
        f" alternating rounds; {starts} jobs put into an idle queue",
        "ours": ours | waited,
        "peers": sides,
        "ratio": {name: each[name, 1] / each["ours", 1] for name in sides},
        "checks": {
            "every_job_done_once": exact,
            "start_p95_below_300_ms": p95 < TARGET_MS,
            "huey": "measured" if "huey" in sides else "not installed (extra dev), so not measured",
        },
    }


@contextmanager
def _long_log(path: Path) -> Iterator[None]:
    """The write-ahead log as long as it gets in a service that has run for a while; while a new one still grows,
    each commit changes the file's length as well, which takes the file system several times as long."""
    with closing(_plain(path)) as connection:
        connection.execute("CREATE TABLE ballast (data BLOB)")
        connection.execute("INSERT INTO ballast VALUES (zeroblob(6000000))")
        connection.execute("DROP TABLE ballast")
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        yield


def _drain(side: str, path: Path, processes: int) -> float:
    """Seconds that this many processes take for all jobs, from a common start to the last end."""
    command = [sys.executable, "-m", "research.bench.queue", side, str(path)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    spans = [worker.communicate()[0].split() for worker in workers]
    if any(worker.returncode for worker in workers):
        raise RuntimeError("a process of the queue benchmark failed")
    return max(float(span[1]) for span in spans) - min(float(span[0]) for span in spans)


def _wait_for_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


# -- ours -----------------------------------------------------------------------------------------------


def _fill_ours(path: Path, jobs: int) -> None:
    async def fill() -> None:
        async with await open_database(path) as database:
            queue = Queue(database)
            for number in range(jobs):
                await queue.enqueue("bench", {"number": number}, user_id=number % 7)

    asyncio.run(fill())


def _drain_ours(path: Path) -> None:
    async def drain() -> None:
        async with await open_database(path) as database:
            queue = Queue(database, running_per_user=2)
            _wait_for_go()
            began = time.time()
            while claimed := await queue.claim("bench", 60):
                await queue.finish(claimed, {"ok": True})
            print(began, time.time())

    asyncio.run(drain())


def _done_jobs(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [count] = connection.execute("SELECT count(*) FROM job WHERE state = 'done'").fetchone()
        return int(count)


# -- a plain loop ---------------------------------------------------------------------------------------


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def _fill_plain(path: Path, jobs: int) -> None:
    with closing(_plain(path)) as connection:
        connection.execute(
            "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT NOT NULL, spec TEXT, result TEXT)"
        )
        connection.execute("CREATE INDEX ready ON job (id) WHERE state = 'queued'")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO job (state, spec) VALUES ('queued', ?)", [("{}",)] * jobs)
        connection.execute("COMMIT")


def _drain_plain(path: Path) -> None:
    with closing(_plain(path)) as connection:
        _wait_for_go()
        began = time.time()
        while rows := connection.execute(
            "UPDATE job SET state = 'running' WHERE id = (SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 1)"
            " RETURNING id"
        ).fetchall():
            connection.execute("UPDATE job SET state = 'done', result = '{}' WHERE id = ?", [rows[0][0]])
        print(began, time.time())


# -- Huey -----------------------------------------------------------------------------------------------


def _huey(path: Path) -> tuple[Any, Any]:
    """A Huey on SQLite that is as durable as we are, and its task."""
    from huey import SqliteHuey

    logging.getLogger("huey").setLevel(logging.ERROR)
    huey = SqliteHuey("bench", filename=str(path), fsync=True, timeout=10)

    def work(number: int) -> dict[str, bool]:
        return {"ok": True}

    work.__module__ = (
        "research.bench.queue"  # also where this module is __main__: Huey finds tasks by their names
    )
    return huey, huey.task()(work)


def _fill_huey(path: Path, jobs: int) -> None:
    huey, work = _huey(path)
    for number in range(jobs):
        work(number)
    huey.storage.close()


def _drain_huey(path: Path) -> None:
    huey, _ = _huey(path)
    _wait_for_go()
    began = time.time()
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    print(began, time.time())


def _done_huey(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [left] = connection.execute("SELECT count(*) FROM task").fetchone()
        [results] = connection.execute("SELECT count(*) FROM kv").fetchone()
        return int(results) if not left else 0


SIDES: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], None], Callable[[Path], int]]] = {
    "ours": (_fill_ours, _drain_ours, _done_jobs),
    "huey": (_fill_huey, _drain_huey, _done_huey),
    "sqlite3": (_fill_plain, _drain_plain, _done_jobs),
}
"""Name -> put so many jobs there, work through them, count those that are done."""


# -- an idle queue --------------------------------------------------------------------------------------


async def _starts(data: Path, starts: int) -> list[float]:
    """Seconds from enqueue to start of jobs that come at random moments, with a runner in its own process."""
    async with await open_database(data / "moodstem.db") as database:
        queue = Queue(database)
        runner = subprocess.Popen([sys.executable, "-m", "research.bench.queue", "serve", str(data)])  # noqa: ASYNC220
        try:
            waits = []
            for number in range(starts + 1):
                job = await queue.enqueue("bench", {}, user_id=1)
                while not job.ended:
                    await asyncio.sleep(0.02)
                    found = await queue.get(job.id)
                    assert found is not None
                    job = found
                    if runner.poll() is not None:
                        raise RuntimeError("the runner of the queue benchmark failed")
                assert job.started_at is not None
                if number:  # the first one waited for the process to start
                    waits.append(job.started_at - job.created_at)
                await asyncio.sleep(random.uniform(0.05, 0.25))
        finally:
            runner.terminate()
            await asyncio.to_thread(runner.wait)
    return waits


async def _serve(data: Path) -> None:
    async def nothing(work: Work[dict[str, Any]]) -> Done[dict[str, Any]]:
        return Done()

    async with await open_database(data / "moodstem.db") as database:
        kinds = {"bench": Kind("bench", dict, dict, nothing)}
        await serve(
            Runner(Queue(database), LocalEngine(WorkerOptions("none")), TaskSettings(data), kinds=kinds)
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One process of the benchmark; `run` starts them.")
    parser.add_argument("part", choices=[*SIDES, "serve"])
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    if given.part == "serve":
        asyncio.run(_serve(given.path))
    else:
        SIDES[given.part][1](given.path)
