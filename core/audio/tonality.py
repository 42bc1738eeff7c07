"""Key, mode and how clear they are.

Correlation of the mean pitch-class distribution with key profiles in all 24 keys (Krumhansl 1990, Cognitive Foundations
of Musical Pitch, chapter 4), after the tuning has been taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audio.spectrum import magnitudes
from core.audio.types import KEYS, N_FFT, RATE, Floats

MAJOR = np.array([0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400])
MINOR = np.array([0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330])
"""How often each degree of a key sounds in a segment of music (Temperley 2007, from the Kostka-Payne corpus). On songs
with a known key signature these name it (or its relative) more often than the probe-tone ratings of Krumhansl &
Kessler (1982): 82% against 65% of 17."""


@dataclass(frozen=True)
class Tonality:
    """key: name of the tonic or None for sound without pitch. majorness: strength of the best major key minus that of
    the best minor key, -1..1. clarity: correlation with the best key, 0..1."""

    key: str | None
    mode: str | None
    majorness: float
    clarity: float


def tuning(signal: Floats, frames: int = 800) -> float:
    """Return how far the recording, (n,) at 22.05 kHz, is from A4 = 440 Hz, in semitones, -0.5..0.5, steps of 0.01.

    Like librosa.estimate_tuning (parabolic interpolation of spectral peaks, histogram of their deviation), on at most
    `frames` frames spread over the recording.
    """
    every = max(1, (len(signal) // 512) // frames)
    low, high = round(150 * N_FFT / RATE) + 1, int(4000 * N_FFT / RATE)
    peaks = [_peaks(magnitude**2, low, high) for magnitude in magnitudes(signal, every)]
    columns, a, b, c = np.concatenate(peaks, axis=1)
    if not len(columns):
        return 0.0
    slope, curve = (c - a) / 2, a + c - 2 * b
    shift = np.where(np.abs(slope) >= np.abs(curve), 0, -slope / np.where(curve == 0, 1, curve))
    height = b + 0.5 * slope * shift
    pitch = (columns + shift) * (RATE / N_FFT)
    pitch = pitch[height >= np.median(height)]
    residual = np.mod(12 * np.log2(pitch / 27.5), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _peaks(power: Floats, low: int, high: int) -> NDArray[np.float32]:
    """(4, n): bin of each peak from `low` to below `high` that is not 10 dB below its frame's highest, then the power
    left of it, at it and right of it."""
    centre, left, right = power[:, low:high], power[:, low - 1 : high - 1], power[:, low + 1 : high + 1]
    reference = 0.1 * power.max(axis=1, keepdims=True)
    rows, columns = np.nonzero((centre > left) & (centre >= right) & (centre > reference))
    return np.stack([columns + low, left[rows, columns], centre[rows, columns], right[rows, columns]])


def tonality(chroma: NDArray[np.float32]) -> Tonality:
    """Return the key of a (12, T) chroma: energy of each pitch class from C, over the frames that sound."""
    total = chroma.sum(axis=0)
    sounding = chroma[:, total > 0]
    if not sounding.shape[1]:
        return Tonality(None, None, 0.0, 0.0)
    mean = np.sqrt(sounding / sounding.max(axis=0)).mean(axis=1)
    if np.ptp(mean) < 1e-6:
        return Tonality(None, None, 0.0, 0.0)
    strengths = np.array(
        [[np.corrcoef(np.roll(profile, k), mean)[0, 1] for k in range(12)] for profile in (MAJOR, MINOR)]
    )
    best = strengths.max(axis=1)
    mode = int(best[1] > best[0])
    return Tonality(
        KEYS[int(strengths[mode].argmax())],
        ("major", "minor")[mode],
        float(best[0] - best[1]),
        float(max(0.0, best.max())),
    )
