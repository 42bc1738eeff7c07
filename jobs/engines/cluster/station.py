"""A station runs a local engine on another machine by remote calls.

There is one in each Ray actor, but nothing here needs Ray. The separator is loaded in the engine's own child process, so
the station survives a request that kills its worker and reports it, which counts as an attempt. If the station itself
is lost, so is its machine, which does not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.errors import Fact, UserError
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Request, TaskFailed, TimedOut, WorkerOptions
from jobs.engines.cluster.transfer import FileUnreachable, StagedFile, fetch_file
from jobs.engines.local import LocalEngine

STATUS_S = 1.0
SILENCE_S = 300.0
"""Seconds without a call from the home, which calls all the time, after which it is taken for gone."""
FOLDER = "moodstem-station-"

Kind = Literal["result", "refused", "cancelled", "timeout", "crashed", "failed", "astray"]


@dataclass(frozen=True)
class Outcome:
    """How a request ended; `files` holds the contents that the task wrote, by argument."""

    kind: Kind
    message: str = ""
    details: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    fact: Fact = field(default_factory=dict)
    """The error of 'refused', 'timeout' and 'crashed'."""


@dataclass(frozen=True)
class Status:
    """The latest progress of a request, and its outcome once it has ended."""

    progress: tuple[str, float] | None
    outcome: Outcome | None


class Station:
    """Runs one request at a time; calls may overlap."""

    def __init__(self, options: WorkerOptions) -> None:
        self.engine = LocalEngine(options)
        self._task: asyncio.Task[Outcome] | None = None
        self._number = 0
        self._unwanted = False
        self._progress: tuple[str, float] | None = None
        self._told: tuple[str, float] | None = None
        self._heard_at = time.monotonic()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """Load the separator and return {"host", "node", ...facts}, or "problem", the reason, instead of the facts."""
        _sweep()
        here = {"host": socket.gethostname(), "node": _node()}
        if here["node"] and self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            return {**await self.engine.start(), **here}
        except (UserError, Crashed, TimedOut) as error:
            return {"problem": str(error), **here}

    async def begin(
        self, number: int, request: Request, staged: Mapping[str, StagedFile], *contents: bytes | None
    ) -> None:
        """Start a request; `contents` are the bytes of the staged files, in their order."""
        self._number, self._unwanted = number, False
        self._progress = self._told = None
        self._task = asyncio.create_task(self._work(request, staged, contents))

    async def status(self, number: int) -> Status:
        """Return the request's status when it changes, or after a second."""
        assert self._task is not None
        assert number == self._number
        waited = 0.0
        self._heard_at = time.monotonic()
        while not self._task.done() and self._progress == self._told and waited < STATUS_S:
            await asyncio.wait([self._task], timeout=0.05)
            waited += 0.05
        self._told = self._progress
        return Status(self._progress, self._task.result() if self._task.done() else None)

    async def cancel(self, number: int) -> None:
        """Stop the request, if it is still the current one."""
        if number == self._number:
            self._unwanted = True

    async def ping(self) -> None:
        """Show that the station answers."""
        self._heard_at = time.monotonic()

    async def _work(
        self, request: Request, staged: Mapping[str, StagedFile], contents: Sequence[bytes | None]
    ) -> Outcome:
        folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        try:
            arguments = dict(request.arguments)
            for (name, file), content in zip(staged.items(), contents, strict=True):
                arguments[name] = str(await asyncio.to_thread(fetch_file, file, content, folder, name))
            written = {name: folder / f"{name}.out" for name in request.writes if arguments.get(name)}
            arguments |= {name: str(path) for name, path in written.items()}
            result = await self.engine.run(
                Request(request.task, arguments), self._on_progress, lambda: self._unwanted
            )
            files = {name: path.read_bytes() for name, path in written.items() if path.is_file()}
            return Outcome("result", result=result, files=files)
        except Cancelled:
            return Outcome("cancelled")
        except UserError as error:
            return Outcome("refused", fact=error.fact)
        except TimedOut as error:
            return Outcome("timeout", fact=error.fact)
        except Crashed as error:
            return Outcome("crashed", fact=error.fact)
        except TaskFailed as error:
            return Outcome("failed", str(error), error.details)
        except (FileUnreachable, OSError) as error:
            return Outcome("astray", str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _watch(self) -> None:
        """End with Ray on this machine, or if the home makes no more calls: an actor whose raylet was killed would live on
        and keep its GPU (seen with Ray 2.60)."""
        parent = os.getppid()
        while os.getppid() == parent and time.monotonic() - self._heard_at < SILENCE_S:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(1.0)
        await self.engine.stop()
        os._exit(1)

    def _on_progress(self, stage: str, share: float) -> None:
        self._progress = (stage, share)


def _node() -> str:
    """Return this machine's id in the cluster; empty outside of one."""
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().get_node_id()) if ray and ray.is_initialized() else ""


def _sweep() -> None:
    """Remove the folders of stations of this machine that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        pid = folder.name.removeprefix(FOLDER).partition("-")[0]
        if not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
