"""From the database to the catalogs in memory; when the library changes, only what changed is read.

Each analysis is read once, whichever servers find it: what a server finds (core.library.shelf) is some rows of the one
matrix. Servers that find the same tracks have the same catalog.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.library.catalog import Catalog
from core.library.connection import Row
from core.library.database import Database
from core.library.shelf import SHARED, VISIBLE, Shelf, particular
from core.library.tracks import Track
from core.track_analysis import TrackAnalysis

# A track that two separators have analysed is judged by the one whose stems are better.
PREFERENCE = ("htdemucs_6s", "unet", "none")

# Whatever any server finds. The index on changes has all that is asked of analyses; their data, 30 kB each, is not
# touched.
_TRACKS = """
SELECT track.id, content_hash, path, origin, title, artist, genre, duration_s, separator, change
FROM analysis INDEXED BY analysis_change JOIN track ON track.id = track_id
WHERE track.origin <> 'upload' OR (:uploads AND track.listed)
"""
_ANALYSES = """
SELECT track_id, separator, data FROM analysis WHERE track_id IN (SELECT value FROM json_each(?))
"""

BATCH = 200
"""Analyses that are in memory as text at a time."""

REMEMBERED = 250_000
"""Tracks of all servers' catalogs that are remembered, each about 0.3 kB once it has been recommended from and 0.9 kB with
what `/similar` derives; those asked longest ago go first."""


@dataclass(frozen=True)
class _Held:
    """A track as the catalog has it: by which analysis, in which of its versions."""

    track: Track
    separator: str
    change: int

    @property
    def analysis(self) -> tuple[str, int]:
        return self.separator, self.change


@dataclass
class _Part:
    """One catalog that servers share which find these tracks: `ids` rise, `changes` and `separators` say by which
    analyses."""

    ids: NDArray[np.int64]
    changes: NDArray[np.int64]
    separators: NDArray[np.str_]
    catalog: Catalog


class Loader:
    """The catalog of each server (see core.library.shelf.VISIBLE), as of now at each `catalog`."""

    def __init__(self, database: Database, *, uploads: bool) -> None:
        self._database = database
        self._uploads = uploads
        self._version: int | None = None
        self._held: dict[int, _Held] = {}
        self._whole = _part(Catalog.build([]), {})
        self._particular: frozenset[int] = frozenset()
        self._parts: list[_Part] = []
        self._found: dict[int | None, _Part] = {}

    async def catalog(self, server: int | None) -> Catalog:
        """What a server (SHARED, None: see Shelf) finds: equal to a catalog that was read from the beginning, percentiles
        included.

        A catalog that was given out before stays as it is. Parsing and copying run in a thread, since a bot that
        answers must not stop for it. Not to be called while it runs.
        """
        version = await self._library()
        if version != self._version:
            await self._refresh()
            self._version = version
        if server is not None and server not in self._particular:
            server = SHARED
        if server not in self._found:
            rows = await self._database.fetch(
                f"SELECT track.id FROM track WHERE {VISIBLE}", Shelf(server, self._uploads).named
            )
            self._found[server] = await asyncio.to_thread(self._selected, [row["id"] for row in rows])
        part = self._found[server]
        self._parts = [*(one for one in self._parts if one is not part), part]  # asked last
        while len(self._parts) > 1 and sum(len(one.ids) for one in self._parts) > REMEMBERED:
            gone = self._parts.pop(0)
            self._found = {key: one for key, one in self._found.items() if one is not gone}
        return part.catalog

    def remembers(self, catalog: Catalog) -> bool:
        """Would a server be given this very catalog again?"""
        return any(part.catalog is catalog for part in self._parts)

    async def _library(self) -> int:
        [row] = await self._database.fetch("SELECT value FROM counter WHERE name = 'library'")
        return int(row[0])

    async def _refresh(self) -> None:
        """Read what has changed; catalogs whose tracks have not are kept."""
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
        self._particular = await particular(self._database)
        self._whole = await asyncio.to_thread(
            lambda: _part(_joined(self._whole.catalog, parts, wanted), wanted)
        )
        self._held = wanted
        self._found = {}
        self._parts = await asyncio.to_thread(self._moved)

    def _moved(self) -> list[_Part]:
        """The catalogs whose tracks have the analyses that they had, over the present matrix."""
        whole, kept = self._whole, []
        for part in self._parts:
            rows = np.searchsorted(whole.ids, part.ids)
            if len(rows) and rows[-1] >= len(whole.ids):
                continue
            if (
                np.array_equal(whole.ids[rows], part.ids)
                and np.array_equal(whole.changes[rows], part.changes)
                and np.array_equal(whole.separators[rows], part.separators)
            ):
                part.catalog.move(whole.catalog, rows)
                kept.append(part)
        return kept

    def _selected(self, track_ids: list[int]) -> _Part:
        """The catalog of these tracks: one that is remembered, or a new one."""
        whole = self._whole
        rows = np.flatnonzero(np.isin(whole.ids, np.array(track_ids, dtype=np.int64)))
        ids, tracks = whole.ids[rows], tuple(whole.catalog.tracks[row] for row in rows)
        for part in self._parts:
            if np.array_equal(part.ids, ids):
                if part.catalog.tracks != tracks:
                    # Other titles, the same sounds: all that was worked out from them still holds.
                    part.catalog = copy.copy(part.catalog)
                    part.catalog.tracks = tracks
                return part
        return _Part(ids, whole.changes[rows], whole.separators[rows], whole.catalog.part(rows))


def _part(catalog: Catalog, wanted: dict[int, _Held]) -> _Part:
    """All of it."""
    return _Part(
        np.array(list(wanted), dtype=np.int64),
        np.array([one.change for one in wanted.values()], dtype=np.int64),
        np.array(catalog.separators, dtype=np.str_),
        catalog,
    )


async def load_catalog(database: Database, shelf: Shelf) -> Catalog:
    """What is found there (see VISIBLE)."""
    return await Loader(database, uploads=shelf.uploads).catalog(shelf.server)


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
    keys: list[tuple[str, str] | None] = [None] * len(tracks)
    for part, pairs in zip(sources, taken, strict=True):
        for target, row in pairs:
            keys[target] = part.keys[row]
        targets, rows = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        features = part.features
        for j, name in enumerate(part.names):  # column by column, as they lie in memory
            matrix[targets, column[name]] = features[rows, j]
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
        keys,
    )
