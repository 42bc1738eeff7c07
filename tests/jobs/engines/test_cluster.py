"""The Ray engine on a real cluster on this machine: a head and up to two more machines, one killed in the middle.

Each machine has one core for workers, so a worker that asks for two fits nowhere but where a test puts it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

# Before Ray is imported: this machine's own address need not be reachable, start-up may take its time, and a machine
# that is gone is noticed in seconds, but not one that is busy for a few.
os.environ |= {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "20",
}

from bot.cli import main as cli
from core.errors import UserError
from core.library.database import Database
from core.separation.base import Cancelled
from core.settings import Settings
from jobs.engines.base import Crashed, Limits, Request, TaskFailed, Unavailable, WorkerOptions
from jobs.engines.cluster.actors import Cluster
from jobs.engines.cluster.engine import RayEngine, RaySettings
from jobs.kinds import index
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Pace, Runner
from tests.jobs.helpers import STUBS, is_running, look, put_stub, until
from tests.jobs.stub_runner import EFFECTS, KINDS
from tests.make import WORDS, write_tone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]  # one cluster at a time

STORE = 80 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[3]
Make = Callable[..., RayEngine]


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    from ray.cluster_utils import Cluster as Machines

    folder = tempfile.mkdtemp(prefix="ms-", dir="/tmp")  # paths of sockets must be short
    # Ray notes its last address there, wherever temp_dir is, and does not make the folder.
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)
    one = {"num_cpus": 1, "object_store_memory": STORE}
    machines = Machines(
        initialize_head=True, head_node_args={**one, "temp_dir": folder, "include_dashboard": False}
    )
    try:
        machines.add_node(**one)
        yield machines
    finally:
        machines.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def add_machine(machines: Any) -> Iterator[Callable[..., Any]]:
    """One more machine, for one test."""
    added: list[Any] = []

    def add(**given: Any) -> Any:
        added.append(machines.add_node(**{"num_cpus": 1, "object_store_memory": STORE} | given))
        return added[-1]

    yield add
    for node in added:
        if node in machines.worker_nodes:
            machines.remove_node(node, allow_graceful=False)
    machines.wait_for_nodes()  # until Ray has noticed who is gone


@pytest.fixture
async def make(machines: Any) -> AsyncIterator[Make]:
    made: list[RayEngine] = []

    def one(limits: Limits | None = None, threads: int = 1, **cluster: Any) -> RayEngine:
        given = {"address": machines.address, "room_s": 60.0} | cluster
        options = WorkerOptions("none", threads=threads, limits=limits or Limits(), extra_tasks=STUBS)
        engine = RayEngine(options, cluster=Cluster(**given))
        made.append(engine)
        return engine

    yield one
    for engine in made:
        await engine.stop()


def waiting(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    return {"began": str(folder / name), "until": str(folder / "go"), **more}


def begun(path: Path) -> bool:
    return path.exists() and bool(path.read_text())


async def test_does_what_the_local_engine_does(make: Make, tmp_path: Path) -> None:
    engine = make(Limits(grace_s=0.2, stall_s=20.0), workers=1)
    facts = await engine.start()
    assert (facts["separator"], facts["separator_version"], engine.slots) == ("none", "1", 1)
    heard: list[tuple[str, float]] = []
    answer = await engine.run(Request("echo", {"say": "ä", "pause": 0.3}), lambda *now: heard.append(now))
    assert (answer["said"], answer["separator"]) == ("ä", "none")
    assert {stage for stage, _ in heard} == {"echo"}
    assert [share for _, share in heard] == sorted(share for _, share in heard)
    with pytest.raises(UserError, match="not music"):
        await engine.run(Request("refuse"))
    with pytest.raises(TaskFailed, match="ValueError: a bug of ours") as failed:
        await engine.run(Request("bug"))
    assert "stub_tasks.py" in failed.value.details
    with pytest.raises(Crashed, match="SIGKILL"):
        await engine.run(Request("die"))
    with pytest.raises(Cancelled):
        began = tmp_path / "began"
        await engine.run(Request("wait", waiting(tmp_path, "began")), None, lambda: begun(began))
    told = asyncio.Event()
    with pytest.raises(Cancelled):
        await engine.run(Request("deaf"), lambda *now: told.set(), told.is_set)

    running = asyncio.create_task(engine.run(Request("wait", waiting(tmp_path, "again"))))
    await until(lambda: begun(tmp_path / "again"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pid = int((tmp_path / "again").read_text())
    await until(lambda: not is_running(pid))  # nothing goes on that nobody waits for

    song, picture = write_tone(tmp_path / "a.ogg", title="Title"), tmp_path / "a.png"
    arguments = {
        "path": str(song),
        "name": "a.ogg",
        "max_seconds": 60.0,
        "picture": str(picture),
        "words": WORDS,
    }
    answer = await engine.run(Request("analyse", arguments, reads=("path",), writes=("picture",)))
    assert answer["tags"]["title"] == "Title"
    assert picture.read_bytes().startswith(b"\x89PNG")


async def test_a_request_that_takes_its_machine_along_is_not_tried_for_ever(make: Make) -> None:
    engine = make(workers=1)
    with pytest.raises(Crashed, match=r"worker-lost.*3"):
        await engine.run(Request("die_with_parent"))
    assert (await engine.run(Request("echo", {"say": "still there"})))["said"] == "still there"


async def test_a_machine_is_killed_in_the_middle(
    make: Make, add_machine: Callable[..., Any], database: Database, settings: TaskSettings, tmp_path: Path
) -> None:
    """Nothing is lost, each track is analysed once in effect, and nobody's attempts are counted for it."""
    await database.write(EFFECTS)
    queue = Queue(database, backoff_s=0.05)
    doomed = add_machine()
    engine = make()
    runner = Runner(
        queue, engine, settings, kinds={**KINDS, "index": index.KIND}, pace=Pace(poll_s=0.01, drain_s=60)
    )
    for number in range(8):
        write_tone(tmp_path / "music" / f"{number}.ogg", 200 + 40 * number, 1.1)
    jobs = [await put_stub(queue, "wait", user, **waiting(tmp_path, f"began {user}")) for user in (1, 2, 3)]
    running = asyncio.create_task(runner.run_forever())
    await until(lambda: all(begun(tmp_path / f"began {user}") for user in (1, 2, 3)))
    assert engine.slots == 3
    pids = {user: int((tmp_path / f"began {user}").read_text()) for user in (1, 2, 3)}
    index_job = await queue.enqueue("index", {"folder": str(tmp_path / "music")}, user_id=4)
    raylet = doomed.all_processes["raylet"][0].process.pid
    os.kill(raylet, signal.SIGKILL)

    def moved() -> list[int]:
        return [
            user for user, pid in pids.items() if begun(tmp_path / f"began {user}") and not is_running(pid)
        ]

    await until(moved)
    assert len(moved()) == 1
    (tmp_path / "go").touch()

    async def all_ended() -> bool:
        counts = await queue.counts()
        return counts["queued"] == counts["running"] == 0

    await until(all_ended)
    runner.stop()
    await running
    for job in jobs:
        assert ((await look(queue, job)).state, (await look(queue, job)).attempt) == ("done", 1)
    took = [row[0] for row in await database.fetch("SELECT job_id FROM effect ORDER BY job_id")]
    assert took == [job.id for job in jobs]
    report = (await look(queue, index_job)).result
    assert report is not None
    assert (report["added"], report["failures"]) == (8, 0)
    assert (await database.fetch("SELECT count(*) FROM analysis"))[0][0] == 8


async def test_a_queue_of_poison_and_patience(
    make: Make, database: Database, settings: TaskSettings, tmp_path: Path
) -> None:
    """What kills its worker twice is set aside, no more is claimed than there are workers, and cancel is heard."""
    await database.write(EFFECTS)
    queue = Queue(database, backoff_s=0.05)
    engine = make()
    poison = await put_stub(queue, "die")
    runner = Runner(queue, engine, settings, kinds=KINDS, pace=Pace(poll_s=0.01, drain_s=60))
    running = asyncio.create_task(runner.run_forever())

    async def failed() -> bool:
        return (await look(queue, poison)).state == "failed"

    await until(failed)
    seen = await look(queue, poison)
    assert (seen.error_code, seen.attempt) == ("crash", 2)
    await until(lambda: engine.slots == 2)

    jobs = [await put_stub(queue, "wait", n, **waiting(tmp_path, f"began {n}")) for n in range(6)]
    await until(lambda: len(list(tmp_path.glob("began *"))) == 2)
    counts = await queue.counts()
    assert (counts["running"], counts["queued"]) == (2, 4)
    assert await queue.cancel(jobs[0].id)

    async def cancelled() -> bool:
        return (await look(queue, jobs[0])).state == "cancelled"

    await until(cancelled)
    await until(lambda: len(list(tmp_path.glob("began *"))) == 3)  # its worker took the next job
    (tmp_path / "go").touch()

    async def all_done() -> bool:
        return (await queue.counts())["done"] == 5

    await until(all_done)
    assert len(await database.fetch("SELECT * FROM effect")) == 5
    runner.stop()
    await running


async def test_only_what_has_a_worker_is_sent(make: Make, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    engine = make(storage=str(shared))
    song = write_tone(tmp_path / "song.ogg")
    await engine.start()
    await until(lambda: engine.slots == 2)
    requests = [
        Request("wait", waiting(tmp_path, f"began {n}", path=str(song)), reads=("path",)) for n in range(5)
    ]
    running = [asyncio.create_task(engine.run(request)) for request in requests]
    await until(lambda: len(list(tmp_path.glob("began *"))) == 2)
    assert len(list(shared.rglob("*.ogg"))) == 2
    (tmp_path / "go").touch()
    await asyncio.gather(*running)
    assert not list(shared.rglob("*.ogg"))


async def test_other_versions_are_never_mixed(
    make: Make,
    machines: Any,
    add_machine: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine with another analyser: its two cores are the only place for a worker that needs two."""
    other = tmp_path / "other" / "core"
    other.mkdir(parents=True)
    for entry in (ROOT / "core").iterdir():
        if entry.name != "track_analysis.py":
            (other / entry.name).symlink_to(entry)
    text = (ROOT / "core" / "track_analysis.py").read_text()
    (other / "track_analysis.py").write_text(text + "\nANALYSER_VERSION += 97\n")
    add_machine(num_cpus=2, env_vars={"PYTHONPATH": str(other.parent)})

    engine = make(threads=2)
    with pytest.raises(Unavailable, match=r"is not used: it has Moodstem's analyser 99 instead of 2;"):
        await engine.start()
    assert engine.slots == 0
    await engine.stop()

    monkeypatch.setenv("MOODSTEM_JOBS__ENGINE", "ray")
    monkeypatch.setenv("MOODSTEM_JOBS__RAY_ADDRESS", machines.address)
    doctor = await asyncio.to_thread(
        CliRunner().invoke, cli, ["--data", str(tmp_path / "data"), "doctor"], catch_exceptions=False
    )
    assert re.search(r"ok    Ray cluster: Ray [\d.]+: 3 machines, 4 CPU cores, 0 GPUs\n", doctor.output)
    assert doctor.output.count("not used: it has Moodstem's analyser 99 instead of 2;") == 1

    engine = make()  # the two other machines are good
    await engine.start()
    await until(lambda: engine.slots == 2)
    assert (await engine.run(Request("echo", {"say": "good"})))["said"] == "good"
    await engine.stop()

    with pytest.raises(
        Unavailable, match=r"No machine of the Ray cluster has room for a worker \(3 CPU cores\)"
    ):
        await make(threads=3).start()


async def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match=r"No Ray cluster answers at 127\.0\.0\.1:1:"):
        await RayEngine(WorkerOptions(), cluster=Cluster("127.0.0.1:1")).start()
    with pytest.raises(UserError, match="not a ray:// address"):
        await RayEngine(WorkerOptions(), cluster=Cluster("ray://127.0.0.1:10001")).start()


async def test_sigterm_drains_a_worker_of_the_cluster(
    machines: Any, database: Database, settings: TaskSettings
) -> None:
    queue = Queue(database)
    for number in range(6):
        write_tone(settings.uploads / str(number), 200 + 40 * number, 400.0 if number == 1 else 1.1)
        await queue.enqueue(
            "analyse", {"path": str(number), "name": f"{number}.ogg", "words": WORDS}, user_id=number
        )
    jobs = RaySettings(separator="none", engine="ray", ray_address=machines.address, threads=1)
    told = Settings(data=settings.data, jobs=jobs).model_dump_json(serialize_as_any=True)
    worker = subprocess.Popen([sys.executable, "-P", "-m", "jobs.process", told], cwd=ROOT)
    try:

        async def some_done() -> bool:
            return (await queue.counts())["done"] >= 1

        await until(some_done, timeout_s=120)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 60) == 0
    finally:
        worker.kill()
        worker.wait()
    counts = await queue.counts()
    assert counts["running"] == counts["failed"] == 0
    assert counts["done"] + counts["queued"] == 6
    assert (await database.fetch("SELECT count(*) FROM analysis"))[0][0] == counts["done"]
    assert all(job.attempt == 0 for job in await queue.jobs(state="queued"))
