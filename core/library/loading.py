"""From the database to the catalog in memory; when the library changes, only what changed is read."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.analysis import TrackAnalysis
from core.library.catalog import Catalog
from core.library.store import Database, Row
from core.library.tracks import Track

# A track that two separators have analysed is judged by the one whose stems are better.
PREFERENCE = ("htdemucs_6s", "unet", "none")

VISIBLE = """(track.origin <> 'sample' OR NOT EXISTS (SELECT 1 FROM track AS one WHERE one.origin = 'folder'))
  AND (track.origin <> 'upload' OR (:uploads AND track.listed))"""
"""What members can find: the samples only until a folder is indexed, uploads where allowed and not kept back."""

# The index on changes has all that is asked of analyses; their data, 30 kB each, is not touched.
_TRACKS = f"""
SELECT track.id, content_hash, path, origin, title, artist, genre, duration_s, separator, change
FROM analysis INDEXED BY analysis_change JOIN track ON track.id = track_id
WHERE {VISIBLE}
"""
_ANALYSES = """
SELECT track_id, separator, data FROM analysis WHERE track_id IN (SELECT value FROM json_each(?))
"""

BATCH = 200
"""Analyses that are in memory as text at a time."""


@dataclass(frozen=True)
class _Held:
    """A track as the catalog has it: by which analysis, in which of its versions."""

    track: Track
    separator: str
    change: int

    @property
    def analysis(self) -> tuple[str, int]:
        return self.separator, self.change


class Loader:
    """Everything that can be recommended (see VISIBLE), brought up to date by each `load`."""

    def __init__(self, database: Database, *, uploads: bool) -> None:
        self._database = database
        self._uploads = uploads
        self._held: dict[int, _Held] = {}
        self._catalog = Catalog.build([])

    async def load(self) -> Catalog:
        """The catalog as of now: equal to one that was read from the beginning, percentiles included.

        A catalog that was given out before stays as it is. Parsing and copying run in a thread, since a bot that
        answers must not stop for it.
        """
        rows = await self._database.fetch(_TRACKS, {"uploads": self._uploads})
        wanted = await asyncio.to_thread(_best, rows)
        stale = [
            track_id
            for track_id, one in wanted.items()
            if track_id not in self._held or self._held[track_id].analysis != one.analysis
        ]
        parts = []
        for start in range(0, len(stale), BATCH):
            found = await self._database.fetch(_ANALYSES, [json.dumps(stale[start : start + BATCH])])
            parts.append(await asyncio.to_thread(_parsed, found, wanted))
        # What was removed after the first look is missing now; its number has grown, so the next load looks again.
        for track_id in set(stale) - {track.id for part in parts for track in part.tracks}:
            del wanted[track_id]
        self._catalog = await asyncio.to_thread(_joined, self._catalog, parts, wanted)
        self._held = wanted
        return self._catalog


async def load_catalog(database: Database, *, uploads: bool) -> Catalog:
    """Everything that can be recommended (see VISIBLE)."""
    return await Loader(database, uploads=uploads).load()


def _best(rows: Iterable[Row]) -> dict[int, _Held]:
    """{track id: the track with the analysis that counts}, in the order of ids."""

    def rank(separator: str) -> int:
        return PREFERENCE.index(separator) if separator in PREFERENCE else len(PREFERENCE)

    best: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: (row["id"], rank(row["separator"]), row["separator"])):
        best.setdefault(row["id"], row)
    return {
        track_id: _Held(Track(*tuple(row)[:8]), row["separator"], row["change"])
        for track_id, row in best.items()
    }


def _parsed(rows: Iterable[Row], wanted: dict[int, _Held]) -> Catalog:
    """A catalog of those analyses that are wanted. One that changed since the first look counts as it is now; then its
    number is not the one that is held, and the next load reads it again."""
    return Catalog.build(
        [
            (wanted[row["track_id"]].track, TrackAnalysis.from_json(json.loads(row["data"])))
            for row in rows
            if row["separator"] == wanted[row["track_id"]].separator
        ]
    )


def _joined(old: Catalog, parts: list[Catalog], wanted: dict[int, _Held]) -> Catalog:
    """The wanted tracks in order, each from the part that has just been read, else from the old catalog."""
    tracks = [one.track for one in wanted.values()]
    if not parts and tuple(track.id for track in tracks) == tuple(track.id for track in old.tracks):
        if tuple(tracks) == old.tracks:
            return old
        again = copy.copy(old)  # other titles, the same sounds: all that was worked out from them still holds
        again.tracks = tuple(tracks)
        return again
    sources = [old, *parts]
    place = {track.id: (k, row) for k, part in enumerate(sources) for row, track in enumerate(part.tracks)}
    taken: list[list[tuple[int, int]]] = [[] for _ in sources]
    for target, track in enumerate(tracks):
        source, row = place[track.id]
        taken[source].append((target, row))
    names = sorted({name for part in sources for name in part.names})
    column = {name: j for j, name in enumerate(names)}
    matrix = np.full((len(tracks), len(names)), np.nan, dtype=np.float32, order="F")
    for part, pairs in zip(sources, taken, strict=True):
        targets, rows = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        for j, name in enumerate(part.names):  # column by column, as they lie in memory
            matrix[targets, column[name]] = part.features[rows, j]
    known = np.flatnonzero(~np.isnan(matrix).all(axis=0))
    names = [names[j] for j in known]
    units = {name: unit for part in sources for name, unit in part.units.items()}
    measured = {*names, *(name.rpartition(".")[0] for name in names)}  # statistics have the unit of the whole
    return Catalog(
        tracks,
        [wanted[track.id].separator for track in tracks],
        names,
        matrix if len(known) == matrix.shape[1] else matrix[:, known],
        {name: unit for name, unit in units.items() if name in measured},
    )
