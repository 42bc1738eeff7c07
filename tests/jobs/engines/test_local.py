"""The worker process behind the local engine: real processes, killed for real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.separation.base import Cancelled
from core.track_analysis import ANALYSER_VERSION
from jobs.engines.base import Crashed, Request, TaskFailed, TimedOut, WorkerOptions
from jobs.engines.local import LocalEngine
from tests.jobs.helpers import STUBS, is_running, until
from tests.refusals import refusal


async def test_answers_with_progress_and_keeps_the_worker(engine: LocalEngine) -> None:
    facts = await engine.start()
    assert (facts["separator"], facts["separator_version"]) == ("none", "1")
    assert (facts["analyser_version"], facts["torch"]) == (ANALYSER_VERSION, "2.13.0")
    heard: list[tuple[str, float]] = []
    first = await engine.run(Request("echo", {"say": "ä"}), lambda stage, share: heard.append((stage, share)))
    second = await engine.run(Request("echo"))
    assert (first["said"], first["separator"]) == ("ä", "none")
    assert first["pid"] == second["pid"] == engine.pid
    assert heard == [("echo", 0.0), ("echo", 1 / 3), ("echo", 2 / 3)]


async def test_tells_the_ways_to_fail_apart(engine: LocalEngine) -> None:
    with refusal("not music"):
        await engine.run(Request("refuse"))
    pid = engine.pid
    with pytest.raises(TaskFailed, match="ValueError: a bug of ours") as failed:
        await engine.run(Request("bug"))
    assert "stub_tasks.py" in failed.value.details
    assert engine.pid == pid
    with pytest.raises(Crashed, match="SIGKILL"):
        await engine.run(Request("die"))
    assert (await engine.run(Request("echo")))["pid"] != pid


async def test_a_worker_killed_while_idle_is_replaced(engine: LocalEngine) -> None:
    pid = (await engine.run(Request("echo")))["pid"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_running(pid))
    assert (await engine.run(Request("echo")))["pid"] != pid


async def test_cancel_is_heard_at_the_next_progress(engine: LocalEngine, tmp_path: Path) -> None:
    began = tmp_path / "began"
    request = Request("wait", {"began": str(began), "until": str(tmp_path / "never")})
    with pytest.raises(Cancelled):
        await engine.run(request, None, began.exists)
    pid = int(began.read_text())
    assert (await engine.run(Request("echo")))["pid"] == pid


async def test_a_deaf_task_is_killed_after_the_grace(engines: Callable[..., LocalEngine]) -> None:
    engine = engines(grace_s=0.1)
    await engine.start()
    pid, heard = engine.pid, asyncio.Event()
    with pytest.raises(Cancelled):
        await engine.run(Request("deaf"), lambda stage, share: heard.set(), heard.is_set)
    assert pid is not None
    assert not is_running(pid)
    assert (await engine.run(Request("echo")))["pid"] != pid


async def test_no_progress_for_too_long(engines: Callable[..., LocalEngine]) -> None:
    engine = engines(stall_s=0.2)
    with pytest.raises(TimedOut, match="no-progress"):
        await engine.run(Request("deaf"))
    assert engine.pid is None


async def test_too_long_in_all(engines: Callable[..., LocalEngine], tmp_path: Path) -> None:
    engine = engines(time_s=0.2)
    request = Request("wait", {"began": str(tmp_path / "began"), "until": str(tmp_path / "never")})
    with pytest.raises(TimedOut, match="not-done"):
        await engine.run(request)


async def test_too_much_memory(engines: Callable[..., LocalEngine]) -> None:
    engine = engines(memory_mb=600)
    with pytest.raises(Crashed, match=r"memory-limit.*600"):
        await engine.run(Request("eat"))


async def test_cancelling_the_caller_frees_the_worker(engine: LocalEngine, tmp_path: Path) -> None:
    began = tmp_path / "began"
    request = Request("wait", {"began": str(began), "until": str(tmp_path / "never")})
    running = asyncio.create_task(engine.run(request))
    await until(began.exists)
    pid = engine.pid
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert pid is not None
    assert not is_running(pid)


async def test_chatter_does_not_reach_the_conversation(engine: LocalEngine) -> None:
    assert await engine.run(Request("chatter")) == {"heard": 0}
    assert (await engine.run(Request("echo")))["said"] is None


async def test_a_worker_is_recycled() -> None:
    engine = LocalEngine(WorkerOptions("none", extra_tasks=STUBS), recycle_after=2)
    try:
        pids = [(await engine.run(Request("echo")))["pid"] for _ in range(4)]
    finally:
        await engine.stop()
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_a_separator_that_is_not_there_is_said() -> None:
    engine = LocalEngine(WorkerOptions("scissors"))
    try:
        with refusal("There is no separator 'scissors'"):
            await engine.start()
        with pytest.raises(UserError):
            await engine.run(Request("echo"))
    finally:
        await engine.stop()


def test_the_worker_ignores_signals_to_its_group_and_ends_with_its_parent() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.worker", "--separator", "none", "--extra-tasks", str(STUBS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert json.loads(worker.stdout.readline())["event"] == "ready"
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGTERM)
    worker.stdin.write(json.dumps({"id": 1, "task": "echo", "arguments": {"steps": 0}}) + "\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())["event"] == "begun"
    assert json.loads(worker.stdout.readline())["event"] == "result"
    worker.stdin.write(json.dumps({"id": 2, "task": "deaf", "arguments": {}}) + "\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())["event"] == "begun"
    worker.stdin.close()  # as when the parent is killed
    assert worker.wait(30) == 0
    worker.stdout.close()


@pytest.mark.parametrize(("device", "seen"), [("auto", None), ("cpu", ""), ("cuda:1", "1")])
async def test_the_worker_sees_the_gpu_that_was_chosen(
    device: str, seen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    engine = LocalEngine(WorkerOptions("none", device=device, extra_tasks=STUBS))
    try:
        result = await engine.run(Request("environment", {"name": "CUDA_VISIBLE_DEVICES"}))
        assert result["value"] == seen
    finally:
        await engine.stop()
