"""What the descriptors of a library say about each other: principal components, correlations, gaps, outliers.

A stem that does not sound in a track has no descriptors there, and none are made up. Means, spreads and correlations
are taken over the tracks that have the values, a correlation over those that have both (and only where these are
MIN_TRACKS). In the principal components, every descriptor is standardised, and a gap stands at the mean: a track in
which the drums are silent counts neither as high nor as low in anything of the drums, and a descriptor weighs as much
as the share of the tracks that have it.

Components that hold more than chance: parallel analysis (Horn 1965, 95th percentile), gaps where they are. Outliers:
modified z-score above 3.5 (Iglewicz & Hoaglin 1993; each side of the median with its own spread), or a Mahalanobis distance in the space of these components beyond
the 99.9th percentile of its chi-squared distribution.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.audio.vocabulary import descriptors
from core.errors import UserError
from core.library.catalog import Catalog

SOURCES = ("mix", *STEMS)
MIN_TRACKS = 10
"""A library, a descriptor and a pair of descriptors need as many tracks to be spoken of."""

MIN_SHARE = 0.1
"""A descriptor that fewer of the tracks have is left out."""

MOST_TRACKS = 20_000
"""Larger libraries are sampled."""

LISTED = 8
"""Components that are described; more are only counted."""

ROUNDS = 20
MODIFIED_Z = 3.5
Matrix = NDArray[np.float64]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Table:
    """Tracks x descriptors of one separator; NaN is missing."""

    rows: NDArray[np.intp]
    """Where these tracks are in the catalog."""
    names: tuple[str, ...]
    values: Matrix


def describe_library(
    catalog: Catalog,
    *,
    everything: bool = False,
    separator: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report as one JSON document (see the module; `research/cli/report_page.py` makes a page of it).

    Looked at are the descriptors that have a label in core/audio/descriptors.toml, one number each; with `everything` also the rows
    of MFCC, chroma, tonnetz and contrast, and the spread of each. Tracks of one `separator` only (the one with the most
    tracks when not said), since separators differ in what they leave in a stem. Raises UserError for fewer than
    MIN_TRACKS tracks.
    """
    say = progress or (lambda share: None)
    counts = Counter(catalog.separators)
    if separator is not None and separator not in counts:
        raise UserError(
            f"No track of the library was analysed by {separator}: choose from {', '.join(counts)}."
        )
    chosen = separator or (counts.most_common(1)[0][0] if counts else "none")
    if counts[chosen] < MIN_TRACKS:
        raise UserError(
            f"The library has {counts[chosen]} tracks and a report needs at least {MIN_TRACKS}:"
            " add music with `moodstem index FOLDER`."
        )
    whole = _table(catalog, chosen, everything)
    table, unused = _usable(whole)
    say(0.1)
    z = standardised(table.values)
    r, pairs = correlations(z)
    unknown = pairs < MIN_TRACKS
    found = components(z)
    chance = parallel_analysis(z, lambda share: say(0.1 + 0.8 * share))
    kept = int(np.argmin(np.append(found.variances > chance, False)))
    say(0.95)
    document = {
        "tracks": counts[chosen],
        "tracks_seen": len(whole.rows),
        "separator": chosen,
        "other_separators": {name: count for name, count in counts.items() if name != chosen},
        "descriptors": list(table.names),
        "missing": _missing(catalog, whole, unused),
        "pca": _pca(table, catalog, found, chance, kept),
        "importance": _importance(table.names, found, max(kept, 1)),
        "correlations": _correlations(table.names, r, pairs, unknown),
        "outliers": _outliers(table, catalog, found.places[:, :kept]),
    }
    say(1.0)
    return document


def _table(catalog: Catalog, separator: str, everything: bool) -> Table:
    rows = np.flatnonzero(np.array(catalog.separators) == separator)
    if len(rows) > MOST_TRACKS:
        rows = np.sort(np.random.default_rng(1).choice(rows, MOST_TRACKS, replace=False))
    words = known()
    names = []
    for source in SOURCES:
        own = [name for name in catalog.names if name.startswith(f"{source}.")]
        if everything:
            names += [name for name in own if not name.endswith((".p10", ".p90"))]
        else:
            names += [f"{source}.{word}" for word in words if catalog.has(f"{source}.{word}")]
    values = np.stack([catalog.values(name)[rows] for name in names], axis=1).astype(np.float64)
    for stem in STEMS:  # the level of a stem that does not sound is no level
        if f"{stem}.level_db" in names:
            silent = np.isnan(catalog.values(f"{stem}.loudness")[rows])
            values[silent, names.index(f"{stem}.level_db")] = np.nan
    return Table(rows, tuple(names), values)


def _usable(table: Table) -> tuple[Table, dict[str, str]]:
    """Without the descriptors that too few tracks have, or that never change; and why."""
    unused = {}
    there = np.isfinite(table.values).sum(axis=0)
    needed = max(MIN_TRACKS, round(MIN_SHARE * len(table.rows)))
    for name, count, column in zip(table.names, there, table.values.T, strict=True):
        if count < needed:
            unused[name] = f"only {count} of {len(table.rows)} tracks have it"
        elif np.nanstd(column) <= 1e-9 * max(float(np.nanmax(np.abs(column))), 1e-9):
            unused[name] = "the same in every track"
    kept = [j for j, name in enumerate(table.names) if name not in unused]
    return Table(table.rows, tuple(table.names[j] for j in kept), table.values[:, kept]), unused


def standardised(values: Matrix) -> Matrix:
    """Each column with mean 0 and standard deviation 1 over the tracks that have it; NaN stays."""
    z: Matrix = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    return z


def correlations(z: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
    """Pearson's r of every pair of columns over the rows that have both, and how many these are."""
    there = np.isfinite(z).astype(np.float64)
    filled = np.where(there > 0, z, 0)
    count = there.T @ there
    n = np.maximum(count, 1)
    mean = filled.T @ there / n  # of the row's descriptor, over the tracks that have the column's, too
    square = (filled**2).T @ there / n
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    size = spread * spread.T
    covariance = filled.T @ filled / n - mean * mean.T
    r = np.where(size > 1e-12, covariance / np.where(size > 1e-12, size, 1), 0)
    return np.clip(r, -1, 1), count.astype(np.int64)


@dataclass(frozen=True)
class Components:
    """variances: (k,), largest first; their sum is the number of descriptors, each counted by the share of tracks that
    have it. loadings: (descriptors, k), the correlation of each descriptor with the component, -1..1. weights: (descriptors,),
    those shares. places: (tracks, k), where each track lies, in standard deviations of the component."""

    variances: Matrix
    loadings: Matrix
    weights: Matrix
    places: Matrix


def components(z: Matrix) -> Components:
    """Principal components of a standardised table with gaps; the largest loading of each is positive."""
    filled = np.nan_to_num(z)
    left, sizes, right = np.linalg.svd(filled / np.sqrt(len(z)), full_matrices=False)
    weights = (filled**2).mean(axis=0)
    loadings = right.T * sizes / np.sqrt(weights)[:, None]
    signs = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(len(sizes))])
    return Components(sizes**2, loadings * signs, weights, left * np.sqrt(len(z)) * signs)


def parallel_analysis(z: Matrix, progress: Progress | None = None) -> Matrix:
    """Variances that components of unrelated descriptors would have: the same values and the same gaps, each column's
    values shuffled among its tracks; the 95th percentile of ROUNDS rounds."""
    dice = np.random.default_rng(20)
    there = np.isfinite(z)
    filled = np.nan_to_num(z) / np.sqrt(len(z))
    found = []
    for k in range(ROUNDS):
        for j in range(z.shape[1]):
            filled[there[:, j], j] = dice.permutation(filled[there[:, j], j])
        product = filled.T @ filled if z.shape[1] <= len(z) else filled @ filled.T
        found.append(np.linalg.eigvalsh(product)[::-1])
        if progress:
            progress((k + 1) / ROUNDS)
    return np.asarray(np.percentile(found, 95, axis=0))


def _pca(table: Table, catalog: Catalog, found: Components, chance: Matrix, kept: int) -> dict[str, Any]:
    share = found.variances / found.variances.sum()
    described = []
    for k in range(min(max(kept, 2), LISTED, len(share))):
        loadings, ends = found.loadings[:, k], np.argsort(found.places[:, k])
        described.append(
            {
                "number": k + 1,
                "explained": float(share[k]),
                "cumulative": float(share[: k + 1].sum()),
                "more_than_chance": k < kept,
                "loadings": {
                    table.names[j]: round(float(loadings[j]), 4) for j in np.argsort(-np.abs(loadings))
                },
                "low_end": [_track(catalog, table, i) for i in ends[:3]],
                "high_end": [_track(catalog, table, i) for i in ends[::-1][:3]],
            }
        )
    return {
        "kept": kept,
        "explained_by_kept": float(share[:kept].sum()),
        "explained": [round(float(value), 5) for value in share],
        "chance": [round(float(value), 5) for value in chance / found.variances.sum()],
        "components": described,
        "places": [
            {**_track(catalog, table, i), "x": round(float(x), 3), "y": round(float(y), 3)}
            for i, (x, y) in enumerate(found.places[:, :2])
        ],
    }


def _importance(names: tuple[str, ...], found: Components, kept: int) -> list[dict[str, Any]]:
    """How much of each descriptor the kept components explain, and how much of them it makes up, largest first."""
    explained = (found.loadings[:, :kept] ** 2).sum(axis=1)
    part = explained * found.weights / found.variances[:kept].sum()
    return [
        {
            "descriptor": names[j],
            "explained": round(float(explained[j]), 4),
            "contribution": round(float(part[j]), 5),
            "tracks_with_it": round(float(found.weights[j]), 4),
        }
        for j in np.argsort(-part)
    ]


def _correlations(
    names: tuple[str, ...], r: Matrix, pairs: NDArray[np.int64], unknown: NDArray[np.bool_]
) -> dict[str, Any]:
    above, beside = np.triu_indices(len(names), 1)
    order = np.argsort(-np.abs(r[above, beside]), kind="stable")

    def listed(across: bool) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for k in order:
            i, j = int(above[k]), int(beside[k])
            one, other = names[i], names[j]
            if unknown[i, j] or _same_family(one, other):
                continue
            if (one.partition(".")[0] != other.partition(".")[0]) is across:
                found.append(
                    {"one": one, "other": other, "r": round(float(r[i, j]), 4), "tracks": int(pairs[i, j])}
                )
            if len(found) == 15:
                break
        return found

    return {
        "within_a_source": listed(across=False),
        "between_sources": listed(across=True),
        "unknown_pairs": int(unknown[above, beside].sum()),
        "names": list(names),
        "matrix": [
            [None if unknown[i, j] and i != j else round(float(r[i, j]), 3) for j in range(len(names))]
            for i in range(len(names))
        ],
    }


def _same_family(one: str, other: str) -> bool:
    """Rows of one table (mfcc_2, mfcc_3) and spreads of the same descriptor are no discovery."""
    return re.sub(r"(_\d+)?(\.std)?$", "", one) == re.sub(r"(_\d+)?(\.std)?$", "", other)


def _missing(catalog: Catalog, table: Table, unused: dict[str, str]) -> dict[str, Any]:
    there = dict(zip(table.names, np.isfinite(table.values).sum(axis=0).tolist(), strict=True))
    sources = {}
    for source in SOURCES:
        own = [
            count for name, count in there.items() if name.startswith(f"{source}.") and "activity" not in name
        ]
        heard = max(own, default=0)
        activity = catalog.values(f"{source}.activity")[table.rows]
        sources[source] = {
            "sounds_in": heard,
            "silent_in": len(table.rows) - heard,
            "median_activity": float(np.nanmedian(activity)) if np.isfinite(activity).any() else None,
        }
    gaps = {
        name: sources[name.partition(".")[0]]["sounds_in"] - count
        for name, count in there.items()
        if "activity" not in name and count < sources[name.partition(".")[0]]["sounds_in"]
    }
    return {"sources": sources, "beyond_silence": gaps, "left_out": unused}


def modified_z(values: Matrix) -> Matrix:
    """Distance from the column's median in robust standard deviations, each side measured by its own: descriptors such
    as the noisiness have a long tail, which is no sign of anything wrong. NaN where a side has no spread."""
    apart = values - np.nanmedian(values, axis=0)
    z = np.full_like(apart, np.nan)
    for side in (apart >= 0, apart <= 0):
        distance = np.where(side, np.abs(apart), np.nan)
        spread = 1.4826 * np.nanmedian(distance, axis=0)
        z = np.where(side, apart / np.where(spread > 0, spread, np.nan), z)
    return z


def _outliers(table: Table, catalog: Catalog, places: Matrix) -> dict[str, Any]:
    from scipy.stats import chi2

    kept = places.shape[1]
    middle = np.nanmedian(table.values, axis=0)
    z = modified_z(table.values)
    size = np.where(np.isfinite(z), np.abs(z), 0)
    distance = np.sqrt((places**2).sum(axis=1))
    limit = float(np.sqrt(chi2.ppf(0.999, kept))) if kept else float("inf")
    beyond = (size > MODIFIED_Z).sum(axis=1)
    listed = [i for i in np.lexsort((-size.max(axis=1), -beyond)) if beyond[i] or distance[i] > limit]
    return {
        "tracks": [
            {
                **_track(catalog, table, i),
                "descriptors_beyond": int(beyond[i]),
                "distance": round(float(distance[i]), 2),
                "unusual_as_a_whole": bool(distance[i] > limit),
                "strongest": [
                    {
                        "descriptor": table.names[j],
                        "value": float(table.values[i, j]),
                        "median": float(middle[j]),
                        "unit": catalog.units.get(table.names[j].removesuffix(".std"), ""),
                        "z": round(float(z[i, j]), 1),
                    }
                    for j in np.argsort(-size[i])[:3]
                    if size[i, j] > MODIFIED_Z
                ],
            }
            for i in listed[:100]
        ],
        "in_all": len(listed),
        "z_limit": MODIFIED_Z,
        "distance_limit": round(limit, 2) if kept else None,
    }


def _track(catalog: Catalog, table: Table, row: int) -> dict[str, Any]:
    track = catalog.tracks[int(table.rows[row])]
    return {"id": track.id, "title": track.title, "artist": track.artist}


def known() -> tuple[str, ...]:
    """Descriptors that have a name of their own and are one number each, which a listener can follow."""
    return tuple(name for name, descriptor in descriptors().items() if descriptor.unit and descriptor.label)
