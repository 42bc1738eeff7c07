"""Bring stored analyses up to date in the background, while the old values stay in use.

First, uploads whose analysis is from another separator or version are analysed again if their audio is still kept; tracks
of folders are renewed when their folder is indexed. Then every track without a latent vector of the current genre model
gets one: only the half minute that the network needs is decoded, and nothing is separated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import Refusal, UserError, is_disk_full
from core.library.connection import Row
from core.library.database import Database
from core.library.sources import MEMBER_OWNED_SQL
from core.library.tracks import put_analysis, put_latent
from core.separation.base import Cancelled
from core.track_analysis import ANALYSER_VERSION, TrackAnalysis, content_hash
from jobs.engines.base import Crashed, Engine, Request, ShouldStop, TaskFailed, TimedOut, Unavailable
from jobs.kinds.base import Context, Done, GiveBack, Kind, Work

log = logging.getLogger(__name__)

_STALE = f"""
FROM track WHERE origin IN {MEMBER_OWNED_SQL} AND id > :after AND NOT EXISTS (
    SELECT 1 FROM analysis WHERE track_id = track.id AND separator = :separator
    AND separator_version = :separator_version AND analyser_version = :analyser_version)
"""

_LACKING = """
FROM track WHERE id > :after AND EXISTS (SELECT 1 FROM analysis WHERE track_id = track.id)
AND NOT EXISTS (SELECT 1 FROM latent WHERE track_id = track.id AND model = :model)
"""


@dataclass(frozen=True)
class Spec:
    """Where a job that gave way to a more urgent one continues."""

    after: int = 0
    """Id of the last track whose analysis was checked."""
    heard: int = 0
    """Id of the last track whose latent vector was checked."""


@dataclass(frozen=True)
class Result:
    """The number of analyses that were renewed, of those that could not be, and of new latent vectors."""

    renewed: int = 0
    failed: int = 0
    latents: int = 0


async def run(work: Work[Spec]) -> Done[Result]:
    """Renew one track after another, and give way to more urgent jobs."""
    now = {**await work.engine.start(), "analyser_version": ANALYSER_VERSION}
    after, counts = work.spec.after, {"renewed": 0, "failed": 0}
    [total] = await work.database.fetch(f"SELECT count(*) {_STALE}", {**now, "after": after})
    while row := await work.database.fetch_one(
        f"SELECT id, path {_STALE} ORDER BY id LIMIT 1", {**now, "after": after}
    ):
        if work.should_stop():
            raise Cancelled
        done = sum(counts.values())
        work.report(f"{done} of {total[0]} uploads", done / max(total[0], 1))
        if await asyncio.to_thread((work.settings.data / row["path"]).is_file):
            counts["renewed" if await _renew(work, row) else "failed"] += 1
        after = int(row["id"])
        if await work.give_way():
            raise GiveBack(replace(work.spec, after=after))

    async def between(track_id: int) -> None:
        if await work.give_way():
            raise GiveBack(Spec(after, track_id))

    made = await add_missing_latents(
        work.database,
        work.engine,
        work.settings.data,
        after=work.spec.heard,
        should_stop=work.should_stop,
        progress=lambda done, total: work.report(f"{done} of {total} tracks", done / max(total, 1)),
        between=between,
    )
    return Done(Result(**counts, latents=made), measured=False)


async def _renew(work: Work[Spec], row: Row) -> bool:
    path = work.settings.data / row["path"]
    arguments: dict[str, Any] = {"path": str(path), "max_seconds": work.settings.upload_seconds}
    try:
        answer = await work.engine.run(Request("analyse", arguments, reads=("path",)), None, work.should_stop)
    except Unavailable:
        raise
    except (UserError, Crashed, TimedOut, TaskFailed) as error:
        if is_disk_full(error):
            raise
        log.warning("Track %d keeps its old analysis: %s", row["id"], error)
        return False
    analysis = TrackAnalysis.from_json(answer["analysis"])
    async with work.database.transaction() as transaction:
        # It may have been removed meanwhile.
        if not await transaction.run(
            "SELECT 1 FROM track WHERE id = ? AND coalesce(audio_hash, content_hash) = ?",
            [row["id"], analysis.content_hash],
        ):
            return False
        await put_analysis(transaction, row["id"], analysis)
    return True


async def add_missing_latents(
    database: Database,
    engine: Engine,
    data: Path,
    *,
    after: int = 0,
    should_stop: ShouldStop | None = None,
    progress: Callable[[int, int], None] | None = None,
    between: Callable[[int], Awaitable[None]] | None = None,
) -> int:
    """Compute the missing latent vectors of tracks with an id above `after`; return their number.

    A track whose audio is gone, silent or unreadable gets none. `between` is called with each track's id and may raise
    to stop. Raises Cancelled when `should_stop` returns True.
    """
    model = (await engine.start()).get("genre_model")
    if not model:
        return 0
    made = done = 0
    [total] = await database.fetch(f"SELECT count(*) {_LACKING}", {"model": model, "after": after})
    while row := await database.fetch_one(
        f"SELECT id, path, coalesce(audio_hash, content_hash) AS digest {_LACKING} ORDER BY id LIMIT 1",
        {"model": model, "after": after},
    ):
        if should_stop is not None and should_stop():
            raise Cancelled
        after, done = int(row["id"]), done + 1
        if progress is not None:
            progress(done - 1, total[0])
        made += await _add_latent(database, engine, data / row["path"], after, row["digest"], should_stop)
        if between is not None:
            await between(after)
    return made


async def _add_latent(
    database: Database, engine: Engine, path: Path, track_id: int, digest: str, should_stop: ShouldStop | None
) -> bool:
    try:
        answer = await engine.run(Request("renew", {"path": str(path)}, reads=("path",)), None, should_stop)
    except Unavailable:
        raise
    except (UserError, Crashed, TimedOut, TaskFailed) as error:
        log.warning("Track %d gets no latent vector: %s", track_id, error)
        return False
    if answer["latent"] is None or answer["content_hash"] != digest:
        return False
    async with database.transaction() as transaction:
        if not await transaction.run(
            "SELECT 1 FROM track WHERE id = ? AND coalesce(audio_hash, content_hash) = ?", [track_id, digest]
        ):
            return False  # it was removed meanwhile
        await put_latent(transaction, track_id, answer["latent"])
    return True


def compute(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Compute a latent vector: {"path"} -> {"latent": core.genre.model.GenreResult as JSON or None, "content_hash"}."""
    from core.genre.model import classify_file

    path = Path(arguments["path"])
    if not path.is_file():
        raise Refusal("audio-gone")
    heard = classify_file(path, chosen=context.genre_model)
    return {"latent": heard.to_json() if heard else None, "content_hash": content_hash(path)}


KIND = Kind("renew", Spec, Result, run, compute)
