"""What a list of recommendations needs beyond each track's own score: variety, as visible terms.

Tracks are chosen greedily (maximal marginal relevance, Carbonell & Goldstein 1998): each pick has the highest
score after what it loses for repeating an artist or a sound that is already in the list. What is lost only grows
with the list, so the scores shown never rise.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.library.catalog import Catalog
from core.recommend.similarity import timbre_vectors

ARTIST_PENALTY = 0.05
"""Lost for each earlier track by the same artist."""

SIMILARITY_PENALTY = 0.10
"""Lost in full by a track that sounds exactly like an earlier one; nothing below SIMILAR."""

SIMILAR = 0.6
"""Cosine of timbre vectors from which on two tracks count as alike."""

FRESHNESS_PENALTY = 0.25
VARIETY = 0.03


@dataclass(frozen=True)
class Share:
    """A term of a score that no rule gives."""

    name: str
    contribution: float
    value: float
    unit: str
    text: str


@dataclass(frozen=True)
class Term:
    """The same kind of term for all tracks: `values` (tracks,)."""

    name: str
    values: NDArray[np.float32]
    text: str

    def at(self, row: int) -> Share:
        return Share(self.name, float(self.values[row]), float(self.values[row]), "score", self.text)


def freshness(catalog: Catalog, recent: Collection[int]) -> Term:
    """Tracks that were recommended a short while ago step back."""
    values = np.zeros(len(catalog), dtype=np.float32)
    values[[catalog.index(track_id) for track_id in recent if track_id in catalog]] = -FRESHNESS_PENALTY
    return Term("freshness", values, "You were shown this one a short while ago.")


def variety(catalog: Catalog, seed: int) -> Term:
    """A small push for or against each track, the same for the same seed and content."""
    values = np.array(
        [zlib.crc32(f"{seed}:{track.content_hash}".encode()) for track in catalog.tracks], dtype=np.float64
    )
    return Term(
        "variety",
        (VARIETY * (values / 2**31 - 1)).astype(np.float32),
        "A little chance, so that asking again differs.",
    )


def diverse(
    catalog: Catalog, candidates: NDArray[np.intp], scores: NDArray[np.float32], count: int
) -> list[tuple[int, list[Share]]]:
    """The `count` rows to recommend, best first, each with what it lost to diversity.

    `candidates` are rows, best first; equal scores keep their order.
    """
    vectors = timbre_vectors(catalog)[candidates]
    base = scores[candidates].astype(np.float64)
    artists = [(catalog.tracks[row].artist or "").casefold() for row in candidates]
    lost_alike = np.zeros(len(candidates))
    lost_artist = np.zeros(len(candidates))
    nearest = np.full(len(candidates), -1)
    open_ = np.ones(len(candidates), dtype=bool)
    picks: list[tuple[int, list[Share]]] = []
    for _ in range(min(count, len(candidates))):
        now = np.where(open_, base - lost_alike - lost_artist, -np.inf)
        pick = int(np.argmax(now))
        open_[pick] = False
        picks.append(
            (int(candidates[pick]), _lost(catalog, candidates, pick, lost_alike, lost_artist, nearest))
        )
        alike = SIMILARITY_PENALTY * np.clip((vectors @ vectors[pick] - SIMILAR) / (1 - SIMILAR), 0, 1)
        nearest[alike > lost_alike] = pick
        np.maximum(lost_alike, alike, out=lost_alike)
        if artists[pick]:
            lost_artist += ARTIST_PENALTY * np.array([artist == artists[pick] for artist in artists])
    return picks


def _lost(
    catalog: Catalog,
    candidates: NDArray[np.intp],
    pick: int,
    alike: NDArray[np.float64],
    artist: NDArray[np.float64],
    nearest: NDArray[np.int_],
) -> list[Share]:
    shares = []
    if alike[pick] > 0:
        other = catalog.tracks[candidates[nearest[pick]]].title
        shares.append(
            Share(
                "diversity.similar", -float(alike[pick]), float(alike[pick]), "score",
                f"It sounds much like “{other}”, which is already in the list.",
            )
        )  # fmt: skip
    if artist[pick] > 0:
        times = round(artist[pick] / ARTIST_PENALTY)
        shares.append(
            Share(
                "diversity.artist", -float(artist[pick]), float(times), "tracks",
                f"The list already has {times} by the same artist.",
            )
        )  # fmt: skip
    return shares
