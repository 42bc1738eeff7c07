"""What every engine has in common: the request, the ways a run can end, the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

OnProgress = Callable[[str, float], None]
"""Called with the stage, a short word, and the share that is done, 0..1."""

ShouldStop = Callable[[], bool]
"""Asked several times a second: does nobody want the result any more?"""


@dataclass(frozen=True)
class Request:
    """One piece of work: the name of a task in jobs.worker.TASKS and its arguments, plain JSON data."""

    task: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What one run may use, whatever it does.

    `stall_s`: seconds without any sign of progress; `time_s`: seconds in all; `memory_mb`: resident memory of
    the worker (Linux only: read from /proc); `grace_s`: seconds between asking to stop and killing.
    """

    stall_s: float = 600.0
    time_s: float = 4 * 3600.0
    memory_mb: float | None = 8192.0
    grace_s: float = 5.0


class Crashed(Exception):  # noqa: N818 - an outcome
    """The worker ended in the middle: a signal, out of memory, a fault in native code. Its text says which."""


class TimedOut(Exception):  # noqa: N818 - an outcome
    """The worker showed no progress for too long, or took too long in all, and was killed."""


class TaskFailed(Exception):  # noqa: N818 - an outcome
    """The task raised something unexpected: a bug. The text is the last line, `details` the traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class Engine(Protocol):
    """Runs one request at a time. The Ray engine will map the same requests over a cluster."""

    async def start(self) -> dict[str, Any]:
        """Make ready; returns {"separator", "separator_version"} of the separator that is loaded.

        Raises UserError when it cannot be loaded.
        """
        ...

    async def stop(self) -> None:
        """Let go of every process, at once."""
        ...

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """Do the work and return its result.

        Raises UserError (the input is at fault: never try again), core.separation.base.Cancelled, TimedOut,
        Crashed or TaskFailed. Cancelling the awaiting task ends the work at once.
        """
        ...
