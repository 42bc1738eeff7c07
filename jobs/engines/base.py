"""What every engine has in common: the request, the ways a run can end, the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import Fact, UserError

if TYPE_CHECKING:
    from core.settings import JobSettings

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


@dataclass(frozen=True)
class WorkerOptions:
    """What every worker is told, wherever it runs."""

    separator: str = "auto"
    weights: Path | None = None
    threads: int = 1
    htdemucs: Mapping[str, Any] = field(default_factory=dict)
    """See core.separation.base.SeparatorOptions, also for the two above."""
    genre_model: Path | None = None
    """Used in place of the bundled one; absolute."""
    device: str = "auto"
    """The GPU that the worker sees: 'auto' (any), 'cpu' (none), 'cuda' or 'cuda:N'."""
    limits: Limits = Limits()
    warm: bool = False
    """Do the slow first steps before the first request."""
    extra_tasks: Path | None = None
    """A Python file with more tasks; only tests have one."""


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


@dataclass(frozen=True)
class EngineInfo:
    """What Moodstem knows of an engine before it starts; the engine's file ends with one."""

    name: str
    """The value of `engine` under `[jobs]` in config.toml."""
    make: Callable[[Any, WorkerOptions], Engine]
    """Make an engine from its settings. Raises UserError when something that it needs is not installed."""
    settings: type[JobSettings] | None = None
    """A subclass of JobSettings with the keys that this engine adds to `[jobs]`."""
    examine: Callable[[Any], Iterable[tuple[str, bool, str, bool]]] = lambda settings: ()
    """Return lines for `moodstem doctor` from the settings: the name, whether all is well, a sentence that says what to
    do where it is not, and whether Moodstem cannot do without. May take seconds."""
