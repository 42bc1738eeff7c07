"""What a list of recommendations needs beyond each track's own score: variety, as visible terms.

Tracks are chosen greedily (maximal marginal relevance, Carbonell & Goldstein 1998): each pick has the highest
score after what it loses for repeating an artist or a sound that is already in the list. What is lost only grows
with the list, so the scores shown never rise.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import Fact, fact
from core.library.catalog import Catalog
from core.library.recommendations import FRESHNESS_DAYS
from core.recommend.similar import timbre_vectors

ARTIST_PENALTY = 0.05
"""Lost for each earlier track by the same artist."""

SIMILARITY_PENALTY = 0.10
"""Lost in full by a track that sounds exactly like an earlier one; nothing below SIMILAR."""

SIMILAR = 0.6
"""Cosine of timbre vectors from which on two tracks count as alike."""

FRESHNESS_PENALTY = 0.25
"""Lost in full by a track that was shown just now, less with each day, nothing after a week."""

SURPRISE = 0.15
"""How much chance may add or take away when somebody asks for a surprise: enough that unlikely picks come up, too little
for bad ones."""


@dataclass(frozen=True)
class Share:
    """A term of a score that no rule gives."""

    name: str
    contribution: float
    value: float
    unit: str
    fact: Fact


class Term(Protocol):
    """The same kind of term for all tracks of a catalog."""

    def add_to(self, scores: NDArray[np.float32]) -> None:
        """Add the term to every track's score."""

    def at(self, row: int) -> Sequence[Share]:
        """The term of one track, in as many parts as there is something to say about."""


class Freshness:
    """Tracks that were shown lately step back. `days` says how long ago, by row."""

    def __init__(self, catalog: Catalog, recent: Mapping[int, float]) -> None:
        self.days = {
            catalog.index(track_id): max(days, 0.0)
            for track_id, days in recent.items()
            if track_id in catalog and days < FRESHNESS_DAYS
        }

    def lost(self, row: int) -> float:
        return FRESHNESS_PENALTY * (1 - self.days[row] / FRESHNESS_DAYS)

    def add_to(self, scores: NDArray[np.float32]) -> None:
        for row in self.days:
            scores[row] -= self.lost(row)

    def at(self, row: int) -> list[Share]:
        if row not in self.days:
            return []
        days = self.days[row]
        if days < 0.75:
            said = fact("shown-today")
        elif days < 1.5:
            said = fact("shown-yesterday")
        else:
            said = fact("shown-days-ago", days=days)
        return [Share("freshness", -self.lost(row), days, "days", said)]


def _hashes(catalog: Catalog) -> NDArray[np.uint32]:
    return np.array([zlib.crc32(track.content_hash.encode()) for track in catalog.tracks], dtype=np.uint32)


class Surprise:
    """Chance speaks for or against each track, the same for the same seed and recording."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        hashes = catalog.derived(_hashes)
        mixed = _scrambled(hashes ^ np.uint32(zlib.crc32(str(seed).encode())))
        self.values = mixed.astype(np.float32)
        self.values *= np.float32(SURPRISE / 2**31)
        self.values -= np.float32(SURPRISE)

    def add_to(self, scores: NDArray[np.float32]) -> None:
        scores += self.values

    def at(self, row: int) -> list[Share]:
        value = float(self.values[row])
        told = fact("chance-for" if value >= 0 else "chance-against")
        return [Share("surprise", value, value, "score", told)]


def _scrambled(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Each number's place in a fixed shuffle of all 32-bit numbers (the finaliser of MurmurHash3, Appleby 2011)."""
    mixed = numbers ^ (numbers >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


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
                fact("much-like", title=other),
            )
        )  # fmt: skip
    if artist[pick] > 0:
        times = round(artist[pick] / ARTIST_PENALTY)
        shares.append(
            Share(
                "diversity.artist", -float(artist[pick]), float(times), "tracks",
                fact("same-artist", count=times),
            )
        )  # fmt: skip
    return shares
