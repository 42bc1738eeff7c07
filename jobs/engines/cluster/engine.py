"""The Ray engine runs requests in actors on the machines of a Ray cluster.

Ray places the actors (a GPU or a share of one for each), detects lost machines and transfers bytes; the queue stays in
SQLite at home. A request is sent to an actor only when that is idle, so the number of actors bounds what is in the
cluster.

A request whose actor or machine is lost goes to another one, which does not count as an attempt. The station survives a
request that kills its worker and reports it, so that this is Crashed as with the local engine.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from core.errors import UserError, error_of, fact
from core.separation.base import Cancelled
from core.settings import JobSettings
from jobs.engines.base import (
    Crashed,
    EngineInfo,
    OnProgress,
    Request,
    ShouldStop,
    TaskFailed,
    TimedOut,
    WorkerOptions,
)
from jobs.engines.cluster.actors import POLL_S, Cluster, Fleet, Lost, ReadyActor
from jobs.engines.cluster.membership import Membership
from jobs.engines.cluster.station import Outcome, Status
from jobs.engines.cluster.survey import survey
from jobs.engines.cluster.transfer import StagedFile, check_storage, discard_copy, stage_file, write_back
from jobs.engines.local import LocalEngine

log = logging.getLogger(__name__)

LOSSES = 3
"""Actors that one request may lose while it runs; then it is held to be the cause."""


def check_installed() -> None:
    """Raise UserError if the extra `ray` is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("The engine 'ray' is not installed: pip install 'moodstem[ray]'.")


class RaySettings(JobSettings):
    """The keys of `[jobs]` that say where the cluster is and how it is used."""

    ray_address: str = "auto"
    """'auto' (the cluster that this machine belongs to), host:port of its head, or 'local' (one of our own, here)."""
    gpu_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """How much of a GPU each worker gets; when not said, a whole one where there are any."""
    storage: str = ""
    """How files reach the workers: see jobs.engines.cluster.transfer."""


class RayEngine:
    """Maps requests over the actors of a cluster: see jobs.engines.base.Engine."""

    def __init__(self, options: WorkerOptions, *, cluster: Cluster) -> None:
        check_installed()
        self.cluster = cluster
        self.options = options
        self._fleet: Fleet | None = None
        self._membership: Membership | None = None
        self.ends: list[float] = []
        self._numbers = itertools.count(1)
        self._lock = asyncio.Lock()

    @property
    def slots(self) -> int:
        """The number of actors that are ready."""
        return len(self._fleet.ready) if self._fleet else 0

    ready = slots

    async def start(self) -> dict[str, Any]:
        """Wait until one actor is ready: see jobs.engines.base.Engine.start.

        Raises Unavailable if the cluster is unreachable, has no room, or only has machines with other versions.
        """
        fleet = await self._joined()
        await fleet.first()
        return dict(fleet.facts)

    async def stop(self) -> None:
        """End every actor and what runs there at once, and leave the cluster."""
        async with self._lock:
            if self._fleet is not None:
                fleet, self._fleet = self._fleet, None
                await fleet.stop()
                if self._membership is not None:
                    await self._membership.leave()

    async def run(
        self, request: Request, on_progress: OnProgress | None = None, should_stop: ShouldStop | None = None
    ) -> dict[str, Any]:
        """See jobs.engines.base.Engine.run."""
        fleet = await self._joined()
        losses = 0
        staged: dict[str, StagedFile] = {}
        contents: list[Any] = []
        try:
            while True:
                ready = await fleet.take(should_stop)
                try:
                    if len(staged) < len(request.reads):  # only now: what waits takes no room in the cluster
                        await self._pack(request, staged, contents)
                except BaseException:
                    fleet.put(ready)
                    raise
                call = _Call(fleet, ready, next(self._numbers))
                try:
                    outcome = await call.run(request, staged, contents, on_progress, should_stop)
                except Lost as error:
                    log.warning("A worker on %s is lost: %s", ready.host, error)
                    self.ends.append(time.time())
                    fleet.lose(ready)
                    losses += call.begun
                    if losses >= LOSSES:
                        raise Crashed(fact("worker-lost", count=losses)) from error
                    continue
                except BaseException:  # nobody waits for it any more
                    fleet.lose(ready)
                    raise
                if outcome.kind == "astray":
                    fleet.lose(ready)
                    fleet.refuse(ready.node, f"The machine {ready.host} is not used: {outcome.message}.")
                    continue
                fleet.put(ready)
                return await asyncio.to_thread(_result_of, outcome, request)
        finally:
            for file in staged.values():
                if file.copied:
                    await asyncio.to_thread(discard_copy, file)

    async def _joined(self) -> Fleet:
        async with self._lock:
            if self._fleet is None:
                check_storage(self.cluster.storage)
                facts = await self._own_facts()
                self._membership = await Membership.join(self.cluster.address)
                self._fleet = Fleet(self.cluster, self.options, facts)
            return self._fleet

    async def _own_facts(self) -> dict[str, Any]:
        """Return the versions of this machine's own worker, which all actors must have."""
        own = LocalEngine(replace(self.options, device="cpu", warm=False))
        try:
            return await own.start()
        finally:
            await own.stop()

    async def _pack(self, request: Request, staged: dict[str, StagedFile], contents: list[Any]) -> None:
        import ray

        for name in request.reads:
            file, content = await asyncio.to_thread(
                stage_file, Path(request.arguments[name]), self.cluster.storage
            )
            staged[name] = file
            contents.append(None if content is None else await asyncio.to_thread(ray.put, content))


class _Call:
    """One request that an actor runs."""

    def __init__(self, fleet: Fleet, ready: ReadyActor, number: int) -> None:
        self.fleet = fleet
        self.actor = ready.actor
        self.number = number
        self.begun = False

    async def run(
        self,
        request: Request,
        staged: dict[str, StagedFile],
        contents: list[Any],
        on_progress: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> Outcome:
        """Return the request's outcome. Raises Lost if the actor is."""
        await self.fleet.answer(self.actor.begin.remote(self.number, request, staged, *contents))
        self.begun = True
        asked_to_stop = False
        told: tuple[str, float] | None = None
        while True:
            looking = asyncio.ensure_future(self.fleet.answer(self.actor.status.remote(self.number)))
            try:
                while not looking.done():
                    await asyncio.wait([looking], timeout=POLL_S)
                    if not asked_to_stop and should_stop is not None and should_stop():
                        asked_to_stop = True
                        self.actor.cancel.remote(self.number)
            finally:
                looking.cancel()
            look: Status = looking.result()
            if on_progress is not None and look.progress not in (None, told):
                told = look.progress
                on_progress(*look.progress)
            if look.outcome is not None:
                return look.outcome


def _result_of(outcome: Outcome, request: Request) -> dict[str, Any]:
    """Return the result, or raise what the local engine would."""
    match outcome.kind:
        case "result":
            write_back(outcome.files, request.arguments)
            return outcome.result
        case "refused":
            raise error_of(outcome.fact)
        case "cancelled":
            raise Cancelled
        case "timeout":
            raise TimedOut(outcome.fact)
        case "crashed":
            raise Crashed(outcome.fact)
        case _:
            raise TaskFailed(outcome.message, outcome.details)


def _make(settings: RaySettings, options: WorkerOptions) -> RayEngine:
    cluster = Cluster(settings.ray_address, settings.workers, settings.gpu_share, settings.storage)
    return RayEngine(options, cluster=cluster)


def _examine(settings: RaySettings) -> Iterator[tuple[str, bool, str, bool]]:
    """Status at the machines of the cluster."""
    name = "Ray cluster"
    try:
        check_installed()
        check_storage(settings.storage)
    except UserError as error:
        yield name, False, str(error), True
        return
    if settings.ray_address == "local":
        yield name, True, "each `moodstem run` and `moodstem worker` starts its own, here", True
        return
    found = survey(settings.ray_address)
    if "problem" in found:
        yield name, False, found["problem"], True
        return
    machines = found["machines"]
    cpus, gpus = (sum(machine[kind] for machine in machines) for kind in ("cpus", "gpus"))
    count = f"{len(machines)} machine{'' if len(machines) == 1 else 's'}"
    yield name, True, f"Ray {found['ray']}: {count}, {cpus:g} CPU cores, {gpus:g} GPUs", True
    for machine in machines:
        if machine["problem"]:
            yield f"machine {machine['host']}", False, f"not used: {machine['problem']}", False


INFO = EngineInfo("ray", _make, RaySettings, _examine)
