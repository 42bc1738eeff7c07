"""Tracks that go with a track: by the instruments that sound, or by timbre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.library.catalog import Catalog, TrackLike
from core.library.reference import quantiles
from core.recommend import wording
from core.separation.base import STEMS

TIMBRE = (
    *(f"mix.mfcc_{i}" for i in range(2, 14)),
    *(f"mix.mfcc_{i}.std" for i in range(2, 8)),
    *(f"mix.spectral_contrast_{i}" for i in range(1, 8)),
    "mix.spectral_centroid",
    "mix.spectral_centroid.std",
    "mix.spectral_flatness",
    "mix.spectral_bandwidth",
    "mix.onset_strength",
    "mix.percussive_ratio",
)
"""The features that make up a track's timbre vector."""

CLIP = 3.0
"""Robust z-scores are clipped here, so that one odd value does not decide."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Similar:
    """A track that resembles another, -1..1, and in what."""

    track: TrackLike
    similarity: float
    reasons: list[str]


def similar(
    catalog: Catalog,
    features: Mapping[str, float],
    by: str = "instruments",
    instruments: Sequence[str] | None = None,
    count: int = 10,
    *,
    exclude: Sequence[int] = (),
) -> list[Similar]:
    """The `count` tracks most like one with these `features` (TrackAnalysis.features()), most similar first.

    `by` is 'instruments' (cosine of how much each stem sounds; `instruments` restricts it to some) or 'timbre'
    (cosine of robust z-scores). Equal similarities are ordered by track id. Raises UserError for unknown names.
    """
    if by == "instruments":
        chosen = tuple(instruments or STEMS)
        if unknown := [name for name in chosen if name not in STEMS]:
            raise UserError(f"There is no instrument {unknown[0]!r}: choose from {', '.join(STEMS)}.")
        names = tuple(f"{stem}.activity" for stem in chosen)
        vectors, own = instrument_vectors(catalog, names), _unit(_raw(features, names))
    elif by == "timbre":
        names = tuple(name for name in TIMBRE if catalog.has(name))
        vectors, own = timbre_vectors(catalog), _unit(standardised(catalog, _raw(features, names), names))
    else:
        raise UserError(f"There is no similarity by {by!r}: choose instruments or timbre.")
    if not len(catalog) or count < 1:
        return []
    cosines = np.clip(vectors @ own[0], -1, 1)
    cosines[[catalog.index(track_id) for track_id in exclude if track_id in catalog]] = -np.inf
    order = np.lexsort(([track.id for track in catalog.tracks], -cosines))
    return [
        Similar(
            catalog.tracks[row],
            float(cosines[row]),
            _shared_instruments(catalog, row, features, names)
            if by == "instruments"
            else _shared(catalog, row, features),
        )
        for row in order[:count]
        if cosines[row] > -np.inf
    ]


def instrument_vectors(catalog: Catalog, names: Sequence[str]) -> Vectors:
    """(tracks, stems), rows of length 1: how much each stem sounds."""
    return _unit(np.stack([catalog.values(name) for name in names], axis=1))


def timbre_vectors(catalog: Catalog) -> Vectors:
    """(tracks, features), rows of length 1 (0 where nothing is known), computed once."""
    if "timbre" not in catalog.prepared:
        names = tuple(name for name in TIMBRE if catalog.has(name))
        raw = (
            np.stack([catalog.values(name) for name in names], axis=1)
            if names
            else np.zeros((len(catalog), 1))
        )
        catalog.prepared["timbre"] = _unit(standardised(catalog, raw.astype(np.float32), names))
    found: Vectors = catalog.prepared["timbre"]
    return found


def standardised(catalog: Catalog, raw: Vectors, names: Sequence[str]) -> Vectors:
    """Robust z-scores (median and interquartile range of the library, or of the reference where it is small)."""
    result = raw.copy()
    for j, name in enumerate(names):
        middle, spread = _scale(catalog, name)
        result[:, j] = np.clip((raw[:, j] - middle) / spread, -CLIP, CLIP)
    return result


def _scale(catalog: Catalog, name: str) -> tuple[float, float]:
    known = catalog.values(name)
    known = known[~np.isnan(known)]
    common = quantiles(catalog.separator_kinds[0], name) if len(catalog) else None
    if len(known) < 30 and common is not None:
        known = np.asarray(common, dtype=np.float32)
    if not len(known):
        return 0.0, 1.0
    low, middle, high = np.percentile(known, (25, 50, 75))
    return float(middle), float(high - low) / 1.349 or float(np.std(known)) or 1.0


def _raw(features: Mapping[str, float], names: Sequence[str]) -> Vectors:
    return np.array([[features.get(name, np.nan) for name in names]], dtype=np.float32)


def _unit(rows: Vectors) -> Vectors:
    rows = np.nan_to_num(rows, nan=0.0).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1))


def _shared_instruments(
    catalog: Catalog, row: int, features: Mapping[str, float], names: Sequence[str]
) -> list[str]:
    """The stems that sound most in both."""
    both = []
    for name in names:
        here, there = float(np.nan_to_num(catalog.values(name)[row])), features.get(name) or 0.0
        both.append((min(here, there), name.partition(".")[0], here, there))
    return [
        f"{wording.table()['sources'][stem].capitalize()} can be heard {wording.formatted(here, '%')} of the time"
        f" here and {wording.formatted(there, '%')} there."
        for least, stem, here, there in sorted(both, key=lambda item: -item[0])[:3]
        if least > 0.05
    ]


COMPARED = (
    "mix.tempo", "mix.spectral_centroid", "mix.spectral_flatness", "mix.onset_strength", "mix.percussive_ratio",
    "mix.loudness", "mix.onset_rate", "mix.spectral_contrast", "mix.majorness",
)  # fmt: skip
"""What is compared in words: of the timbre vector and beside it, only what a listener understands."""


def _shared(catalog: Catalog, row: int, features: Mapping[str, float]) -> list[str]:
    """The descriptors that agree most, those first in which both differ from the average."""
    agreeing = []
    for name in COMPARED:
        here, there = float(catalog.values(name)[row]), features.get(name)
        if there is None or np.isnan(here):
            continue
        middle, spread = _scale(catalog, name)
        apart, outstanding = abs(here - there) / spread, min(abs(here - middle), abs(there - middle)) / spread
        if apart < 0.75:
            agreeing.append((apart - min(outstanding, 2.0), name, here, there))
    lines = []
    for _, name, here, there in sorted(agreeing)[:3]:
        source, _, descriptor = name.partition(".")
        percentile = float(catalog.percentiles(name)[row])
        stated = wording.fact(source, descriptor, here, catalog.units.get(name, ""), percentile)
        how = wording.table().get(descriptor, {}).get("format", "")
        lines.append(f"In both, {stated} here, {wording.formatted(there, how)} there.")
    return lines
