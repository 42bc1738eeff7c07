"""Key, mode and tuning of chords and cadences, in every key."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import tonality
from core.audio.spectrum import analyse_frames
from core.audio.types import KEYS, RATE

MAJOR_CADENCE = [
    (0, 4, 7),
    (5, 9, 12),
    (7, 11, 14),
    (0, 4, 7),
    (9, 12, 16),
    (5, 9, 12),
    (7, 11, 14, 17),
    (0, 4, 7),
]
MINOR_CADENCE = [
    (0, 3, 7),
    (5, 8, 12),
    (7, 11, 14),
    (0, 3, 7),
    (8, 12, 15),
    (5, 8, 12),
    (7, 11, 14, 17),
    (0, 3, 7),
]


def chords(progression: list[tuple[int, ...]], tonic: int, cents: float = 0.0) -> NDArray[np.float32]:
    """One chord a second, six partials each, tonic in semitones above C4."""
    t = np.arange(RATE) / RATE
    pieces = []
    for chord in progression:
        hz = [261.63 * 2 ** ((note + tonic + cents / 100) / 12) for note in (*chord, chord[0] - 12)]
        pieces.append(sum(np.sin(2 * np.pi * h * k * t) / k**2 for h in hz for k in range(1, 7)) * np.exp(-t))
    return (0.1 * np.concatenate(pieces)).astype(np.float32)


def judged(signal: NDArray[np.float32]) -> tonality.Tonality:
    return tonality.tonality(analyse_frames(signal, tonality.tuning(signal)).chroma)


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_every_key(tonic: int, mode: str) -> None:
    found = judged(chords(MAJOR_CADENCE if mode == "major" else MINOR_CADENCE, tonic))
    assert (found.key, found.mode) == (KEYS[tonic], mode)
    assert (found.majorness > 0) == (mode == "major") and -1 <= found.majorness <= 1
    assert found.clarity > 0.7


@pytest.mark.parametrize("cents", [-45, -20, 0, 15, 40])
def test_tuning(cents: float) -> None:
    """A recording that is off by up to nearly half a semitone keeps its key."""
    signal = chords(MAJOR_CADENCE, 2, cents)
    assert tonality.tuning(signal) == pytest.approx(cents / 100, abs=0.06)
    assert judged(signal).key == "D"


def test_noise_has_no_clear_key() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
    assert judged(noise).clarity < 0.6 < judged(chords(MINOR_CADENCE, 4)).clarity


def test_silence_has_no_key() -> None:
    found = judged(np.zeros(3 * RATE, np.float32))
    assert (found.key, found.mode, found.majorness, found.clarity) == (None, None, 0.0, 0.0)
