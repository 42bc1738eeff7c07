"""A worker as the cluster sees it: a local engine on another machine, told what to do from afar.

One lives in each Ray actor, but nothing here needs Ray. The separator is loaded in the engine's own child process, so
a request that kills its worker leaves the station standing, which says so: only that counts against the request. When
the station itself is lost, its machine is.
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
from jobs.engines.cluster.transfer import Astray, Parcel, unpack
from jobs.engines.local import LocalEngine

LOOK_S = 1.0
SILENCE_S = 300.0
"""The home asks all the time: when it has not for so long, there is none any more."""
FOLDER = "moodstem-station-"

Kind = Literal["result", "refused", "cancelled", "timeout", "crashed", "failed", "astray"]


@dataclass(frozen=True)
class Outcome:
    """How a request ended; `files` holds what the task wrote, by argument."""

    kind: Kind
    message: str = ""
    details: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    fact: Fact = field(default_factory=dict)
    """Of what was refused, crashed or took too long."""


@dataclass(frozen=True)
class Look:
    """What there is to see of a request: its latest progress, and its outcome once it has one."""

    progress: tuple[str, float] | None
    outcome: Outcome | None


class Station:
    """See above. Calls may overlap, but requests do not: one at a time."""

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
        """Load the separator. {"host", "node", ...facts}, or "problem" instead of the facts: why it cannot be loaded."""
        _sweep()
        here = {"host": socket.gethostname(), "node": _node()}
        if here["node"] and self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            return {**await self.engine.start(), **here}
        except (UserError, Crashed, TimedOut) as error:
            return {"problem": str(error), **here}

    async def begin(
        self, number: int, request: Request, parcels: Mapping[str, Parcel], *contents: bytes | None
    ) -> None:
        """Start on a request; `contents` are the bytes of the parcels, in their order."""
        self._number, self._unwanted = number, False
        self._progress = self._told = None
        self._task = asyncio.create_task(self._work(request, parcels, contents))

    async def look(self, number: int) -> Look:
        """Wait for news of the request, at most a second."""
        assert self._task is not None
        assert number == self._number
        waited = 0.0
        self._heard_at = time.monotonic()
        while not self._task.done() and self._progress == self._told and waited < LOOK_S:
            await asyncio.wait([self._task], timeout=0.05)
            waited += 0.05
        self._told = self._progress
        return Look(self._progress, self._task.result() if self._task.done() else None)

    async def cancel(self, number: int) -> None:
        """Nobody wants the result any more."""
        if number == self._number:
            self._unwanted = True

    async def ping(self) -> None:
        """Answer, if there is anybody."""
        self._heard_at = time.monotonic()

    async def _work(
        self, request: Request, parcels: Mapping[str, Parcel], contents: Sequence[bytes | None]
    ) -> Outcome:
        folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        try:
            arguments = dict(request.arguments)
            for (name, parcel), content in zip(parcels.items(), contents, strict=True):
                arguments[name] = str(await asyncio.to_thread(unpack, parcel, content, folder, name))
            written = {name: folder / f"{name}.out" for name in request.writes if arguments.get(name)}
            arguments |= {name: str(path) for name, path in written.items()}
            result = await self.engine.run(
                Request(request.task, arguments), self._hear, lambda: self._unwanted
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
        except (Astray, OSError) as error:
            return Outcome("astray", str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _watch(self) -> None:
        """End with Ray on this machine, or when nobody asks: an actor whose raylet was killed would live on, and hold
        its GPU (seen with Ray 2.60)."""
        parent = os.getppid()
        while os.getppid() == parent and time.monotonic() - self._heard_at < SILENCE_S:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(1.0)
        await self.engine.stop()
        os._exit(1)

    def _hear(self, stage: str, share: float) -> None:
        self._progress = (stage, share)


def _node() -> str:
    """This machine's id in the cluster; empty outside of one."""
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().get_node_id()) if ray and ray.is_initialized() else ""


def _sweep() -> None:
    """Remove what stations of this machine left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        pid = folder.name.removeprefix(FOLDER).partition("-")[0]
        if not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
