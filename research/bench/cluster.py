"""How much faster several workers are than one: two worker processes, and two actors of a Ray cluster, on this machine.

Every worker has one CPU thread, so that one worker does not use what the second one is for. Each round starts the
workers, lets every one of them analyse a track (the first one compiles and loads), and then times the same tracks, the
sample pieces with the bundled separator; rounds alternate between the ways and medians count. Ray would have its
workers step back behind other processes (nice 15); here all have the same priority.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from core.library.samples import manifest
from jobs.engines.base import Engine, Request, WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.engines.pool import Pool

TRACKS = 16
SEPARATOR = "unet"

ONE, TWO, RAY = "one worker", "two workers", "two Ray actors"


def run(tracks: int = TRACKS, rounds: int = 3) -> dict[str, Any]:
    """Measure; some minutes. `ours` and `peers` are seconds of wall clock per track; a ratio is peer over ours."""
    from core.audio.decode import decode

    pieces = [sample.path for sample in manifest()[:tracks]]
    seconds = sum(decode(path).seconds for path in pieces)
    ways = [ONE, TWO, *([RAY] if importlib.util.find_spec("ray") else [])]
    times: dict[str, list[float]] = {way: [] for way in ways}
    cores: list[float] = []
    answers: dict[str, list[Any]] = {}
    for number in range(rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            taken, used, answers[way] = asyncio.run(_round(way, pieces))
            times[way].append(taken / len(pieces))
            if way == ONE:
                cores.append(used / taken)
    middle = {way: median(values) for way, values in times.items()}
    best = ways[-1]
    return {
        "name": "cluster",
        "work": f"{len(pieces)} sample pieces of {seconds / len(pieces):.0f} s each, separator {SEPARATOR}, one CPU thread"
        f" for each worker, {os.cpu_count()} cores, median of {rounds} rounds",
        "ours": {best: {"seconds_per_track": middle[best]}},
        "peers": {way: {"seconds_per_track": middle[way]} for way in ways[:-1]},
        "ratio": {way: middle[way] / middle[best] for way in ways[:-1]},
        "speed_up_over_one_worker": {way: middle[ONE] / middle[way] for way in ways[1:]},
        "audio_seconds_per_second": {way: seconds / len(pieces) / middle[way] for way in ways},
        "rounds": times,
        "checks": {
            "cores_used_by_one_worker": median(cores),
            "every_way_gives_the_same_analyses": all(answer == answers[ONE] for answer in answers.values()),
            "ray": "measured" if RAY in ways else "not installed, so not measured",
        },
    }


def _engine(way: str) -> Engine:
    if way == RAY:
        from jobs.engines.cluster.actors import Cluster
        from jobs.engines.cluster.engine import RayEngine

        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - so it is called
        return RayEngine(WorkerOptions(SEPARATOR), cluster=Cluster("local", workers=2))
    workers = [LocalEngine(WorkerOptions(SEPARATOR)) for _ in range(1 if way == ONE else 2)]
    return workers[0] if way == ONE else Pool(workers)


async def _round(way: str, pieces: Sequence[Path]) -> tuple[float, float, list[Any]]:
    """Seconds of wall clock for all pieces, CPU seconds of the one worker (0 when it is not one), the analyses."""
    engine = _engine(way)
    wanted = 1 if way == ONE else 2
    try:
        await engine.start()
        while engine.slots < wanted:  # noqa: ASYNC110 - an engine tells nobody
            await asyncio.sleep(0.1)
        await asyncio.gather(*(_analyse(engine, pieces[0]) for _ in range(wanted)))
        pid = engine.pid if isinstance(engine, LocalEngine) else None
        begun, used = time.perf_counter(), _cpu_s(pid)
        answers = await asyncio.gather(*(_analyse(engine, piece) for piece in pieces))
        return time.perf_counter() - begun, _cpu_s(pid) - used, answers
    finally:
        await engine.stop()


def _cpu_s(pid: int | None) -> float:
    """CPU seconds that a process and its ended children (the decoders) have used; Linux only."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


async def _analyse(engine: Engine, piece: Path) -> Any:
    arguments = {"path": str(piece), "name": piece.name, "max_seconds": 600.0}
    answer = await engine.run(Request("analyse", arguments, reads=("path",)))
    return answer["analysis"]
