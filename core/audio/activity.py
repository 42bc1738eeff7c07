"""When a stem sounds: the noise gate behind the instrument activity.

No separator is clean: what it cannot place leaks into every stem at 10 to 25 dB below the mix. A plain level gate
either lets the leakage through or cuts off a quiet instrument. A stem therefore sounds in a frame when
 - its level is above -60 dBFS (nothing but noise lies below), and
 - what it *holds* lies less than 35 dB below the mix at that time. A stem holds the mel bands in which it comes within
   6 dB of the strongest stem: a real instrument, however quiet, stands out at least in the bands of its own partials;
   leakage follows louder stems at a distance and stands out nowhere.
A separator that leaks more than that names a gate of its own (Separator.gate), such as core.audio.detector.
Gaps of up to 0.5 s are then closed (the rest between two drum hits is part of playing), and what lasts less than 0.1 s
is dropped. The share of frames left is the stem's activity: the share of time that the instrument plays.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.audio.types import FRAME_RATE, Floats

FLOOR_DB = -60.0
"""dBFS (RMS over a frame) below which nothing counts as sounding, in a stem as in the mix."""

HOLD_DB = -6.0
"""How far below the strongest stem a stem still holds a band."""

HELD_DB = -35.0
"""How far below the mix the sum of the bands that a stem holds may lie."""

CLOSE_SECONDS, SHORTEST_SECONDS = 0.5, 0.1
SILENT_DB = -120.0
"""Stands for the level of digital silence."""

MINIMUM_SECONDS = 0.5
"""A source that sounds for less has no descriptors: they would describe a handful of frames."""

Mask = NDArray[np.bool_]


class Gating(Protocol):
    """Decides in which frames a stem sounds, given a level above the floor."""

    def sounds(self, mel: dict[str, Floats], mix_mel: Floats) -> dict[str, Mask]:
        """Return (T,) masks of the frames in which each stem sounds; mel: (bands, T) mel power of each stem, mix_mel: of
        the mix."""
        ...


class Gate:
    """The gate for a separator that leaks little."""

    def sounds(self, mel: dict[str, Floats], mix_mel: Floats) -> dict[str, Mask]:
        return {stem: held > HELD_DB for stem, held in held_level_db(mel, mix_mel).items()}


def level_db(rms: Floats) -> Floats:
    """Return an RMS of any shape (full scale 1) in dBFS, SILENT_DB at least."""
    return (20 * np.log10(np.maximum(rms, 1e-6))).astype(np.float32)


def sounding(rms: Floats) -> Mask:
    """Return the (T,) mask of the frames above the absolute floor, over which the mix is described."""
    return level_db(rms) > FLOOR_DB


def held_level_db(mel: dict[str, Floats], mix_mel: Floats, hold_db: float = HOLD_DB) -> dict[str, Floats]:
    """Return the level of the bands that each stem holds, relative to the mix, (T,) dB; arguments as in `stem_activity`."""
    enough = np.zeros_like(mix_mel)
    for power in mel.values():
        np.maximum(enough, power, out=enough)
    enough *= np.float32(10 ** (hold_db / 10))
    whole = mix_mel.sum(axis=0) + np.float32(1e-12)
    part = np.empty_like(mix_mel)
    levels = {}
    for stem, power in mel.items():
        np.multiply(power, power >= enough, out=part)
        levels[stem] = 10 * np.log10(part.sum(axis=0) / whole + np.float32(1e-9))
    return levels


def stem_activity(
    mel: dict[str, Floats], rms: dict[str, Floats], mix_mel: Floats, gate: Gating | None = None
) -> dict[str, Mask]:
    """Return the (T,) mask of the frames in which each stem sounds.

    mel: (bands, T) mel power of each stem; rms: (T,) level of each; mix_mel: (bands, T) of the mix. gate: the
    separator's own.
    """
    if not mel:
        return {}
    found = (gate or Gate()).sounds(mel, mix_mel)
    return {stem: tidy(found[stem] & sounding(rms[stem])) for stem in mel}


def tidy(mask: Mask) -> Mask:
    """Close short gaps, then drop short runs."""
    mask = _without_short_runs(~mask, round(CLOSE_SECONDS * FRAME_RATE), inner=True)
    return _without_short_runs(~mask, round(SHORTEST_SECONDS * FRAME_RATE))


def _without_short_runs(mask: Mask, shorter_than: int, inner: bool = False) -> Mask:
    """Clear runs of True with fewer frames than that; `inner`: not at the ends."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    cleared = mask.copy()
    for start, stop in edges.reshape(-1, 2):
        at_end = start == 0 or stop == len(mask)
        if stop - start < shorter_than and not (inner and at_end):
            cleared[start:stop] = False
    return cleared


def curve(mask: Mask, slices: int = 100) -> list[float]:
    """Return the share of true frames in each of `slices` equal parts of the track, 0..1."""
    if not len(mask):
        return [0.0] * slices
    running = np.concatenate([[0.0], np.cumsum(mask)])
    edges = np.interp(np.linspace(0, len(mask), slices + 1), np.arange(len(mask) + 1), running)
    return [round(float(share), 4) for share in np.diff(edges) * (slices / len(mask))]
