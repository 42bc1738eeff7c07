"""Runners and workers as processes, killed at any moment: what was confirmed ends, and takes effect once.

Kills at random, of the bot as well, are in tests/bot/test_random_kills.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.library.database import Database
from core.settings import JobSettings, Settings
from jobs.owner import is_dead, this_owner
from jobs.process import RunnerProcess
from jobs.queue import Queue
from tests.jobs.helpers import effects, is_running, put_stub, until
from tests.make import WORDS, write_tone

pytestmark = pytest.mark.slow

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start(database: Database) -> Iterator[Start]:
    """Starts runner processes; whatever is left of them is ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def one() -> subprocess.Popen[bytes]:
        code = "import sys, asyncio; from tests.jobs.stub_runner import main; from pathlib import Path;"
        code += " asyncio.run(main(Path(sys.argv[1])))"
        process = subprocess.Popen([sys.executable, "-c", code, str(database.path.parent)], cwd=ROOT)
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.wait()


ROOT = Path(__file__).resolve().parents[2]


async def all_ended(queue: Queue) -> bool:
    counts = await queue.counts()
    return counts["queued"] == counts["running"] == 0


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


async def test_kill_9_of_the_runner_in_the_middle(live_queue: Queue, start: Start, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(go))
    first = start()
    await until(lambda: began.exists() and began.read_text())
    worker = int(began.read_text())
    first.kill()
    first.wait()
    await until(lambda: not is_running(worker))  # the worker does not outlive its runner
    began.unlink()
    start()
    await until(began.exists)
    go.touch()
    await until(lambda: all_ended(live_queue))
    seen = await live_queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.attempt) == ("done", 2)
    assert Counter(await effects(live_queue)) == {job.id: 1}


async def test_kill_9_of_the_worker_in_the_middle(live_queue: Queue, start: Start, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(go))
    start()
    await until(lambda: began.exists() and began.read_text())
    os.kill(int(began.read_text()), signal.SIGKILL)
    go.touch()
    await until(lambda: all_ended(live_queue))
    seen = await live_queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.attempt) == ("done", 2)
    assert Counter(await effects(live_queue)) == {job.id: 1}


async def test_sigterm_drains(live_queue: Queue, start: Start, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(go))
    waiting = await put_stub(live_queue)
    runner = start()
    await until(began.exists)
    runner.send_signal(signal.SIGTERM)
    go.touch()
    assert runner.wait(60) == 0
    assert [(await live_queue.get(one.id)).state for one in (job, waiting)] == ["done", "queued"]  # type: ignore[union-attr]


async def test_a_second_signal_gives_back(live_queue: Queue, start: Start, tmp_path: Path) -> None:
    began = tmp_path / "began"
    job = await put_stub(live_queue, "wait", began=str(began), until=str(tmp_path / "never"))
    runner = start()
    await until(began.exists)
    runner.send_signal(signal.SIGTERM)

    async def given_back() -> bool:
        runner.send_signal(signal.SIGINT)
        seen = await live_queue.get(job.id)
        return seen is not None and (seen.state, seen.attempt) == ("queued", 0)

    await until(given_back)
    runner.wait(60)


async def test_an_embedded_runner_is_restarted_and_ends_with_us(database: Database, tmp_path: Path) -> None:
    data = database.path.parent
    queue = Queue(database)
    write_tone(data / "uploads" / "abc")
    runner = RunnerProcess(Settings(data=data, jobs=JobSettings(separator="none")))
    try:
        await until(lambda: has_runners(queue, 1))
        first = runner.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: runner.pid != first)
        assert runner.poll() is None
        job = await queue.enqueue("analyse", {"path": "abc", "name": "Tone.ogg", "words": WORDS}, user_id=1)
        await until(lambda: all_ended(queue))
        seen = await queue.get(job.id)
        assert seen is not None
        assert seen.state == "done", seen.error
    finally:
        runner.terminate()
    assert runner.poll() == 0
    assert await queue.runners() == []


async def has_runners(queue: Queue, count: int) -> bool:
    return len(await queue.runners()) == count


async def test_an_embedded_runner_ends_with_its_killed_parent(database: Database) -> None:
    code = (
        "import sys, time; from core.settings import Settings; from jobs.process import RunnerProcess\n"
        "runner = RunnerProcess(Settings(data=sys.argv[1], jobs={'separator': 'none'}))\n"
        "print(runner.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(database.path.parent)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    runner = int(parent.stdout.readline())
    queue = Queue(database)
    await until(lambda: has_runners(queue, 1))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    await until(lambda: not is_running(runner))
    assert await queue.runners() == []


def test_owners_are_told_apart() -> None:
    mine = this_owner()
    host, boot, pid, started = mine.split("|")
    assert not is_dead(mine)
    assert is_dead(f"{host}|another boot|{pid}|{started}")
    assert is_dead(f"{host}|{boot}|{pid}|{int(started) - 1}")  # the number was used again
    assert not is_dead(f"another host|{boot}|{pid}|1")
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert is_dead(f"{host}|{boot}|{process.pid}|12345")
