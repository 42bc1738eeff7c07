"""Run runners as processes: their settings, their signals, and their restart after a crash.

`moodstem worker` is such a process, and `moodstem run` starts one beside the bot (`RunnerProcess`).
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
from pathlib import Path

from core import logs
from core.library.schema import open_database
from core.protection import protect_process
from core.settings import HTDemucsSettings, LimitSettings, Settings
from jobs.engines.registry import job_settings, make_engine
from jobs.kinds.base import TaskSettings
from jobs.queue import Queue
from jobs.runner import Runner

log = logging.getLogger(__name__)

TOLD = ("data", "jobs", "limits", "htdemucs")
"""The settings that a runner process is told on its command line, which all users of the machine can read."""


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


async def run_worker(settings: Settings, *, with_parent: bool = False) -> None:
    """Run jobs with a database connection and an engine of its own until a signal ends it: `moodstem worker`."""
    engine = make_engine(settings, warm=True)
    longest = settings.limits.duration_min * 60
    task_settings = TaskSettings(settings.data.absolute(), longest, max(longest, 900.0))
    async with await open_database(settings.database) as database:
        queue = Queue(database, running_per_user=settings.limits.running_per_user)
        await serve(Runner(queue, engine, task_settings), with_parent=with_parent)


class RunnerProcess:
    """Runs `run_worker` in a process beside this one, and starts it again whenever it ends by itself.

    A thread watches it, so no event loop has to.
    """

    def __init__(self, settings: Settings) -> None:
        told = settings.model_dump_json(include=set(TOLD), serialize_as_any=True)
        self._command = [sys.executable, "-P", "-m", "jobs.process", "--with-parent", told]
        self._ending = threading.Event()
        self.ends: list[float] = []
        """When it ended by itself, in Unix seconds."""
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, None while it runs or is about to be started again."""
        return self._process.poll() if self._ending.is_set() else None

    def terminate(self, timeout_s: float = 25.0) -> None:
        """Send SIGTERM; the process has a quarter of the time to finish its job before it puts it back, and is killed in the
        end. Blocks."""
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
        quick = 0
        while True:
            began = time.monotonic()
            code = self._process.wait()
            if self._ending.is_set():
                return
            log.error("The worker process ended (%s): starting it again", code)
            if self._process.stdin is not None:
                self._process.stdin.close()
            self.ends.append(time.time())
            quick = quick + 1 if time.monotonic() - began < 10 else 0
            if self._ending.wait(min(0.2 * 2**quick, 30.0)):
                return
            self._process = self._start()


def _settings(text: str) -> Settings:
    """Return settings of which the areas in TOLD alone are set; no file and no variable is read."""
    given = json.loads(text)
    return Settings.model_construct(
        data=Path(given["data"]),
        jobs=job_settings()(**given["jobs"]),
        limits=LimitSettings(**given["limits"]),
        htdemucs=HTDemucsSettings(**given["htdemucs"]),
    )


def main(arguments: list[str] | None = None) -> None:
    """Do what a RunnerProcess asks for: `python -m jobs.process`."""
    protect_process()
    parser = argparse.ArgumentParser(prog="python -m jobs.process", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("settings", type=_settings, help=f"{', '.join(TOLD)} of the settings as JSON")
    given = parser.parse_args(arguments)
    logs.configure_child()
    asyncio.run(run_worker(given.settings, with_parent=given.with_parent))


if __name__ == "__main__":
    main()
