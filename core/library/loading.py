"""From the database to the catalog in memory."""

from __future__ import annotations

import asyncio
import json

from core.analysis import TrackAnalysis
from core.library.catalog import Catalog
from core.library.store import Database, Row
from core.library.tracks import Track

# A track that two separators have analysed is judged by the one whose stems are better.
PREFERENCE = ("htdemucs_6s", "unet", "none")

VISIBLE = """(track.origin <> 'sample' OR NOT EXISTS (SELECT 1 FROM track AS one WHERE one.origin = 'folder'))
  AND (track.origin <> 'upload' OR (:uploads AND track.listed))"""
"""What members can find: the samples only until a folder is indexed, uploads where allowed and not kept back."""

_QUERY = f"""
SELECT track.id, content_hash, path, origin, title, artist, genre, duration_s, separator, data
FROM track JOIN analysis ON track_id = track.id
WHERE {VISIBLE}
ORDER BY track.id
"""


async def load_catalog(database: Database, *, uploads: bool) -> Catalog:
    """Everything that can be recommended (see VISIBLE).

    Parsing runs in a thread, since a bot that answers must not stop for it.
    """
    rows = await database.fetch(_QUERY, {"uploads": uploads})
    return await asyncio.to_thread(_build, rows)


def _build(rows: list[Row]) -> Catalog:
    def rank(separator: str) -> int:
        return PREFERENCE.index(separator) if separator in PREFERENCE else len(PREFERENCE)

    best: dict[int, Row] = {}
    for row in rows:
        if row["id"] not in best or rank(row["separator"]) < rank(best[row["id"]]["separator"]):
            best[row["id"]] = row
    return Catalog.build(
        [(Track(*tuple(row)[:8]), TrackAnalysis.from_json(json.loads(row["data"]))) for row in best.values()]
    )
