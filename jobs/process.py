"""Runners as processes: what they are told, how signals end them, and one that is started again when it dies.

`moodstem worker` is such a process, and `moodstem run` starts one beside the bot (`spawn_runner`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core import logs
from core.library.schema import open_database
from core.protection import protect_process
from jobs.engines.base import Engine, Limits
from jobs.engines.local import LocalEngine
from jobs.engines.pool import Pool
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Runner

log = logging.getLogger(__name__)


async def serve(runner: Runner, *, with_parent: bool = False) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP, then drain; a second signal gives the running job back at once.

    With `with_parent`, the end of standard input counts as a signal: then an embedded worker ends with the bot
    that started it, however that one ended.
    """
    loop = asyncio.get_running_loop()
    signals = 0

    def asked_to_end() -> None:
        nonlocal signals
        signals += 1
        runner.stop(None if signals == 1 else 0.0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_end)
    if with_parent:
        threading.Thread(target=_follow_parent, args=[loop, runner], daemon=True).start()
    await runner.run_forever()


def _follow_parent(loop: asyncio.AbstractEventLoop, runner: Runner) -> None:
    os.read(0, 1)  # returns when the parent's end of the pipe closes; nothing is ever written
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(runner.stop, 2.0)


@dataclass(frozen=True)
class RunnerOptions:
    """Everything that a runner process needs to know; `data` is the data folder, lengths are in seconds."""

    data: Path
    separator: str = "auto"
    weights: Path | None = None
    genre_model: Path | None = None
    threads: int = 1
    htdemucs: dict[str, Any] | None = None
    """See core.separation.registry.load_separator."""
    engine: str = "local"
    """'local' or 'ray'; what it means is in core.settings.JobSettings, as for the next four."""
    workers: int = 0
    ray_address: str = "auto"
    gpu_share: float | None = None
    storage: str = ""
    upload_seconds: float = 600.0
    folder_seconds: float = 900.0
    time_s: float = 4 * 3600.0
    """For one track, whatever its length."""
    memory_mb: float = 8192.0
    """Resident memory of the worker."""
    device: str = "auto"
    """'auto' (a GPU where there is one), 'cpu', 'cuda' or 'cuda:N'."""
    running_per_user: int | None = None

    def to_json(self) -> str:
        """One argument of `python -m jobs.process`."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> RunnerOptions:
        given = json.loads(text)
        paths = {name: Path(given[name]) for name in ("data", "weights", "genre_model") if given[name]}
        return cls(**given | paths)


def make_engine(options: RunnerOptions, *, warm: bool = False) -> Engine:
    """The engine that the options ask for; its workers start with it."""
    common: dict[str, Any] = {
        "weights_dir": options.weights,
        "genre_model": options.genre_model,
        "threads": options.threads,
        "htdemucs": options.htdemucs,
        "device": options.device,
        "limits": Limits(memory_mb=options.memory_mb, time_s=options.time_s),
        "warm": warm,
    }
    if options.engine == "ray":
        from jobs.engines.cluster.actors import Cluster
        from jobs.engines.cluster.engine import RayEngine

        cluster = Cluster(options.ray_address, options.workers, options.gpu_share, options.storage)
        return RayEngine(options.separator, cluster=cluster, **common)
    engines = [LocalEngine(options.separator, **common) for _ in range(max(options.workers, 1))]
    return engines[0] if len(engines) == 1 else Pool(engines)


async def run_worker(options: RunnerOptions, *, with_parent: bool = False) -> None:
    """A runner with its own database connection and engine, until a signal ends it: `moodstem worker`."""
    engine = make_engine(options, warm=True)
    settings = TaskSettings(options.data, options.upload_seconds, options.folder_seconds)
    async with await open_database(options.data / "moodstem.db") as database:
        queue = Queue(database, running_per_user=options.running_per_user)
        await serve(Runner(queue, engine, settings), with_parent=with_parent)


class RunnerProcess:
    """A runner in a process of its own, started again whenever it ends by itself. A thread watches it, so no
    event loop has to."""

    def __init__(self, options: RunnerOptions) -> None:
        self._command = [sys.executable, "-P", "-m", "jobs.process", "--with-parent", options.to_json()]
        self._ending = threading.Event()
        self.restarts = 0
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """None while it runs (or is about to be started again), else its exit code."""
        return self._process.poll() if self._ending.is_set() else None

    def terminate(self, timeout_s: float = 25.0) -> None:
        """SIGTERM: it has a quarter of the time to finish its job, then gives it back; killed at last. Blocks."""
        self._ending.set()
        process = self._process
        for share in (0.25, 0.75):  # giving back takes up to Limits.grace_s when the worker does not listen
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s * share)
                break
        else:
            process.kill()
            process.wait()
        self._watcher.join()
        if process.stdin is not None:
            process.stdin.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # The pipe on its standard input is never written to: its end tells the runner that we are gone.
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            code = self._process.wait()
            if self._ending.is_set():
                return
            log.error("The worker process ended (%s): starting it again", code)
            if self._process.stdin is not None:
                self._process.stdin.close()
            quick = time.monotonic() - began < 10
            self.restarts = self.restarts + 1 if quick else 0
            if self._ending.wait(min(0.2 * 2**self.restarts, 30.0)):
                return
            self._process = self._start()


def spawn_runner(options: RunnerOptions) -> RunnerProcess:
    """Start a worker process beside this one, for `moodstem run` and `moodstem try`."""
    return RunnerProcess(options)


def main(arguments: list[str] | None = None) -> None:
    """`python -m jobs.process`: what `spawn_runner` starts."""
    protect_process()
    parser = argparse.ArgumentParser(prog="python -m jobs.process", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("options", type=RunnerOptions.from_json, help="RunnerOptions as JSON")
    given = parser.parse_args(arguments)
    logs.configure_child()
    asyncio.run(run_worker(given.options, with_parent=given.with_parent))


if __name__ == "__main__":
    main()
