"""What the genre networks hear: slices of a mel spectrogram.

The documents show the networks' input, (128, 128, 1), and no parameter beside it. Chosen here: librosa's defaults at
22.05 kHz (a frame of 2048 samples every 512, 128 mel bands), so that a slice is 128 frames, 2.97 s, and comes at no cost
from the one STFT that the descriptors are made of anyway; decibels below the excerpt's loudest point, 0 to -80, as in
librosa's examples, so that a recording's level says nothing. As one byte a point (0.31 dB a step) half a minute takes
165 kB, and FMA's largest set of clips 18 GB.

An excerpt is the half minute in the middle of a track, as FMA's clips are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.audio.types import FRAME_RATE, N_MELS, Floats

FRAMES = 128
"""Frames of a slice; the documents' input is square."""
SECONDS = 30.0
TOP_DB = 80.0
SILENT_DB = -100.0
"""An excerpt whose loudest mel band stays below this (relative to full scale) has nothing to hear."""

Mel = NDArray[np.uint8]
"""(frames, 128): 0 is 80 dB or more below the loudest point of the excerpt, 255 is that point."""


def middle(length: int, wanted: int) -> slice:
    """Return the slice of the `wanted` middle items of `length`, or of all."""
    start = max(length - wanted, 0) // 2
    return slice(start, min(start + wanted, length))


def excerpt(power_mel: Floats, seconds: float = SECONDS) -> Mel | None:
    """Return the middle of a (128, T) mel power spectrogram, at most `seconds` of it, as bytes; None where it is silent."""
    part = power_mel[:, middle(power_mel.shape[1], round(seconds * FRAME_RATE))].T
    loudest = float(part.max(initial=0.0))
    if not np.isfinite(loudest) or loudest <= 10 ** (SILENT_DB / 10):
        return None
    below = 10 * np.log10(np.maximum(part / loudest, 10 ** (-TOP_DB / 10)))
    return np.asarray(np.rint((1 + below / TOP_DB) * 255), np.uint8)


def slices(mel: Mel, count: int | None = None) -> Mel:
    """Return (n, 128, 128) slices of 128 frames: `count` of them evenly spread, or as many as fit side by side.

    An excerpt that is shorter than a slice is repeated to its length.
    """
    if len(mel) < FRAMES:
        mel = np.resize(mel, (FRAMES, mel.shape[1]))
    last = len(mel) - FRAMES
    starts = np.linspace(0, last, count or len(mel) // FRAMES).round().astype(int)
    return np.stack([mel[start : start + FRAMES] for start in starts])


assert N_MELS == FRAMES  # the documents' networks take squares
