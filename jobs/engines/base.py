"""What every engine has in common: the request, the ways a run can end, the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.errors import Fact, UserError

OnProgress = Callable[[str, float], None]
"""Called with the stage, a short word, and the share that is done, 0..1."""

ShouldStop = Callable[[], bool]
"""Asked several times a second: does nobody want the result any more?"""


@dataclass(frozen=True)
class Request:
    """One piece of work: the kind of job whose `compute` is to be called, and its arguments, plain JSON data.

    `reads` and `writes` name the arguments that are paths of files on this machine which the task reads and writes:
    an engine whose workers are elsewhere carries them there and back.
    """

    task: str
    arguments: dict[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


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
    """The worker ended in the middle: a signal, out of memory, a fault in native code. `fact` says which."""

    def __init__(self, why: Fact) -> None:
        super().__init__(why)
        self.fact = why


class TimedOut(Exception):  # noqa: N818 - an outcome
    """The worker showed no progress for too long, or took too long in all, and was killed; `fact` says which."""

    def __init__(self, why: Fact) -> None:
        super().__init__(why)
        self.fact = why


class TaskFailed(Exception):  # noqa: N818 - an outcome
    """The task raised something unexpected: a bug. The text is the last line, `details` the traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class Unavailable(UserError):  # noqa: N818 - an outcome
    """The engine has nothing to compute with now (a cluster that cannot be reached, say). No request is at fault:
    put it back. Its text says what the operator can do."""


class Engine(Protocol):
    """Maps requests over the workers it has. `run` may be called at any time; a request waits for a free worker."""

    @property
    def slots(self) -> int:
        """How many requests it can work on at once now; 0 while it has no worker that is ready.

        Whoever has many requests keeps no more than this many in `run`, so that nothing piles up behind the engine.
        """
        ...

    @property
    def ready(self) -> int:
        """How many workers live and have the separator loaded, at work or not."""
        ...

    @property
    def ends(self) -> list[float]:
        """When workers ended by themselves (crashed, were killed), in Unix seconds."""
        ...

    async def start(self) -> dict[str, Any]:
        """Make ready; returns {"separator", "separator_version", ...} of the separator that is loaded.

        Raises UserError when it cannot be loaded, Unavailable when there is nothing to load it on.
        """
        ...

    async def stop(self) -> None:
        """Let go of every process, at once."""
        ...

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """Do the work and return its result.

        Raises UserError (the input is at fault: never try again), Unavailable, core.separation.base.Cancelled,
        TimedOut, Crashed or TaskFailed. Cancelling the awaiting task ends the work at once.
        """
        ...
