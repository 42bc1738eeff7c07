"""Load catalogs from the database into memory; when the library changes, only what changed is read.

Each analysis is read once, whichever guilds find it: a guild's catalog (see core.library.scope) is some rows of one shared
matrix, and guilds that find the same tracks share a catalog.
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
from core.library.scope import SHARED, LibraryScope, guilds_with_own_library
from core.library.sources import MEMBER_OWNED_SQL
from core.library.tracks import TRACK_COLUMNS, Track
from core.separation.registry import describe
from core.track_analysis import TrackAnalysis

# What any guild finds. The index on changes has all that is asked of analyses; their data, 30 kB each, is not touched.
_TRACKS = f"""
SELECT {TRACK_COLUMNS}, separator, change
FROM analysis INDEXED BY analysis_change JOIN track ON track.id = track_id
WHERE track.origin NOT IN {MEMBER_OWNED_SQL} OR (:uploads AND track.listed)
"""
_ANALYSES = """
SELECT track_id, separator, data FROM analysis WHERE track_id IN (SELECT value FROM json_each(?))
"""

BATCH = 200
"""Analyses that are in memory as text at a time."""

CACHED_TRACKS = 250_000
"""Tracks in all cached catalogs together, each about 0.3 kB once it has been recommended from and 0.9 kB with what
`/similar` derives; the catalogs asked for longest ago are dropped first."""


@dataclass(frozen=True)
class _LoadedTrack:
    """A track as the catalog has it: its analysis' separator and change number."""

    track: Track
    separator: str
    change: int

    @property
    def analysis(self) -> tuple[str, int]:
        return self.separator, self.change


@dataclass
class _CachedCatalog:
    """The catalog of all guilds that find these tracks.

    `ids` (ascending), `changes` and `separators` have shape (tracks,) and say by which analyses it was made.
    """

    ids: NDArray[np.int64]
    changes: NDArray[np.int64]
    separators: NDArray[np.str_]
    catalog: Catalog


class Loader:
    """Keeps the catalogs of guilds up to date; `catalog` returns them as of now."""

    def __init__(self, database: Database, *, uploads: bool) -> None:
        self._database = database
        self._uploads = uploads
        self._version: int | None = None
        self._loaded: dict[int, _LoadedTrack] = {}
        self._whole = _whole(Catalog.build([]), {})
        self._guilds_with_own: frozenset[int] = frozenset()
        self._cached: list[_CachedCatalog] = []
        self._by_guild: dict[int | None, _CachedCatalog] = {}

    async def catalog(self, guild_id: int | None) -> Catalog:
        """Return what a guild finds (`guild_id` as in LibraryScope), equal to a catalog read from the beginning,
        percentiles included.

        Catalogs returned before stay as they are. Parsing and copying run in a thread, since a bot that answers must not
        stop for it. Not to be called while it runs.
        """
        version = await self._library_version()
        if version != self._version:
            await self._refresh()
            self._version = version
        if guild_id is not None and guild_id not in self._guilds_with_own:
            guild_id = SHARED
        if guild_id not in self._by_guild:
            scope = LibraryScope(guild_id, self._uploads)
            rows = await self._database.fetch(
                f"SELECT track.id FROM track WHERE {scope.listed_sql}", scope.parameters
            )
            self._by_guild[guild_id] = await asyncio.to_thread(self._selected, [row["id"] for row in rows])
        found = self._by_guild[guild_id]
        self._cached = [*(one for one in self._cached if one is not found), found]  # the last one asked for
        while len(self._cached) > 1 and sum(len(one.ids) for one in self._cached) > CACHED_TRACKS:
            dropped = self._cached.pop(0)
            self._by_guild = {key: one for key, one in self._by_guild.items() if one is not dropped}
        return found.catalog

    def is_cached(self, catalog: Catalog) -> bool:
        """Return True while this catalog is still in the cache."""
        return any(one.catalog is catalog for one in self._cached)

    async def _library_version(self) -> int:
        [row] = await self._database.fetch("SELECT value FROM counter WHERE name = 'library'")
        return int(row[0])

    async def _refresh(self) -> None:
        """Read what has changed; catalogs whose tracks have not changed stay cached."""
        rows = await self._database.fetch(_TRACKS, {"uploads": self._uploads})
        wanted = await asyncio.to_thread(_best, rows)
        stale = [
            track_id
            for track_id, one in wanted.items()
            if track_id not in self._loaded or self._loaded[track_id].analysis != one.analysis
        ]
        parts = []
        for start in range(0, len(stale), BATCH):
            found = await self._database.fetch(_ANALYSES, [json.dumps(stale[start : start + BATCH])])
            parts.append(await asyncio.to_thread(_parsed, found, wanted))
        # What was removed after the first query is missing now; the version has grown, so the next call refreshes again.
        for track_id in set(stale) - {track.id for part in parts for track in part.tracks}:
            del wanted[track_id]
        self._guilds_with_own = await guilds_with_own_library(self._database)
        self._whole = await asyncio.to_thread(
            lambda: _whole(_joined(self._whole.catalog, parts, wanted), wanted)
        )
        self._loaded = wanted
        self._by_guild = {}
        self._cached = await asyncio.to_thread(self._moved)

    def _moved(self) -> list[_CachedCatalog]:
        """Return the cached catalogs whose tracks have the same analyses, as rows of the present matrix."""
        whole, kept = self._whole, []
        for part in self._cached:
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

    def _selected(self, track_ids: list[int]) -> _CachedCatalog:
        """Return the catalog of these tracks: a cached one, or a new one."""
        whole = self._whole
        rows = np.flatnonzero(np.isin(whole.ids, np.array(track_ids, dtype=np.int64)))
        ids, tracks = whole.ids[rows], tuple(whole.catalog.tracks[row] for row in rows)
        for part in self._cached:
            if np.array_equal(part.ids, ids):
                if part.catalog.tracks != tracks:
                    # Other titles, the same sounds: all that was worked out from them still holds.
                    part.catalog = copy.copy(part.catalog)
                    part.catalog.tracks = tracks
                return part
        return _CachedCatalog(ids, whole.changes[rows], whole.separators[rows], whole.catalog.part(rows))


def _whole(catalog: Catalog, wanted: dict[int, _LoadedTrack]) -> _CachedCatalog:
    """Return the catalog of all tracks."""
    return _CachedCatalog(
        np.array(list(wanted), dtype=np.int64),
        np.array([one.change for one in wanted.values()], dtype=np.int64),
        np.array(catalog.separators, dtype=np.str_),
        catalog,
    )


async def load_catalog(database: Database, scope: LibraryScope) -> Catalog:
    """Return a new catalog of what is found there."""
    return await Loader(database, uploads=scope.uploads).catalog(scope.guild_id)


def _best(rows: Iterable[Row]) -> dict[int, _LoadedTrack]:
    """Return {track id: the track with the analysis by the separator of the best rank}, in the order of ids."""
    best: dict[int, Row] = {}
    for row in sorted(rows, key=lambda row: (row["id"], describe(row["separator"]).rank, row["separator"])):
        best.setdefault(row["id"], row)
    return {
        track_id: _LoadedTrack(Track.from_row(row), row["separator"], row["change"])
        for track_id, row in best.items()
    }


def _parsed(rows: Iterable[Row], wanted: dict[int, _LoadedTrack]) -> Catalog:
    """Return a catalog of the wanted analyses.

    An analysis that changed since the first query is taken as it is now; its change number then differs from the one that
    is kept, and the next load reads it again.
    """
    return Catalog.build(
        [
            (wanted[row["track_id"]].track, TrackAnalysis.from_json(json.loads(row["data"])))
            for row in rows
            if row["separator"] == wanted[row["track_id"]].separator
        ]
    )


def _joined(old: Catalog, parts: list[Catalog], wanted: dict[int, _LoadedTrack]) -> Catalog:
    """Return a catalog of the wanted tracks in order, each from the part just read, else from the old catalog."""
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
