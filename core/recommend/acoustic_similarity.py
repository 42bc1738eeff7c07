"""Tracks that sound alike, measured as the descriptors of the sound are: of the whole track and of each stem.

A vector has six descriptors for each source: MFCC 2 to 13 (Davis & Mermelstein 1980), the twelve chroma, tempo (of the
whole track), spectral centroid, zero-crossing rate, and spectral contrast in seven bands (Jiang et al. 2002); of the
whole track also how much each varies. Values are robust z-scores within the same separator. A descriptor weighs (WEIGHTS)
as much as it tells genres apart by itself, however many numbers it has; the whole track weighs as much as all stems
together, and a stem as much as its separator can be trusted with it. A stem that does not sound has zeros, the library's
middle.

Both similarities are symmetric and the sum of what each descriptor of each source adds:
- cosine: u·v / (|u| |v|), each descriptor its part of the product;
- euclidean: 2 / (1 + d) - 1 for the distance d, which begins at 1 and loses to each descriptor in proportion to its
  part of d².
A million vectors are kept in fixed point, 530 bytes each: no part of one is longer than 1, and 16-bit integers become
single precision ten times sooner than half-precision numbers do. Sums are made in single precision, and in double for
what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import Fact, Refusal, fact
from core.library.catalog import Catalog
from core.library.reference import quantiles
from core.recommend.table import trust

DESCRIPTORS: dict[str, tuple[str, ...]] = {
    "mfcc": tuple(f"mfcc_{i}" for i in range(2, 14)),
    "chroma": tuple(f"chroma_{i}" for i in range(1, 13)),
    "tempo": ("tempo",),
    "centroid": ("spectral_centroid",),
    "zcr": ("zero_crossing_rate",),
    "contrast": tuple(f"spectral_contrast_{i}" for i in range(1, 8)),
}
WEIGHTS = {"mfcc": 0.33, "contrast": 0.265, "chroma": 0.203, "centroid": 0.177, "zcr": 0.174, "tempo": 0.1}
"""How much better than the most frequent genre (28%) a support vector machine does with this descriptor alone on FMA
(Defferrard et al. 2017, "FMA: a dataset for music analysis", their table of features). Tempo is not in it; its weight is
our choice."""

METRICS = ("cosine", "euclidean")

CLIP = 3.0
"""Robust z-scores are clipped here, so that one odd value does not decide."""

FEWEST = 30
"""A library with fewer tracks of a separator is measured by the bundled reference, where that has the feature."""

BLOCK = 2_048
"""Vectors that are widened to single precision at once: as many as the processor's cache holds (2 MB)."""

ONE = 32_767
"""A part of length 1 in fixed point."""

Fixed = NDArray[np.int16]
Wide = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """One descriptor of one source: the columns that it has in a vector."""

    source: str
    descriptor: str
    columns: slice
    names: tuple[str, ...]


def _blocks() -> tuple[Block, ...]:
    found, start = [], 0
    for source in ("mix", *STEMS):
        for descriptor, names in DESCRIPTORS.items():
            if descriptor == "tempo" and source != "mix":
                continue
            features = tuple(f"{source}.{name}" for name in names)
            if source == "mix" and descriptor != "tempo":
                features += tuple(f"{name}.std" for name in features)
            columns = slice(start, start + len(features))
            found.append(Block(source, descriptor, columns, features))
            start = columns.stop
    return tuple(found)


BLOCKS = _blocks()
NAMES = tuple(name for block in BLOCKS for name in block.names)


@dataclass(frozen=True)
class Agreement:
    """What one descriptor of one source adds to a similarity, below zero where the two tracks differ in it."""

    source: str
    descriptor: str
    contribution: float


class SoundSpace:
    """The vectors of a catalog, (tracks, len(NAMES)) in fixed point, and the scale that they are measured on."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.kinds = catalog.separator_kinds
        self._scales: dict[str, tuple[Wide, Wide]] = {}
        self.vectors: Fixed = np.zeros((len(catalog), len(NAMES)), dtype=np.int16)
        for code, kind in enumerate(self.kinds):
            rows = np.flatnonzero(catalog.separator_codes == code)
            middle, spread, weight = *self.scale(kind), _weights(kind)
            for j, name in enumerate(NAMES):
                if catalog.has(name):
                    scaled = _scaled(catalog.values(name)[rows], middle[j], spread[j])
                    self.vectors[rows, j] = fixed(scaled * weight[j])
        self.norms: Wide = np.empty(len(catalog), dtype=np.float32)
        for start in range(0, len(catalog), BLOCK):
            block = wide(self.vectors[start : start + BLOCK])
            self.norms[start : start + BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))

    def scale(self, separator: str) -> tuple[Wide, Wide]:
        """Middle and spread of each feature among the tracks of a separator, or in the reference for a few."""
        if separator not in self._scales:
            pairs = [self._scale(separator, name) for name in NAMES]
            self._scales[separator] = (
                np.array([one for one, _ in pairs], dtype=np.float32),
                np.array([one for _, one in pairs], dtype=np.float32),
            )
        return self._scales[separator]

    def _scale(self, separator: str, name: str) -> tuple[float, float]:
        # The whole track measures alike whichever separator ran.
        values = self.catalog.values(name)
        if not name.startswith("mix."):
            if separator not in self.kinds:
                return 0.0, math.inf  # a stem by a separator of which nothing else is known says nothing
            values = values[self.catalog.separator_codes == self.kinds.index(separator)]
        known = values[~np.isnan(values)]
        common = quantiles(separator, name)
        if len(known) < FEWEST and common is not None:
            known = np.asarray(common, dtype=np.float32)
        if len(known) < 2:
            return 0.0, math.inf
        low, middle, high = np.percentile(known, (25, 50, 75))
        return float(middle), float(high - low) / 1.349 or float(np.std(known)) or math.inf

    def vector(self, features: Mapping[str, float], separator: str) -> Fixed:
        """(len(NAMES),) of a track from anywhere (TrackAnalysis.features()): as that of one in the catalog."""
        middle, spread = self.scale(separator)
        raw = np.array([features.get(name, np.nan) for name in NAMES], dtype=np.float32)
        return fixed(_scaled(raw, middle, spread) * _weights(separator))

    def similarities(self, own: Fixed, metric: str = "cosine") -> Wide:
        """(tracks,), -1..1. Raises UserError for an unknown metric."""
        if metric not in METRICS:
            raise Refusal("no-metric", metric=metric, metrics=", ".join(METRICS))
        asked = wide(own)
        length = np.float32(math.sqrt(_squares(own)))
        result = np.empty(len(self.vectors), dtype=np.float32)
        for start in range(0, len(result), BLOCK):
            rows = slice(start, start + BLOCK)
            result[rows] = wide(self.vectors[rows]) @ asked
        if metric == "cosine":
            product = self.norms * length
            return np.clip(result / np.where(product > 0, product, 1), -1, 1)
        squared = self.norms**2 + length**2 - 2 * result
        near: Wide = 2 / (1 + np.sqrt(np.maximum(squared, 0))) - 1
        return near


def sound_space(catalog: Catalog) -> SoundSpace:
    """The catalog's vectors, computed once."""
    return catalog.derived(SoundSpace)


def fixed(vectors: Wide) -> Fixed:
    """In steps of 1 / ONE. Weights keep every part of a vector below 1: the longest, a centroid of the only stem that its
    separator can be trusted with, is 0.83."""
    steps: Fixed = np.rint(vectors * np.float32(ONE)).astype(np.int16)
    return steps


def wide(vectors: Fixed) -> Wide:
    """In single precision, which has all the digits of fixed point."""
    return np.multiply(vectors, np.float32(1 / ONE), dtype=np.float32)


def agreements(one: Fixed, other: Fixed, metric: str = "cosine") -> tuple[float, list[Agreement]]:
    """The similarity of two vectors, and what each descriptor adds to it, most first.

    With cosine they add up to the similarity, with euclidean to the similarity less 1. The same for both orders.
    """
    u, v = one.astype(np.float64) / ONE, other.astype(np.float64) / ONE
    if metric == "cosine":
        lengths = math.sqrt(_squares(one)) * math.sqrt(_squares(other))
        terms = u * v / lengths if lengths > 0 else np.zeros(len(u))
    else:
        squares = (u - v) ** 2
        squared = math.fsum(squares)
        similarity = 2 / (1 + math.sqrt(squared)) - 1
        terms = squares * ((similarity - 1) / squared) if squared > 0 else squares
    found = [Agreement(part.source, part.descriptor, math.fsum(terms[part.columns])) for part in BLOCKS]
    if metric == "cosine":
        similarity = math.fsum(term.contribution for term in found)
    found.sort(key=lambda term: -term.contribution)
    return min(max(similarity, -1.0), 1.0), found


def _squares(vector: Fixed) -> float:
    return float(np.square(vector / ONE).sum())


def _weights(separator: str) -> Wide:
    """Of each column, so that a track that lies one spread from the middle in everything has length 1."""
    stems = {stem: trust(separator, stem) for stem in STEMS}
    total = sum(stems.values())
    sources = {"mix": 0.5, **{stem: 0.5 * one / total if total else 0.0 for stem, one in stems.items()}}
    return np.array(
        [
            math.sqrt(sources[block.source] * _part(block.source, block.descriptor) / len(block.names))
            for block in BLOCKS
            for _ in block.names
        ],
        dtype=np.float32,
    )


def _part(source: str, descriptor: str) -> float:
    """What a descriptor weighs within its source, together 1."""
    return WEIGHTS[descriptor] / sum(WEIGHTS[block.descriptor] for block in BLOCKS if block.source == source)


def _scaled(values: Wide, middle: Wide | float, spread: Wide | float) -> Wide:
    result: Wide = np.nan_to_num(np.clip((values - middle) / spread, -CLIP, CLIP), nan=0.0).astype(np.float32)
    return result


def strongest(
    found: list[Agreement], here: Mapping[str, float], there: Mapping[str, float], metric: str = "cosine"
) -> list[Fact]:
    """Return the three that agree most, then the one that differs most, with the values of both: `here` of the track found, `there` of the
    asked one. What is unknown of either is left out.

    `part` is what it adds to the similarity by cosine, else its share of the distance, 0..1.
    """
    both = [
        term
        for term in found
        if all(f"{term.source}.{DESCRIPTORS[term.descriptor][0]}" in one for one in (here, there))
    ]
    if metric == "cosine":
        alike = [term for term in both if term.contribution > 0]
        apart = [term for term in reversed(both) if term.contribution < 0]
    else:  # everything takes something away: what takes less or more than its part
        both.sort(key=lambda term: -(_share(term, found) + _nominal(term)))
        alike = [term for term in both if _share(term, found) + _nominal(term) > 0]
        apart = [term for term in reversed(both) if _share(term, found) + _nominal(term) < 0]
    return [
        fact(
            how,
            source=term.source,
            descriptor=term.descriptor,
            metric=metric,
            part=term.contribution if metric == "cosine" else abs(_share(term, found)),
            **{side: _values(term, one) for side, one in (("here", here), ("there", there))},
        )
        for how, terms in (("alike", alike[:3]), ("different", apart[:1]))
        for term in terms
    ]


def _values(term: Agreement, features: Mapping[str, float]) -> list[float]:
    return [features[f"{term.source}.{name}"] for name in DESCRIPTORS[term.descriptor]]


def _share(term: Agreement, found: list[Agreement]) -> float:
    """The part of what all take away that this one does, -1..0."""
    total = math.fsum(other.contribution for other in found)
    return -term.contribution / total if total else 0.0


def _nominal(term: Agreement) -> float:
    """The part of a vector's length that a descriptor has where all stems are trusted alike."""
    return (0.5 if term.source == "mix" else 0.5 / len(STEMS)) * _part(term.source, term.descriptor)
