"""Small made-up libraries whose answers can be told by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audio.types import STEMS
from core.library.catalog import Catalog
from core.recommend.table import load_rules


@dataclass(frozen=True)
class Track:
    id: int
    title: str = "Untitled"
    artist: str | None = None
    genre: str | None = None
    content_hash: str = ""
    duration_s: float = 60.0


def catalog(
    columns: dict[str, list[float]], artists: list[str] | None = None, separator: str = "htdemucs_6s"
) -> Catalog:
    """A catalog with these features; ids count from 1."""
    count = len(next(iter(columns.values())))
    tracks = [
        Track(i + 1, f"Track {i + 1}", artists[i] if artists else f"Artist {i + 1}", None, f"{i:064x}")
        for i in range(count)
    ]
    matrix = np.array(list(columns.values()), dtype=np.float32).T
    return Catalog(tracks, [separator] * count, list(columns), matrix)


def random_catalog(count: int, seed: int = 1, separators: tuple[str, ...] = ("htdemucs_6s",)) -> Catalog:
    """A catalog in which every rule has its feature; some values are missing."""
    rng = np.random.default_rng(seed)
    names = sorted({rule.feature for rule in load_rules()} | {f"{stem}.activity" for stem in STEMS})
    matrix = rng.normal(size=(count, len(names))).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    for j, name in enumerate(names):
        if name == "mix.tempo":
            matrix[:, j] = rng.uniform(50, 180, count)
        if name.endswith(".activity"):
            matrix[:, j] = rng.random(count)
    tracks = [Track(i + 1, f"Track {i + 1}", f"Artist {i % 7}", None, f"{i:064x}") for i in range(count)]
    return Catalog(tracks, [separators[i % len(separators)] for i in range(count)], names, matrix)
