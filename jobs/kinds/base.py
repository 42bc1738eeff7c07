"""What a task gets from its runner and gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.folders import DataFolder
from core.separation.base import Separator

if TYPE_CHECKING:  # the worker imports this module too, and needs none of these
    from core.library.database import Database
    from jobs.engines.base import Engine
    from jobs.model import Claimed
    from jobs.queue import Effect


@dataclass(frozen=True)
class TaskSettings(DataFolder):
    """What tasks need to know of the configuration. `data` is the data folder; lengths are in seconds."""

    data: Path
    upload_seconds: float = 600.0
    folder_seconds: float = 900.0


@dataclass
class Work:
    """One claimed job in the hands of a task.

    `report` tells stage and share; `should_stop` says that the result is not wanted any more (cancelled, lease
    lost, shutdown); `give_way` says that something more urgent waits, which long background tasks heed by
    raising GiveBack.
    """

    claimed: Claimed
    database: Database
    engine: Engine
    settings: TaskSettings
    report: Callable[[str, float], None]
    should_stop: Callable[[], bool]
    give_way: Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Context:
    """What a task gets in the worker, beside its arguments."""

    separator: Separator
    report: Callable[[str, float], None]
    """Tell stage and share; raises Cancelled when nobody wants the result any more."""


@dataclass(frozen=True)
class Done:
    """A job's result; `effect` is written in the transaction that ends the job, `tidy` called after it."""

    result: dict[str, Any] = field(default_factory=dict)
    effect: Effect | None = None
    measured: bool = True
    tidy: Callable[[], None] | None = None


class GiveBack(Exception):  # noqa: N818 - a request
    """Put the job back into the queue, to go on later; `notes` are added to its spec for then."""

    def __init__(self, notes: dict[str, Any] | None = None) -> None:
        super().__init__("given back")
        self.notes = notes or {}


@dataclass(frozen=True)
class TaskKind:
    """The runner's side of one kind of job: `run`, and `clean`, which removes what an ended job left on disk."""

    run: Callable[[Work], Awaitable[Done]]
    clean: Callable[[dict[str, Any], TaskSettings], None] | None = None
