"""Define a kind of job: its data, what the runner does for it, and what the worker computes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.folders import DataFolder
from core.separation.base import Separator

if TYPE_CHECKING:  # the worker imports this module too, and needs none of these
    from core.library.database import Database, Transaction
    from jobs.engines.base import Engine
    from jobs.model import Claimed, Job

S = TypeVar("S")
"""A kind's Spec: a dataclass of JSON values, the parameters of a job."""
R = TypeVar("R")
"""A kind's Result: a dataclass of JSON values."""


@dataclass(frozen=True)
class TaskSettings(DataFolder):
    """The settings that jobs use. `data` is the data folder; the longest durations are in seconds."""

    data: Path
    upload_seconds: float = 600.0
    folder_seconds: float = 900.0


@dataclass
class Work(Generic[S]):
    """A claimed job and what its `Kind.run` may use.

    `report` takes the stage and the share that is done. `should_stop` returns whether the result is no longer wanted
    (cancelled, lease lost, shutdown), `give_way` whether a more urgent job waits for the runner, upon which long
    background jobs raise GiveBack.
    """

    claimed: Claimed
    spec: S
    database: Database
    engine: Engine
    settings: TaskSettings
    report: Callable[[str, float], None]
    should_stop: Callable[[], bool]
    give_way: Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Context:
    """What `Compute` may use besides its arguments."""

    separator: Separator
    genre_model: Path | None
    """Replaces the bundled model."""
    report: Callable[[str, float], None]
    """Takes the stage and the share that is done; raises Cancelled when the result is no longer wanted."""


Compute = Callable[[dict[str, Any], Context], dict[str, Any]]
"""Runs in the worker and computes a request's answer from its arguments, both JSON data, without the database."""


@dataclass(frozen=True)
class Done(Generic[R]):
    """The outcome of a job that succeeded.

    `effect` writes in the transaction that ends the job, and may return the result. `tidy` is called afterwards.
    `measured` is false for a job that computed nothing, so that it does not count in the measured speed.
    """

    result: R | None = None
    effect: Callable[[Transaction], Awaitable[R | None]] | None = None
    measured: bool = True
    tidy: Callable[[], None] | None = None


class GiveBack(Exception):  # noqa: N818 - a request
    """Raised to put the job back into the queue; it continues later with this Spec (None: the same)."""

    def __init__(self, spec: Any = None) -> None:
        super().__init__("given back")
        self.spec = spec


def _no_files(about: object, folder: DataFolder) -> Sequence[Path]:
    return ()


@dataclass(frozen=True)
class Kind(Generic[S, R]):
    """A kind of job: its name in the queue, its data, its code and its files in the data folder."""

    name: str
    Spec: type[S]
    Result: type[R]
    run: Callable[[Work[S]], Awaitable[Done[R]]]
    """Runs in the runner. It may have the engine call the `compute` of any kind."""
    compute: Compute | None = None
    inputs: Callable[[S, DataFolder], Sequence[Path]] = _no_files
    """Returns the files that belong to the job until it is done; they are removed if it fails or is cancelled."""
    outputs: Callable[[R, DataFolder], Sequence[Path]] = _no_files
    """Returns the files that the finished job made for its user alone."""

    def spec(self, job: Job | Claimed) -> S:
        """Return the job's parameters. Raises TypeError if another version of Moodstem wrote them."""
        return self.Spec(**job.spec)

    def result(self, job: Job) -> R:
        """Return the result of a job that is done."""
        return self.Result(**(job.result or {}))
