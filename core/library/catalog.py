"""Everything that can be recommended, in memory: a matrix of tracks x features, and percentiles.

Percentiles compare a track only with tracks that the same separator has analysed, since separators differ in
what they leave in a stem. A small library is no yardstick (of eight tracks the slowest need not be slow), so its
ranks are blended with a bundled reference distribution that counts as much as REFERENCE_WEIGHT tracks; in a large
library the reference fades away.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.audio.vocabulary import descriptors
from core.errors import Refusal
from core.library.reference import quantiles
from core.track_analysis import TrackAnalysis

REFERENCE_WEIGHT = 30
"""The reference distribution weighs as much as this many tracks of the library."""

Column = NDArray[np.float32]
T = TypeVar("T")


class TrackLike(Protocol):
    """What the catalog needs to know about a track; core.library.tracks.Track has it."""

    @property
    def id(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def artist(self) -> str | None: ...
    @property
    def genre(self) -> str | None: ...
    @property
    def content_hash(self) -> str: ...


@dataclass(frozen=True)
class _Table:
    """A matrix with the numbers of its columns, and which of its rows are meant (None: all)."""

    matrix: NDArray[np.float32]
    column: dict[str, int]
    rows: NDArray[np.intp] | None = None


class _Place:
    """Holds a catalog's features; copies of the catalog share it, so that all of them move together."""

    def __init__(self, table: _Table) -> None:
        self.table = table


class Catalog:
    """A table of tracks x features, float32; NaN where a track has no such value (a silent stem).

    The features may be some rows of a larger matrix (`part`), so that many servers' catalogs need one copy of it.
    """

    def __init__(
        self,
        tracks: Sequence[TrackLike],
        separators: Sequence[str],
        names: Sequence[str],
        matrix: NDArray[np.float32],
        units: dict[str, str] | None = None,
        keys: Sequence[tuple[str, str] | None] | None = None,
    ) -> None:
        """`matrix` has shape (tracks, names); `separators` says which one analysed each track; `keys` are tonic and mode
        ('D', 'minor') where they are known."""
        if matrix.shape != (len(tracks), len(names)) or len(separators) != len(tracks):
            raise ValueError(
                f"{len(tracks)} tracks and {len(names)} names do not fit a matrix {matrix.shape}"
            )
        self.tracks = tuple(tracks)
        self.separators = tuple(separators)
        self.names = tuple(names)
        self.units = dict(units or {})
        self.keys = tuple(keys) if keys is not None else (None,) * len(self.tracks)
        # Column-major: rules and percentiles read whole columns.
        column = {name: j for j, name in enumerate(self.names)}
        self._place = _Place(_Table(np.asfortranarray(matrix, dtype=np.float32), column))
        self._known = frozenset(self.names)
        self._index = {track.id: i for i, track in enumerate(self.tracks)}
        self._percentiles: dict[str, Column] = {}
        self._unknown: Column = np.full(len(self.tracks), np.nan, dtype=np.float32)
        kinds = sorted(set(self.separators))
        self.separator_codes: NDArray[np.int8] = np.array(
            [kinds.index(s) for s in self.separators], dtype=np.int8
        )
        self.separator_kinds = tuple(kinds)
        self.weights: dict[str, float] = {}
        """{rule: weight} where a guild's own differ from the shipped ones."""
        self.base: Catalog | None = None
        """The catalog of the same tracks that `with_weights` made this one from."""
        self._derived: dict[Callable[[Catalog], Any], Any] = {}
        self._scored: dict[Callable[[Catalog], Any], Any] = {}

    @classmethod
    def build(cls, rows: Iterable[tuple[TrackLike, TrackAnalysis]]) -> Catalog:
        """Return a catalog of these tracks with their analyses, in the order given."""
        tracks: list[TrackLike] = []
        separators: list[str] = []
        values: list[dict[str, float]] = []
        keys: list[tuple[str, str] | None] = []
        units: dict[str, str] = {}
        for track, analysis in rows:
            tracks.append(track)
            separators.append(analysis.separator)
            values.append(features_of(analysis))
            keys.append((analysis.key, analysis.mode) if analysis.key and analysis.mode else None)
            units |= units_of(analysis)
        names = sorted({name for flat in values for name in flat})
        column = {name: j for j, name in enumerate(names)}
        matrix = np.full((len(tracks), len(names)), np.nan, dtype=np.float32)
        for i, flat in enumerate(values):
            for name, value in flat.items():
                if value is not None:
                    matrix[i, column[name]] = value
        matrix[~np.isfinite(matrix)] = np.nan
        return cls(tracks, separators, names, matrix, units, keys)

    def with_weights(self, weights: Mapping[str, float]) -> Catalog:
        """Return the same tracks with these weights of rules; everything but what `scored` returns is shared."""
        other = copy.copy(self)
        other.weights, other.base, other._scored = dict(weights), self, {}
        return other

    def derived(self, compute: Callable[[Catalog], T]) -> T:
        """Return `compute(self)`, computed once whatever the rules' weights: by function, for all copies of the catalog."""
        return _once(self._derived, compute, self)

    def scored(self, compute: Callable[[Catalog], T]) -> T:
        """Return `compute(self)`, computed once for these weights of rules."""
        return _once(self._scored, compute, self)

    def part(self, rows: NDArray[np.intp]) -> Catalog:
        """Return a catalog of these rows (ascending) over the same features, with percentiles among these tracks."""
        table = self._place.table
        taken = rows if table.rows is None else table.rows[rows]
        names = [name for name in self.names if not np.isnan(table.matrix[taken, table.column[name]]).all()]
        measured = {*names, *(name.rpartition(".")[0] for name in names)}
        found = Catalog(
            [self.tracks[row] for row in rows],
            [self.separators[row] for row in rows],
            names,
            np.empty((len(rows), len(names)), dtype=np.float32, order="F"),  # never touched
            {name: unit for name, unit in self.units.items() if name in measured},
            [self.keys[row] for row in rows],
        )
        found._place.table = _Table(table.matrix, table.column, taken) if len(rows) < len(self) else table
        return found

    def move(self, whole: Catalog, rows: NDArray[np.intp]) -> None:
        """Read the same features from these rows of another catalog from now on, so that the old matrix can be freed.
        Derived values still hold, since the features are the same."""
        table = whole._place.table
        self._place.table = _Table(table.matrix, table.column, rows) if len(rows) < len(whole) else table

    @property
    def features(self) -> NDArray[np.float32]:
        """(tracks, names), column-major."""
        table = self._place.table
        if table.rows is None and table.matrix.shape[1] == len(self.names):
            return table.matrix
        rows = slice(None) if table.rows is None else table.rows
        found = np.empty((len(self.tracks), len(self.names)), dtype=np.float32, order="F")
        for j, name in enumerate(self.names):
            found[:, j] = table.matrix[rows, table.column[name]]
        return found

    def __len__(self) -> int:
        return len(self.tracks)

    def __contains__(self, track_id: object) -> bool:
        return track_id in self._index

    def index(self, track_id: int) -> int:
        """Return the row of a track. Raises UserError when it is not in the catalog."""
        if track_id not in self._index:
            raise Refusal("no-track", track_id=track_id)
        return self._index[track_id]

    def track(self, track_id: int) -> TrackLike:
        return self.tracks[self.index(track_id)]

    def best_first(self, scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
        """Return the rows of the `count` highest of (tracks,) scores, highest first, equal ones by track id, none of -inf."""
        if count <= 0:
            return np.empty(0, dtype=np.intp)
        edge = (
            np.partition(scores, len(scores) - count)[len(scores) - count] if count < len(scores) else -np.inf
        )
        rows = np.flatnonzero(scores >= edge if edge > -np.inf else scores > -np.inf)
        ids = np.array([self.tracks[row].id for row in rows], dtype=np.int64)
        return rows[np.lexsort((ids, -scores[rows]))][:count]

    def has(self, name: str) -> bool:
        return name in self._known

    def values(self, name: str) -> Column:
        """Return one feature of all tracks, shape (tracks,); all NaN when no track has it."""
        if name not in self._known:
            return self._unknown
        table = self._place.table
        column = table.matrix[:, table.column[name]]
        return column if table.rows is None else column[table.rows]

    def percentiles(self, name: str) -> Column:
        """Return the share of tracks below each, 0..1, shape (tracks,), for one feature; computed once.

        These are mid-ranks within the same separator (ties share their mean rank), blended with the reference; NaN where
        the value is missing.
        """
        if name not in self._percentiles:
            values = self.values(name)
            result = np.full(len(self), np.nan, dtype=np.float32)
            for code, separator in enumerate(self.separator_kinds):
                here = np.flatnonzero((self.separator_codes == code) & ~np.isnan(values))
                result[here] = blended_percentiles(values[here], values[here], separator, name)
            result.flags.writeable = False
            self._percentiles[name] = result
        return self._percentiles[name]

    def percentile_of(self, name: str, value: float, separator: str) -> float:
        """Return the percentile, 0..1, that a value from outside (an upload) has among the tracks of this separator."""
        if separator in self.separator_kinds:
            values = self.values(name)[self.separator_codes == self.separator_kinds.index(separator)]
        else:
            values = np.empty(0, dtype=np.float32)
        asked = np.array([value], dtype=np.float32)
        return float(blended_percentiles(asked, values[~np.isnan(values)], separator, name)[0])

    def standing(self, analysis: TrackAnalysis, names: Iterable[str]) -> dict[str, float]:
        """Return {feature: percentile, 0..1} for any track, without the features that it lacks."""
        own = features_of(analysis)
        return {
            name: self.percentile_of(name, own[name], analysis.separator)
            for name in names
            if own.get(name) is not None
        }


DERIVED = ("harmonic_movement", "pitch_spread", "overtone_movement")


def _once(known: dict[Callable[[Catalog], Any], Any], compute: Callable[[Catalog], T], catalog: Catalog) -> T:
    if compute not in known:
        known[compute] = compute(catalog)
    value: T = known[compute]
    return value


def features_of(analysis: TrackAnalysis) -> dict[str, float]:
    """Return TrackAnalysis.features() and what the catalog derives from them, for every source that has chroma:

    - harmonic_movement: how far the harmony travels, 0..1: the root of the summed variances of the twelve chroma
      CENS (Müller & Ewert 2011). Clear chords that change give much; a drone, noise or one riff gives little.
    - pitch_spread: how evenly the twelve pitch classes sound at once, 0..1: the mean of the chroma, whose
      loudest class is 1 in every frame. One pure tone gives a twelfth, clusters and noise give much.
    - overtone_movement: how far the fine structure of the spectrum moves, in dB: the root of the summed variances of
      MFCC 14 to 20. Single overtones that stand out give much, a dense or noisy sound gives little.
    """
    flat = analysis.features()
    for source in analysis.descriptors:
        try:
            variance = sum(flat[f"{source}.chroma_cens_{i}.std"] ** 2 for i in range(1, 13))
            spread = sum(flat[f"{source}.chroma_{i}"] for i in range(1, 13)) / 12
        except KeyError:
            continue
        flat[f"{source}.harmonic_movement"] = variance**0.5
        flat[f"{source}.pitch_spread"] = spread
        fine = sum(flat[f"{source}.mfcc_{i}.std"] ** 2 for i in range(14, 21))
        flat[f"{source}.overtone_movement"] = fine**0.5
    return flat


def units_of(analysis: TrackAnalysis) -> dict[str, str]:
    """Return {feature: unit} under the names of TrackAnalysis.features(), without the statistics' suffixes."""
    units = {
        f"{source}.{name}": str(statistics["unit"])
        for source, descriptors in analysis.descriptors.items()
        for name, statistics in descriptors.items()
        if statistics.get("unit")
    }
    for source in analysis.descriptors:
        units |= {f"{source}.{name}": descriptors()[name].unit for name in DERIVED}
    for stem, facts in analysis.instruments.items():
        units |= {f"{stem}.{name}": descriptors()[name].unit for name in facts}
    return units


def blended_percentiles(asked: Column, library: Column, separator: str, name: str) -> Column:
    """Return the percentiles of `asked` within `library`, 0..1, blended with the reference distribution where there is one."""
    ordered = np.sort(library)
    below = np.searchsorted(ordered, asked, side="left")
    ranks = (below + np.searchsorted(ordered, asked, side="right")) / 2
    reference = quantiles(separator, name)
    if reference is None:
        return (ranks / len(ordered) if len(ordered) else np.full(len(asked), 0.5)).astype(np.float32)
    grid = np.asarray(reference, dtype=np.float64)
    steps = np.linspace(0, 1, len(grid))
    # Equal quantiles (a stem that is silent in a tenth of all tracks) share their middle, as ties do.
    expected = (np.interp(asked, grid, steps, left=0, right=1) + _interp_right(asked, grid, steps)) / 2
    return ((ranks + REFERENCE_WEIGHT * expected) / (len(ordered) + REFERENCE_WEIGHT)).astype(np.float32)


def _interp_right(
    asked: Column, grid: NDArray[np.float64], steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return np.interp, but among equal grid points from the other side."""
    return 1 - np.interp(-asked.astype(np.float64), -grid[::-1], steps, left=0, right=1)
