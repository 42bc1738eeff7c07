"""Analyse uploads anew whose analysis is from another separator or version; the old values serve meanwhile.

Tracks of folders are renewed when their folder is indexed. Of uploads, those are left as they are whose audio has
been removed after its time.

Then latent vectors are made for whatever track of the library has none by the present genre model.

spec:   {"after": id of the track where an earlier run gave way, "heard": likewise for latent vectors}
result: {"renewed": int, "failed": int, "latents"?: int}
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from core.errors import UserError, is_disk_full
from core.library.connection import Row
from core.library.tracks import put_analysis
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Request, TaskFailed, TimedOut, Unavailable
from jobs.kinds.base import Done, GiveBack, TaskKind, Work
from jobs.kinds.latent import hear_missing

log = logging.getLogger(__name__)

_STALE = """
FROM track WHERE origin = 'upload' AND id > :after AND NOT EXISTS (
    SELECT 1 FROM analysis WHERE track_id = track.id AND separator = :separator
    AND separator_version = :separator_version AND analyser_version = :analyser_version)
"""


async def run(work: Work) -> Done:
    """One upload after the other; gives way to whoever waits for something."""
    from core.track_analysis import ANALYSER_VERSION

    now = {**await work.engine.start(), "analyser_version": ANALYSER_VERSION}
    after, counts = int(work.claimed.spec.get("after", 0)), {"renewed": 0, "failed": 0}
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
            raise GiveBack({"after": after})

    async def between(track_id: int) -> None:
        if await work.give_way():
            raise GiveBack({"after": after, "heard": track_id})

    made = await hear_missing(
        work.database,
        work.engine,
        work.settings.data,
        after=int(work.claimed.spec.get("heard", 0)),
        should_stop=work.should_stop,
        progress=lambda done, total: work.report(f"{done} of {total} tracks", done / max(total, 1)),
        between=between,
    )
    return Done({**counts, **({"latents": made} if made else {})}, measured=False)


async def _renew(work: Work, row: Row) -> bool:
    from core.track_analysis import TrackAnalysis

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


KIND = TaskKind(run)
