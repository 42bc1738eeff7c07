"""Genres from the whole sound and from what each instrument does: kernel ridge regression on three kinds of numbers.

- texture: what the slices of the mel spectrogram are like (core.genre.network.Texture.measure), their mean;
- course: how timbre goes through the minute. Of 20 MFCC, of how far the peaks of seven bands stand out of their valleys,
  and of the middle and width of the spectrum FMA's seven statistics (Defferrard et al. 2017), and how much each moves;
- stems: the descriptors of the six separated instruments (core.analysis), where the separator is the one that it learned
  from.

Each kind has a Gaussian kernel and all count alike, however many numbers they have. The kernels are those of random
features (Rahimi & Recht 2007), so that what is stored is weights, no training track.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from core.audio.types import Floats
from core.genre.features import TOP_DB, Mel

SECONDS = 60.0
"""The middle of a track that texture and course are measured on."""
KINDS = ("texture", "course", "stems")
CLIP = 4.0
WAVES = 1024
"""Random directions for each kind; each gives a cosine and a sine."""
MFCC = 20
BANDS = (0, 8, 16, 28, 44, 64, 92, 128)
"""Edges of the bands whose peaks and valleys are compared, in mel bands."""

Doubles = NDArray[np.float64]


def course(mel: Mel) -> Floats:
    """(261,) numbers of an excerpt (core.genre.features.excerpt)."""
    loud = mel.T.astype(np.float32) / 255 * np.float32(TOP_DB) - np.float32(TOP_DB)
    if loud.shape[1] < 2:
        loud = np.repeat(loud, 2, axis=1)
    apart = []
    for low, high in itertools.pairwise(BANDS):
        ordered, few = np.sort(loud[low:high], axis=0), round((high - low) / 5)
        apart.append(ordered[-few:].mean(axis=0) - ordered[:few].mean(axis=0))
    share = 10 ** (loud / 10)
    share /= share.sum(axis=0)
    place = np.arange(len(loud), dtype=np.float32)[:, None]
    middle = (share * place).sum(axis=0)
    width = np.sqrt((share * (place - middle) ** 2).sum(axis=0))
    rows = np.vstack([dct(loud, axis=0, norm="ortho")[:MFCC], apart, middle[None], width[None]])
    moves = np.diff(rows, axis=1)
    return np.concatenate([_seven(rows), moves.std(axis=1), np.abs(moves).mean(axis=1)]).astype(np.float32)


def _seven(rows: Floats) -> Floats:
    """Kurtosis, maximum, mean, median, minimum, skewness and standard deviation of each row, one after the other."""
    mean, spread = rows.mean(axis=1, keepdims=True), rows.std(axis=1, keepdims=True) + 1e-6
    apart = (rows - mean) / spread
    return np.concatenate(
        [
            (apart**4).mean(axis=1) - 3, rows.max(axis=1), mean[:, 0], np.median(rows, axis=1), rows.min(axis=1),
            (apart**3).mean(axis=1), spread[:, 0],
        ]
    )  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """How the numbers of one kind become waves: robust to long tails, and of the same weight as the other kinds'."""

    mean: Doubles
    spread: Doubles
    """Infinite where a number never changes."""
    scale: float

    def waves(self, rows: Doubles) -> Doubles:
        """(n, numbers) to (n, 2 * WAVES); what is unknown (NaN) counts as the mean."""
        usable = max(int(np.isfinite(self.spread).sum()), 1)
        apart = np.clip(np.nan_to_num((rows - self.mean) / self.spread), -CLIP, CLIP) / np.sqrt(usable)
        turned = apart @ directions(len(self.mean))
        return np.hstack([np.cos(turned), np.sin(turned)]) * self.scale


@lru_cache(maxsize=4)
def directions(numbers: int) -> Doubles:
    """(numbers, WAVES), the same for ever: numpy keeps RandomState's stream as it is (NEP 19)."""
    return np.random.RandomState(numbers).standard_normal((numbers, WAVES))


@dataclass(frozen=True)
class Head:
    """One answer to some kinds: scores are waves @ weights + bias, probabilities softmax(sharpness * scores)."""

    weights: Doubles
    bias: Doubles
    sharpness: float

    def shares(self, waves: Doubles) -> Doubles:
        scores = self.sharpness * (waves @ self.weights + self.bias)
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Fused:
    """`heads` has "mix" (texture and course) and, where stems were learned from, "stems" (all three)."""

    kinds: dict[str, Kind]
    heads: dict[str, Head]
    stems: tuple[str, ...] = ()
    """Names of the stems' descriptors (TrackAnalysis.features)."""
    separator: str = ""
    """Name and version of the separator that they are from."""

    def classify(
        self, texture: Floats, heard: Floats, stems: Mapping[str, float] | None = None, separator: str = ""
    ) -> Doubles:
        """(genres,) probabilities; with `stems`, those of this separator, by all three kinds."""
        whole = "stems" in self.heads and stems is not None and separator == self.separator
        rows: dict[str, Any] = {"texture": texture[None], "course": heard[None]}
        if whole and stems is not None:
            rows["stems"] = np.array([[stems.get(name, np.nan) for name in self.stems]])
        waves = np.hstack([self.kinds[kind].waves(rows[kind].astype(float)) for kind in rows])
        return np.asarray(self.heads["stems" if whole else "mix"].shares(waves)[0])

    @classmethod
    def of(cls, arrays: Mapping[str, Any], texts: Mapping[str, str], genres: int) -> Fused | None:
        """What a model file (research.training.genre_networks.save) holds; None where it holds none. Raises KeyError or ValueError for what does not fit."""
        if "fused.head.mix" not in arrays:
            return None
        own = {name: np.asarray(array, float) for name, array in arrays.items()}
        kinds = {
            name: Kind(own[f"fused.{name}"][0], own[f"fused.{name}"][1], float(own[f"fused.{name}.scale"][0]))
            for name in KINDS
            if f"fused.{name}" in own
        }
        heads = {}
        for name, count in (("mix", 2), ("stems", 3)):
            if (table := own.get(f"fused.head.{name}")) is not None:
                if table.shape != (2 * WAVES * count + 1, genres) or len(kinds) < count:
                    raise ValueError(f"the {name} head has the shape {table.shape}")
                heads[name] = Head(table[:-1], table[-1], float(own[f"fused.head.{name}.sharpness"][0]))
        names = tuple(str(one) for one in json.loads(texts["stems"]))
        if "stems" in kinds and len(names) != len(kinds["stems"].mean):
            raise ValueError("the names of the stems' descriptors are not as many as their numbers")
        return cls(kinds, heads, names, texts["separator"])
