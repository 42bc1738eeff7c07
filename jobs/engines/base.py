"""Define what all engines share: requests, outcomes, options and the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import Fact, UserError

if TYPE_CHECKING:
    from core.settings import JobSettings

OnProgress = Callable[[str, float], None]
"""Called with the stage (a short word) and the share that is done, 0..1."""

ShouldStop = Callable[[], bool]
"""Returns whether the result is no longer wanted; called several times a second."""


@dataclass(frozen=True)
class Request:
    """A task for a worker: the kind of job whose `compute` is called, and its arguments as JSON data.

    `reads` and `writes` name the arguments that are paths of local files which the task reads and writes; an engine with
    remote workers transfers them.
    """

    task: str
    arguments: dict[str, Any] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """The resource limits of one run.

    `stall_s`: seconds without a report of progress; `time_s`: seconds in total; `memory_mb`: resident memory of
    the worker (Linux only: read from /proc); `grace_s`: seconds between asking to stop and killing.
    """

    stall_s: float = 600.0
    time_s: float = 4 * 3600.0
    memory_mb: float | None = 8192.0
    grace_s: float = 5.0


@dataclass(frozen=True)
class WorkerOptions:
    """The options of every worker, wherever it runs."""

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
    """The worker ended during the run (a signal, out of memory, a crash in native code); `fact` says which."""

    def __init__(self, why: Fact) -> None:
        super().__init__(why)
        self.fact = why


class TimedOut(Exception):  # noqa: N818 - an outcome
    """The worker was killed since it reported no progress or took too long in total; `fact` says which."""

    def __init__(self, why: Fact) -> None:
        super().__init__(why)
        self.fact = why


class TaskFailed(Exception):  # noqa: N818 - an outcome
    """The task raised an unexpected exception. The text is its last line, `details` the traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class Unavailable(UserError):  # noqa: N818 - an outcome
    """The engine has no workers now (an unreachable cluster, say): put the request back. The text tells the operator what
    to do."""


class Engine(Protocol):
    """Runs requests on its workers. `run` may be called at any time; a request waits for a free worker."""

    @property
    def slots(self) -> int:
        """The number of requests that it can run at once now; 0 while no worker is ready.

        Callers should not have more than this in `run` at a time.
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
        """Load the separator and return {"separator", "separator_version", ...} of it.

        Raises UserError if it cannot be loaded, Unavailable if there is no worker to load it on.
        """
        ...

    async def stop(self) -> None:
        """End every process at once."""
        ...

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result.

        Raises UserError (the input is invalid: do not retry), Unavailable, core.separation.base.Cancelled,
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
