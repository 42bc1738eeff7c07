"""When a stem sounds, learnt: a logistic regression over what all stems hold, for a separator that leaks much.

One stem's level says little where leakage is as loud as a quiet instrument; how it lies beside the others, over
seconds and over the whole song, says more. Seen per stem and frame are three levels against the mix, in dB: of the mel
bands that it holds within 6 dB and within 2 dB of the strongest stem (core.audio.activity), and of all that it has.
Each counts as it is, as a mean over 1 s and over 4 s, and as the song's median and ninetieth percentile. A stem sounds
where its regression says more likely than not and where it holds at least what the plain gate asks for, since what is
usual in songs says nothing about an instrument of which there is nothing to hear. `python -m research.training.gate` fits
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from core.audio.activity import HELD_DB, HOLD_DB, Mask, held_level_db
from core.audio.types import FRAME_RATE, Floats

HOLDS_DB = (HOLD_DB, -2.0)
"""How far below the strongest stem a stem still holds a band; the plain gate's comes first (see `held`)."""

LOWEST_DB = -60.0
MEANS_SECONDS = (1.0, 4.0)
PERCENTILES = (50.0, 90.0)
VIEWS = 1 + len(MEANS_SECONDS) + len(PERCENTILES)
"""Each level as it is, its means and its percentiles."""


@dataclass(frozen=True)
class Detector:
    """weights: (VIEWS, 3 * stems, stems), per view and level (see `levels`); bias: (stems,); in the order of `stems`."""

    stems: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def sounds(self, mel: dict[str, Floats], mix_mel: Floats) -> dict[str, Mask]:
        """Frames, (T,), in which each stem is more likely there than not; mel: (bands, T) mel power of each stem of
        `stems`, mix_mel: of the mix."""
        found = levels({stem: mel[stem] for stem in self.stems}, mix_mel)
        views, there = seen(found), held(found)
        logits = sum(
            (view @ weight for view, weight in zip(views, self.weights, strict=True)), start=self.bias
        )
        return {stem: (logits[:, place] > 0) & there[:, place] for place, stem in enumerate(self.stems)}


def levels(mel: dict[str, Floats], mix_mel: Floats) -> Floats:
    """Return (T, 3 * stems): for each of HOLDS_DB and for all bands, the level of every stem, LOWEST_DB at least, in units
    of 20 dB where 1 is the mix's: -2..1.5."""
    columns = [level for hold in HOLDS_DB for level in held_level_db(mel, mix_mel, hold).values()]
    whole = mix_mel.sum(axis=0) + np.float32(1e-12)
    columns += [10 * np.log10(power.sum(axis=0) / whole + np.float32(1e-9)) for power in mel.values()]
    return (np.clip(np.stack(columns, 1), LOWEST_DB, 10.0) / 20 + 1).astype(np.float32)


def held(found: Floats) -> Mask:
    """Return the (T, stems) mask of where each stem holds enough for the plain gate; `found` comes from `levels`."""
    return found[:, : found.shape[1] // 3] > HELD_DB / 20 + 1


def seen(found: Floats) -> list[Floats]:
    """Return the VIEWS of levels (T, n): themselves, their means over time, (T, n), and their percentiles, (1, n)."""
    means = [
        uniform_filter1d(found, int(seconds * FRAME_RATE), axis=0, mode="nearest")
        for seconds in MEANS_SECONDS
    ]
    return [
        found,
        *means,
        *(np.percentile(found, q, axis=0, keepdims=True).astype(np.float32) for q in PERCENTILES),
    ]
