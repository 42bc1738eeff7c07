"""Tracks that go with a track: by the instruments that sound, by their sound, or by timbre alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import Fact, Refusal, fact
from core.genre.neighbours import unit
from core.library.catalog import Catalog, TrackLike
from core.library.reference import quantiles
from core.recommend import acoustic_similarity
from core.recommend.rule import HIGH, LOW
from core.separation.base import HEARD

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

KINDS = ("instruments", "sound", "timbre")
"""What tracks can be compared by."""

MEASURED = ("instruments", "sound")
"""Those for which the metric can be chosen; timbre is a cosine."""

CLIP = 3.0
"""Robust z-scores are clipped here, so that one odd value does not decide."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Similar:
    """A track that resembles another, -1..1, and in what: facts that bot.words.likeness puts into words. `terms` add up to
    the similarity (see core.recommend.acoustic_similarity) where it is by sound."""

    track: TrackLike
    similarity: float
    reasons: list[Fact]
    terms: list[acoustic_similarity.Agreement] = field(default_factory=list)


def similar(
    catalog: Catalog,
    features: Mapping[str, float],
    by: str = "instruments",
    instruments: Sequence[str] | None = None,
    count: int = 10,
    *,
    exclude: Sequence[int] = (),
    metric: str = "cosine",
    separator: str | None = None,
) -> list[Similar]:
    """The `count` tracks most like one with these `features` (TrackAnalysis.features()), most similar first.

    `by` is 'instruments' (how much each stem sounds; `instruments` restricts it to some), 'sound' (see
    core.recommend.acoustic_similarity; `separator` is the one that heard the track, the catalog's first when not said) or 'timbre'
    (cosine of robust z-scores). `metric` is 'cosine' or 'euclidean', 2 / (1 + distance) - 1. Symmetric; equal
    similarities are ordered by track id. Raises UserError for unknown names, and when none of the instruments that are
    compared can be heard in the track: all tracks without them would be acoustic_similarity.
    """
    if by not in KINDS:
        raise Refusal("no-similarity", by=by, kinds=", ".join(KINDS))
    if metric not in acoustic_similarity.METRICS:
        raise Refusal("no-metric", metric=metric, metrics=", ".join(acoustic_similarity.METRICS))
    if metric != "cosine" and by not in MEASURED:
        raise Refusal("metric-not-here", by=by, measured=" or ".join(MEASURED))
    if instruments and (unknown := [name for name in instruments if name not in STEMS]):
        raise Refusal("no-instrument", name=unknown[0], stems=", ".join(STEMS))
    if not len(catalog) or count < 1:
        return []
    if by == "sound":
        return _by_sound(catalog, features, separator or catalog.separator_kinds[0], count, exclude, metric)
    if by == "instruments":
        names = tuple(f"{stem}.activity" for stem in instruments or STEMS)
        _check_heard(features, instruments or ())
        near = instrument_similarities(catalog, features, names, metric)
    else:
        names = tuple(name for name in TIMBRE if catalog.has(name))
        own = unit(standardised(catalog, _raw(features, names), names))
        near = np.clip(timbre_vectors(catalog) @ own[0], -1, 1)
    return [
        Similar(
            catalog.tracks[row],
            float(near[row]),
            _shared_instruments(catalog, row, features, names, chosen=bool(instruments))
            if by == "instruments"
            else _shared(catalog, row, features),
        )
        for row in nearest(catalog, near, count, exclude)
    ]


def nearest(catalog: Catalog, near: Vectors, count: int, exclude: Sequence[int] = ()) -> list[int]:
    """The rows of the `count` highest values (Catalog.best_first), without those of `exclude`."""
    near = near.copy()
    near[[catalog.index(track_id) for track_id in exclude if track_id in catalog]] = -np.inf
    return [int(row) for row in catalog.best_first(near, count)]


def _by_sound(
    catalog: Catalog,
    features: Mapping[str, float],
    separator: str,
    count: int,
    exclude: Sequence[int],
    metric: str,
) -> list[Similar]:
    space = acoustic_similarity.sound_space(catalog)
    own = space.vector(features, separator)
    found = []
    for row in nearest(catalog, space.similarities(own, metric), count, exclude):
        similarity, terms = acoustic_similarity.agreements(space.vectors[row], own, metric)
        here = {name: float(catalog.values(name)[row]) for name in acoustic_similarity.NAMES}
        here = {name: value for name, value in here.items() if value == value}
        reasons = acoustic_similarity.strongest(terms, here, features, metric)
        found.append(Similar(catalog.tracks[row], similarity, reasons, terms))
    found.sort(key=lambda one: (-one.similarity, one.track.id))
    return found


def instrument_similarities(
    catalog: Catalog, features: Mapping[str, float], names: Sequence[str], metric: str = "cosine"
) -> Vectors:
    """(tracks,), -1..1, by how much the stems of `names` ('guitar.activity', ...) sound."""
    table = np.nan_to_num(np.stack([catalog.values(name) for name in names], axis=1), nan=0.0)
    own = np.nan_to_num(_raw(features, names), nan=0.0)
    if len(names) == 1:
        # One number alone has a cosine of 1 with any other: what is left of the time is the second.
        table, own = np.hstack([table, 1 - table]), np.hstack([own, 1 - own])
    if metric == "cosine":
        cosines: Vectors = np.clip(unit(table) @ unit(own)[0], -1, 1)
        return cosines
    near: Vectors = (2 / (1 + np.linalg.norm(table - own, axis=1)) - 1).astype(np.float32)
    return near


def timbre_vectors(catalog: Catalog) -> Vectors:
    """(tracks, features), rows of length 1 (0 where nothing is known), computed once."""
    return catalog.derived(_timbre)


def _timbre(catalog: Catalog) -> Vectors:
    names = tuple(name for name in TIMBRE if catalog.has(name))
    raw = np.stack([catalog.values(name) for name in names], axis=1) if names else np.zeros((len(catalog), 1))
    return unit(standardised(catalog, raw.astype(np.float32), names))


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


def _check_heard(features: Mapping[str, float], chosen: Sequence[str]) -> None:
    if any((features.get(f"{stem}.activity") or 0.0) >= HEARD for stem in chosen or STEMS):
        return
    if not chosen:
        raise Refusal("no-instrument-heard")
    raise Refusal("instruments-not-heard", instruments=list(chosen))


def _shared_instruments(
    catalog: Catalog, row: int, features: Mapping[str, float], names: Sequence[str], *, chosen: bool
) -> list[Fact]:
    """The stems that sound most in both; of those that were `chosen`, all that can be heard in the track itself. Shared
    silence is no likeness."""
    both = []
    for name in names:
        here, there = float(np.nan_to_num(catalog.values(name)[row])), features.get(name) or 0.0
        both.append((min(here, there), name.partition(".")[0], here, there))
    return [
        fact("both-heard", stem=stem, here=here, there=there)
        for least, stem, here, there in sorted(both, key=lambda item: -item[0])[:3]
        if least > HEARD or (chosen and there >= HEARD)
    ]


COMPARED = (
    "mix.tempo", "mix.spectral_centroid", "mix.spectral_flatness", "mix.onset_strength", "mix.percussive_ratio",
    "mix.loudness", "mix.onset_rate", "mix.spectral_contrast", "mix.majorness",
)  # fmt: skip
"""What the reasons name: of the timbre vector and beside it, only what a listener understands."""


def _shared(catalog: Catalog, row: int, features: Mapping[str, float]) -> list[Fact]:
    """The descriptors that agree most, those first in which both differ from the average; what is neither high nor low
    in this library comes last, since most pairs have it in common."""
    agreeing = []
    for name in COMPARED:
        here, there = float(catalog.values(name)[row]), features.get(name)
        if there is None or np.isnan(here):
            continue
        middle, spread = _scale(catalog, name)
        apart, outstanding = abs(here - there) / spread, min(abs(here - middle), abs(there - middle)) / spread
        if apart < 0.75:
            percentile = float(catalog.percentiles(name)[row])
            usual = LOW <= percentile <= HIGH
            agreeing.append((usual, apart - min(outstanding, 2.0), name, here, there, percentile))
    return [
        fact(
            "both-measured",
            source=name.partition(".")[0],
            descriptor=name.partition(".")[2],
            here=here,
            there=there,
            unit=catalog.units.get(name, ""),
            percentile=percentile,
        )
        for *_, name, here, there, percentile in sorted(agreeing)[:3]
    ]
