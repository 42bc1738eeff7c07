"""Latent vectors for tracks that were analysed before there was a model, or with another one.

Only the half minute that the network hears is decoded and transformed: nothing is separated again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.library.database import Database
from core.library.tracks import put_latent
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Engine, Request, ShouldStop, TaskFailed, TimedOut, Unavailable
from jobs.kinds.base import Context

log = logging.getLogger(__name__)

_LACKING = """
FROM track WHERE id > :after AND EXISTS (SELECT 1 FROM analysis WHERE track_id = track.id)
AND NOT EXISTS (SELECT 1 FROM latent WHERE track_id = track.id AND model = :model)
"""


async def hear_missing(
    database: Database,
    engine: Engine,
    data: Path,
    *,
    after: int = 0,
    should_stop: ShouldStop | None = None,
    progress: Callable[[int, int], None] | None = None,
    between: Callable[[int], Awaitable[None]] | None = None,
) -> int:
    """Make the missing vectors, from the track behind `after` on; returns how many were made.

    A track whose audio is gone, silent or unreadable goes without. `between` is called with each track's id and may raise
    to stop. Raises Cancelled when `should_stop` says so.
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
        made += await _hear(database, engine, data / row["path"], after, row["digest"], should_stop)
        if between is not None:
            await between(after)
    return made


async def _hear(
    database: Database, engine: Engine, path: Path, track_id: int, digest: str, should_stop: ShouldStop | None
) -> bool:
    try:
        answer = await engine.run(Request("latent", {"path": str(path)}, reads=("path",)), None, should_stop)
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
    """The worker's side: {"path"} -> {"latent": core.genre.model.Heard as JSON or None, "content_hash"}."""
    from core.genre.model import hear_file
    from core.track_analysis import content_hash

    path = Path(arguments["path"])
    if not path.is_file():
        raise UserError("The audio is no longer there.")
    heard = hear_file(path)
    return {"latent": heard.to_json() if heard else None, "content_hash": content_hash(path)}
