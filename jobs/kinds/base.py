"""What a kind of job is, and what its two sides get: the runner's, and the worker's, which computes."""

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
"""A kind's Spec: a dataclass of JSON values that says what is asked."""
R = TypeVar("R")
"""A kind's Result: a dataclass of JSON values that says what came out."""


@dataclass(frozen=True)
class TaskSettings(DataFolder):
    """What jobs need to know of the configuration. `data` is the data folder; lengths are in seconds."""

    data: Path
    upload_seconds: float = 600.0
    folder_seconds: float = 900.0


@dataclass
class Work(Generic[S]):
    """One claimed job, as the runner's side of its kind gets it.

    `report` takes the stage and the share that is done. `should_stop` is true once nobody wants the result any more
    (cancelled, lease lost, shutdown); `give_way` is true while a more urgent job waits for the runner, which long
    background jobs answer by raising GiveBack.
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
    """What the worker's side gets beside its arguments."""

    separator: Separator
    genre_model: Path | None
    """Another model than the bundled one."""
    report: Callable[[str, float], None]
    """Takes the stage and the share that is done; raises Cancelled when nobody wants the result any more."""


Compute = Callable[[dict[str, Any], Context], dict[str, Any]]
"""The worker's side: from a request's arguments to its answer, both JSON data. It never sees the database."""


@dataclass(frozen=True)
class Done(Generic[R]):
    """A job that ended well.

    `effect` writes in the transaction that ends the job, and returns the result where only that knows it. `tidy` is
    called afterwards. `measured` is false for a job that cost nothing, which says nothing about the speed of others.
    """

    result: R | None = None
    effect: Callable[[Transaction], Awaitable[R | None]] | None = None
    measured: bool = True
    tidy: Callable[[], None] | None = None


class GiveBack(Exception):  # noqa: N818 - a request
    """Put the job back into the queue, to go on later with this Spec (None: with the same)."""

    def __init__(self, spec: Any = None) -> None:
        super().__init__("given back")
        self.spec = spec


def _no_files(about: object, folder: DataFolder) -> Sequence[Path]:
    return ()


@dataclass(frozen=True)
class Kind(Generic[S, R]):
    """One kind of job: its name in the queue, its data, its two sides and its files in the data folder."""

    name: str
    Spec: type[S]
    Result: type[R]
    run: Callable[[Work[S]], Awaitable[Done[R]]]
    """The runner's side. It may ask the engine for the `compute` of any kind."""
    compute: Compute | None = None
    inputs: Callable[[S, DataFolder], Sequence[Path]] = _no_files
    """Files that belong to the job until it is done; they are removed when it ends in another way."""
    outputs: Callable[[R, DataFolder], Sequence[Path]] = _no_files
    """Files that the finished job made for its user alone."""

    def spec(self, job: Job | Claimed) -> S:
        """Return what the job was asked. Raises TypeError when another version of Moodstem wrote it."""
        return self.Spec(**job.spec)

    def result(self, job: Job) -> R:
        """Return what came out of a job that is done."""
        return self.Result(**(job.result or {}))
