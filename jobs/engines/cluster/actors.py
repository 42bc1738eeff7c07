"""Start the actors of a Ray cluster where there is room, check them before use, and replace lost ones.

An actor is a `jobs.engines.cluster.station.Station`. If its machine has other versions than the home, the
machine is not used for a while: analyses of two versions never mix.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from core.separation.registry import describe
from jobs.engines.base import ShouldStop, Unavailable, WorkerOptions
from jobs.engines.cluster.membership import in_thread, kill, last_line
from jobs.engines.cluster.station import Station
from jobs.engines.pool import Idle

log = logging.getLogger(__name__)

POLL_S = 0.05
MAINTAIN_S = 2.0
HEAD_S = 20.0
"""Time limit for the head's answer. Ray ends a process whose head has been gone for a minute: its jobs must be put back
before."""
REFUSED_S = 300.0
"""Seconds until a machine that cannot be used is tried again."""
PAUSE_S = 15.0
STARTS = 3
"""Consecutive actors that must fail to start before it is reported: one may be lost with its machine."""

VERSION_LABELS = {
    "separator": "the separator",
    "separator_version": "its version",
    "analyser_version": "Moodstem's analyser",
    "genre_model": "the genre model",
    "torch": "torch",
    "python": "Python",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """The cluster, and the resources that are requested of it.

    `address` is 'auto' (the cluster that this machine belongs to), 'host:port' of its head, or 'local' (start one
    here, for this process). `workers` is the number of actors, 0 for as many as fit; `gpu_share` the GPU of each,
    None for a whole one if the cluster has any and the separator uses it. `storage`: see jobs.engines.cluster.transfer.
    After `idle_s` seconds without work all actors but one are ended. An actor that does not answer for `patience_s`
    seconds is lost. A request waits up to `room_s` seconds for the first actor.
    """

    address: str = "auto"
    workers: int = 0
    gpu_share: float | None = None
    storage: str = ""
    idle_s: float = 600.0
    patience_s: float = 60.0
    room_s: float = 120.0


@dataclass(eq=False)
class ReadyActor:
    """An actor that is ready, and its machine."""

    actor: Any
    node: str
    host: str


class Lost(Exception):  # noqa: N818 - an outcome
    """The actor has ended or does not answer."""


class Fleet:
    """The actors of one home; `facts` are the versions that every actor must have."""

    def __init__(self, cluster: Cluster, options: WorkerOptions, facts: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.options = options
        self.facts = facts
        self.ready: set[ReadyActor] = set()
        self.in_use = 0
        """The number of requests that have an actor or wait for one."""
        self._used_at = time.monotonic()
        self._idle: Idle[ReadyActor] = Idle()
        self._coming: dict[asyncio.Task[None], Any] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._problem = ""
        self._failed_starts = 0
        self._unavailable = False
        self._pause_until = 0.0
        self._wake = asyncio.Event()
        self._maintaining = asyncio.create_task(self._maintain_loop())

    async def stop(self) -> None:
        """End every actor and what runs there at once."""
        tasks = [self._maintaining, *self._coming]
        actors = [*(ready.actor for ready in self.ready), *self._coming.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for actor in actors:
            kill(actor)
        self.ready.clear()

    # -- for requests ---------------------------------------------------------------------------------

    async def take(self, should_stop: ShouldStop | None = None) -> ReadyActor:
        """Wait for a free actor and return it.

        Raises Cancelled when `should_stop` returns True, Unavailable if there is no actor at all.
        """
        deadline = time.monotonic() + self.cluster.room_s
        self.in_use += 1
        self._wake.set()

        def give_up() -> bool:
            nonlocal deadline
            if self.ready:
                deadline = time.monotonic() + self.cluster.room_s
            else:
                self._raise_if_unavailable(deadline)
            return should_stop is not None and should_stop()

        try:
            return await self._idle.take(give_up)
        except BaseException:
            self._release()
            raise

    def put(self, ready: ReadyActor) -> None:
        """Mark the actor as idle."""
        self._release()
        if ready in self.ready:
            self._idle.put(ready)

    def lose(self, ready: ReadyActor) -> None:
        """Drop an actor that was taken and is lost."""
        self._release()
        self._drop(ready)

    def refuse(self, node: str, sentence: str) -> None:
        """Exclude a machine for a while, and log why."""
        if node not in self._refused:
            log.error("%s", sentence)
        self._refused[node] = (time.monotonic() + REFUSED_S, sentence)
        self._wake.set()

    async def first(self) -> None:
        """Wait until one actor is ready. Raises Unavailable with the reason if none gets ready."""
        deadline = time.monotonic() + self.cluster.room_s
        while not self.ready:
            self._raise_if_unavailable(deadline)
            await asyncio.sleep(POLL_S)

    async def answer(self, reference: Awaitable[T]) -> T:
        """Return the result of a call to an actor. Raises Lost if it has none."""
        from ray.exceptions import RayError

        try:
            return await asyncio.wait_for(reference, self.cluster.patience_s)
        except TimeoutError:
            raise Lost(f"it did not answer for {self.cluster.patience_s:.0f} seconds") from None
        except RayError as error:
            raise Lost(last_line(error)) from error

    # -- inside ---------------------------------------------------------------------------------------

    def _release(self) -> None:
        self.in_use -= 1
        self._used_at = time.monotonic()

    def _raise_if_unavailable(self, deadline: float) -> None:
        waited = time.monotonic() > deadline
        if self._unavailable or waited or (self._problem and not self._coming):
            raise Unavailable(
                self._problem or "The Ray cluster has no room for a worker now: wait, or add a machine."
            )

    async def _maintain_loop(self) -> None:
        """Start actors that are missing, end idle ones, and drop lost ones, until cancelled."""
        while True:
            try:
                await self._fill()
                await self._check_idle()
            except Exception as error:
                log.error("The Ray cluster cannot be looked after: %s", last_line(error))
                self._problem = f"The Ray cluster does not answer ({last_line(error)}): look at its head."
                self._unavailable = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), MAINTAIN_S)
            self._wake.clear()

    async def _fill(self) -> None:
        """Start missing actors and end surplus ones."""
        now = time.monotonic()
        self._refused = {node: entry for node, entry in self._refused.items() if entry[0] > now}
        share, most = await in_thread(self._room, HEAD_S)
        wanted = self.cluster.workers or most
        self._unavailable = not most and (bool(self._refused) or not wanted)
        if self._unavailable:
            self._problem = " ".join(sorted({sentence for _, sentence in self._refused.values()})) or (
                f"No machine of the Ray cluster has room for {self._asks(share)}: add one, or ask for less in [jobs]."
            )
        if not self.in_use and now - self._used_at > self.cluster.idle_s:
            wanted = min(wanted, 1)
        surplus = len(self.ready) + len(self._coming) - wanted
        for task, actor in list(self._coming.items())[: max(surplus, 0)]:
            task.cancel()
            kill(actor)
            surplus -= 1
        while surplus > 0 and (ready := self._idle.take_now()) is not None:
            self._drop(ready)
            surplus -= 1
        if now >= self._pause_until and not self._unavailable:
            for _ in range(-surplus):
                actor = self._new_actor(share)
                task = asyncio.create_task(self._bring_up(actor))
                self._coming[task] = actor
                task.add_done_callback(lambda task: self._coming.pop(task, None))

    def _room(self) -> tuple[float, int]:
        """Return the GPU share of each actor, and how many fit on the machines that are not refused."""
        import ray

        nodes = [node for node in ray.nodes() if node["Alive"]]
        share = self.cluster.gpu_share
        if self.options.device == "cpu":
            share = 0.0
        elif share is None:
            gpus = any(node["Resources"].get("GPU") for node in nodes)
            share = 1.0 if gpus and describe(self.facts["separator"]).uses_gpu else 0.0
        most = 0
        for node in nodes:
            if node["NodeID"] not in self._refused:
                fit = int(node["Resources"].get("CPU", 0) / self.options.threads)
                most += min(fit, int(node["Resources"].get("GPU", 0) / share + 1e-6)) if share else fit
        return share, most

    def _asks(self, share: float) -> str:
        cores = f"{self.options.threads} CPU {'core' if self.options.threads == 1 else 'cores'}"
        return f"a worker ({cores}{f' and {share:g} GPU' if share else ''})"

    def _new_actor(self, share: float) -> Any:
        import ray

        asked: dict[str, Any] = {
            "num_cpus": self.options.threads,
            "num_gpus": share,
            "max_restarts": 0,  # a new one is checked anew
            "max_task_retries": 0,
            "max_concurrency": 8,
            "scheduling_strategy": "SPREAD",
        }
        if self._refused:
            asked["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._refused)})"}
        options = self.options if share else replace(self.options, device="cpu")
        return ray.remote(Station).options(**asked).remote(options)

    async def _bring_up(self, actor: Any) -> None:
        """Start a new actor, and add it to those that are ready or note why it cannot be used."""
        from ray.exceptions import RayError

        try:
            found = await actor.start.remote()  # waits while the cluster has no room
        except RayError as error:
            kill(actor)
            self._failed_starts += 1
            self._wake.set()
            if self._failed_starts >= STARTS:
                self._problem = (
                    f"A machine of the Ray cluster cannot start a worker ({last_line(error)}): "
                    "install the same Moodstem there."
                )
                self._pause_until = time.monotonic() + PAUSE_S
                log.error("%s", self._problem)
            return
        problem = found.get("problem") or difference(self.facts, found)
        if problem:
            kill(actor)
            self.refuse(found["node"], f"The machine {found['host']} is not used: {problem}")
            return
        self._problem, self._failed_starts = "", 0
        ready = ReadyActor(actor, found["node"], found["host"])
        self.ready.add(ready)
        self._idle.put(ready)

    async def _check_idle(self) -> None:
        """Drop idle actors that are gone, so that the number of ready actors is true."""

        async def check(ready: ReadyActor) -> None:
            try:
                await self.answer(ready.actor.ping.remote())
            except Lost as error:
                log.warning("A worker on %s is lost: %s", ready.host, error)
                self._drop(ready)

        await asyncio.gather(*(check(ready) for ready in self._idle.all()))

    def _drop(self, ready: ReadyActor) -> None:
        self.ready.discard(ready)
        self._idle.remove(ready)
        kill(ready.actor)
        self._wake.set()


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return what differs between two machines, as the end of a sentence; empty when their analyses are the same."""
    found = [
        f"{label} {theirs.get(key)} instead of {ours[key]}"
        for key, label in VERSION_LABELS.items()
        if key in ours and theirs.get(key) != ours[key]
    ]
    return f"it has {', '.join(found)}; install the same versions there as here." if found else ""
