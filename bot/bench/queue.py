"""The queue with full durability against a plain sqlite3 loop, in the same run, and how soon an idle one starts.

A job is claimed and completed, each in a transaction of its own that is on disk when it returns. The plain loop
does the same two updates on a table without leases, tokens, fairness or change numbers: it is the floor. Rounds
alternate between the sides and medians count, since other load on the machine comes and goes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from core.library.store import Database
from jobs.engines.local import LocalEngine
from jobs.process import serve
from jobs.queue import Queue
from jobs.runner import Runner
from jobs.tasks.base import Done, TaskKind, TaskSettings, Work

JOBS = 600
STARTS = 60


def run(jobs: int = JOBS, starts: int = STARTS, rounds: int = 3) -> dict[str, Any]:
    """Measure; about half a minute. `ours` and `peers` give seconds per job (claim and complete) and its inverse."""
    seconds: dict[str, list[float]] = {"one": [], "two": [], "plain": [], "plain_two": []}
    exact: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="moodstem-bench-") as name:
        for number in range(rounds):
            folder = Path(name) / str(number)
            for label, drain, processes in (
                ("one", "drain", 1),
                ("plain", "plain", 1),
                ("two", "drain", 2),
                ("plain_two", "plain", 2),
            ):
                path = folder / label / "moodstem.db"
                fill = asyncio.run(_fill(path, jobs)) if drain == "drain" else _fill_plain(path, jobs)
                taken = _drain(drain, path, processes)
                seconds[label].append(taken / fill)
                exact.append(_done(path) == jobs)
        waits = asyncio.run(_starts(Path(name) / "idle", starts))
    per_job = {label: median(values) for label, values in seconds.items()}
    p95 = quantiles(waits, n=20)[-1]
    return {
        "name": "queue",
        "work": f"{jobs} jobs claimed and completed, synchronous=FULL, median of {rounds} rounds;"
        f" {starts} jobs put into an idle queue",
        "ours": {
            "seconds_per_job": per_job["one"],
            "jobs_per_s": 1 / per_job["one"],
            "jobs_per_s_two_processes": 1 / per_job["two"],
            "enqueue_to_start_p50_ms": 1000 * median(waits),
            "enqueue_to_start_p95_ms": 1000 * p95,
        },
        "peers": {
            "sqlite3": {
                "seconds_per_job": per_job["plain"],
                "jobs_per_s": 1 / per_job["plain"],
                "jobs_per_s_two_processes": 1 / per_job["plain_two"],
            }
        },
        "ratio": {"sqlite3": per_job["plain"] / per_job["one"]},
        "checks": {
            "every_job_done_once": all(exact),
            "start_p95_below_300_ms": p95 < 0.3,
            "huey": "installed, but not measured: it loses jobs when killed"
            if importlib.util.find_spec("huey")
            else "not installed, so not measured",
        },
    }


def _drain(way: str, path: Path, processes: int) -> float:
    """Seconds that this many processes take for all jobs, from a common start to the last end."""
    command = [sys.executable, "-m", "bot.bench.queue", way, str(path)]
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


async def _fill(path: Path, jobs: int) -> int:
    async with await Database.open(path) as database:
        queue = Queue(database)
        for number in range(jobs):
            await queue.enqueue("bench", {"number": number}, user_id=number % 7)
    return jobs


def _fill_plain(path: Path, jobs: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(_plain_connection(path)) as connection:
        connection.execute(
            "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT NOT NULL, spec TEXT, result TEXT)"
        )
        connection.execute("CREATE INDEX ready ON job (id) WHERE state = 'queued'")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO job (state, spec) VALUES ('queued', ?)", [("{}",)] * jobs)
        connection.execute("COMMIT")
    return jobs


def _done(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM job WHERE state = 'done'").fetchone()[0]
        return count


def _plain_connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


async def _drain_ours(path: Path) -> None:
    async with await Database.open(path) as database:
        queue = Queue(database)
        _wait_for_go()
        began = time.time()
        while claimed := await queue.claim("bench", 60):
            await queue.finish(claimed, {"ok": True})
        print(began, time.time())


def _drain_plain(path: Path) -> None:
    with closing(_plain_connection(path)) as connection:
        _wait_for_go()
        began = time.time()
        while rows := connection.execute(
            "UPDATE job SET state = 'running' WHERE id = (SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 1)"
            " RETURNING id"
        ).fetchall():
            connection.execute("UPDATE job SET state = 'done', result = '{}' WHERE id = ?", [rows[0][0]])
        print(began, time.time())


def _wait_for_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


async def _starts(data: Path, starts: int) -> list[float]:
    """Seconds from enqueue to start of jobs that come at random moments, with a runner in its own process."""
    async with await Database.open(data / "moodstem.db") as database:
        queue = Queue(database)
        runner = subprocess.Popen([sys.executable, "-m", "bot.bench.queue", "serve", str(data)])  # noqa: ASYNC220
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
    async def nothing(work: Work) -> Done:
        return Done()

    async with await Database.open(data / "moodstem.db") as database:
        kinds = {"bench": TaskKind(nothing)}
        await serve(Runner(Queue(database), LocalEngine("none"), TaskSettings(data), kinds=kinds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One process of the benchmark; `run` starts them.")
    parser.add_argument("part", choices=["drain", "plain", "serve"])
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    match given.part:
        case "drain":
            asyncio.run(_drain_ours(given.path))
        case "plain":
            _drain_plain(given.path)
        case "serve":
            asyncio.run(_serve(given.path))
