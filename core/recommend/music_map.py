"""A map of the library: tracks that sound alike lie near each other, and moods are directions on it.

The two first principal components (Pearson 1901; by numpy's eigenvectors) of the vectors of core.recommend.acoustic_similarity, turned
so that arousal points up and, where it can be told, pleasantness to the right: which way round components come out
means nothing. A mood's direction are the correlations of its score with the two coordinates (the arrows of a biplot,
Gabriel 1971), its strength their multiple correlation: how well the map tells tracks that have the mood from others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.library.catalog import Catalog
from core.moods.profile import MOODS
from core.recommend.acoustic_similarity import BLOCK, ONE, sound_space
from core.recommend.affect import plane
from core.recommend.topic_scores import prepare

MOST = 20_000
"""Tracks that are drawn: of more, every second, third ... one."""

FEWEST = 3
"""Tracks that make a plane."""

MEASURED = ("mix.tempo", "mix.loudness", "mix.spectral_centroid", "mix.percussive_ratio", "mix.majorness")
"""What an axis may be named after: measurements that a listener understands."""

NAMED = 60
"""Up to this many tracks are drawn with their names."""

Vector = NDArray[np.float64]
End = tuple[str, str]
Axis = tuple[End, End] | None


@dataclass(frozen=True)
class Direction:
    """Where tracks that have more of a mood lie: a unit vector, and how well that holds, 0..1."""

    mood: str
    x: float
    y: float
    strength: float


@dataclass(frozen=True)
class MusicMap:
    """`points` (tracks, 2), most of them within 1 of the middle; `explained` the shares of all variance that the two axes
    hold; `axes` what (left, right) and (bottom, top) have most of: ('mix.tempo', 'low' or 'high'), None where no measurement
    runs along; `moods` the best-fitting mood of each track."""

    points: Vector
    explained: tuple[float, float]
    directions: list[Direction]
    axes: tuple[Axis, Axis]
    moods: list[str]


def music_map(catalog: Catalog) -> MusicMap:
    """The catalog's map, made once. Raises UserError for fewer than FEWEST tracks."""
    if len(catalog) < FEWEST:
        raise Refusal("map-too-few", fewest=FEWEST)
    return catalog.scored(_turned)


def components(catalog: Catalog) -> tuple[Vector, tuple[float, float]]:
    """Coordinates on the two first principal components, (tracks, 2), and the share of variance that each holds."""
    vectors = sound_space(catalog).vectors
    count, width = vectors.shape
    mean = np.zeros(width)
    for start in range(0, count, BLOCK):
        mean += (vectors[start : start + BLOCK] / ONE).sum(axis=0)
    mean /= count
    covariance = np.zeros((width, width))
    for start in range(0, count, BLOCK):
        part = (vectors[start : start + BLOCK] / ONE) - mean
        covariance += part.T @ part
    values, basis = np.linalg.eigh(covariance)
    total = max(float(values.sum()), 1e-12)
    first, second = basis[:, -1], basis[:, -2]
    points = np.empty((count, 2))
    for start in range(0, count, BLOCK):
        part = (vectors[start : start + BLOCK] / ONE) - mean
        points[start : start + BLOCK] = np.stack([part @ first, part @ second], axis=1)
    shares = [max(float(value), 0.0) / total for value in (values[-1], values[-2])]
    return points, (shares[0], shares[1])


def _turned(catalog: Catalog) -> MusicMap:
    """Return the components turned and scaled, with everything that is drawn onto them."""
    points, explained = catalog.derived(components)
    affect = plane(catalog)
    up = (points - points.mean(axis=0)).T @ (affect[:, 1] - affect[:, 1].mean())
    # Turned left by this, arousal points up and has nothing to do with left and right.
    angle = math.atan2(up[0], up[1])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = points @ turn
    if _correlation(points[:, 0], affect[:, 0]) < 0:
        points = points * np.array([-1.0, 1.0])
    # In a small library one odd track would squeeze all others; in a large one the rim would be full.
    reach = float(np.percentile(np.hypot(*points.T), 85 if len(points) < 200 else 97)) or 1.0
    points = points / reach
    # Beyond this the farthest would make all others small.
    length = np.hypot(*points.T)
    points = points * (np.minimum(length, 1.25) / np.maximum(length, 1e-12))[:, None]
    prepared = prepare(catalog)
    scores = np.stack([prepared.scores({mood: 1.0}).astype(np.float64) for mood in MOODS], axis=1)
    directions = []
    for j, mood in enumerate(MOODS):
        x, y = (_correlation(column, scores[:, j]) for column in points.T)
        length_ = math.hypot(x, y)
        strength = _multiple(points, scores[:, j])
        if length_ > 0:
            directions.append(Direction(mood, x / length_, y / length_, strength))
    # A mood's scores are compared with those of other tracks: some moods have higher ones everywhere.
    relative = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-9)
    best = [MOODS[j] for j in np.argmax(relative, axis=1)]
    along = _axis(catalog, points[:, 1])
    across = _axis(catalog, points[:, 0], taken=along)
    return MusicMap(points, explained, directions, (across, along), best)


def _correlation(one: Vector, other: Vector) -> float:
    """Pearson's, 0 where either is constant."""
    one, other = one - one.mean(), other - other.mean()
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length > 0 else 0.0


def _multiple(points: Vector, values: Vector) -> float:
    """The correlation of the values with the best plane through them over the map."""
    design = np.column_stack([points, np.ones(len(points))])
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return min(max(_correlation(fitted, values), 0.0), 1.0)


def _axis(catalog: Catalog, places: Vector, taken: Axis = None) -> Axis:
    """The measurement that runs along an axis most, by its two ends; none that names the other axis already."""
    best, found, sign = 0.0, "", 1.0
    for name in MEASURED:
        values = catalog.percentiles(name).astype(np.float64)
        known = ~np.isnan(values)
        if known.sum() < FEWEST or (taken is not None and name == taken[0][0]):
            continue
        r = _correlation(places[known], values[known])
        if abs(r) > best:
            best, found, sign = abs(r), name, math.copysign(1.0, r)
    if not found:
        return None
    low, high = (found, "low"), (found, "high")
    return (low, high) if sign > 0 else (high, low)


def drawn(catalog: Catalog, picked: Sequence[int] = ()) -> dict[str, Any]:
    """What bot.words.library_map puts into words for core.pictures.library_map, as plain data; `picked` are track ids to mark, unknown ones are left out."""
    found = music_map(catalog)
    step = -(-len(catalog) // MOST)
    marked = [catalog.index(track_id) for track_id in picked if track_id in catalog]
    rows = sorted({*range(0, len(catalog), step), *marked})
    return {
        "points": [[round(float(x), 4), round(float(y), 4)] for x, y in found.points[rows]],
        "moods": [found.moods[row] for row in rows],
        "titles": [catalog.tracks[row].title for row in rows] if len(rows) <= NAMED else [],
        "picked": [rows.index(row) for row in marked],
        "picked_titles": [catalog.tracks[row].title for row in marked],
        "directions": [[one.mood, one.x, one.y, one.strength] for one in found.directions],
        "axes": [[list(end) for end in axis] if axis else None for axis in found.axes],
        "count": len(catalog),
    }
