"""Drum patterns of known tempo, for the tempo tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.audio.types import RATE

PATTERNS: dict[str, dict[str, list[int]]] = {  # sixteenths of a bar of four beats
    "rock": {"kick": [0, 8], "snare": [4, 12], "hat": list(range(0, 16, 2))},
    "rock with sixteenths": {"kick": [0, 6, 8], "snare": [4, 12], "hat": list(range(16))},
    "four on the floor": {"kick": [0, 4, 8, 12], "snare": [4, 12], "hat": [2, 6, 10, 14]},
    "quarters": {"kick": [0, 8], "snare": [4, 12], "hat": [0, 4, 8, 12]},
    "funk": {"kick": [0, 3, 6, 10], "snare": [4, 12], "hat": list(range(16))},
    "shuffle of the bass drum": {"kick": [0, 7, 8, 10], "snare": [4, 12], "hat": list(range(0, 16, 2))},
}


def render(pattern: str, bpm: float, seconds: float = 20.0) -> NDArray[np.float32]:
    """(n,) at 22.05 kHz; played by a human who is 3 ms off."""
    rng = np.random.default_rng(round(bpm))
    t = np.arange(round(0.25 * RATE)) / RATE
    noise = rng.standard_normal(len(t))
    sounds = {
        "kick": 0.9 * np.sin(2 * np.pi * (50 * t + 3 * (1 - np.exp(-30 * t)))) * np.exp(-18 * t),
        "snare": 0.35 * (noise + np.sin(2 * np.pi * 190 * t)) * np.exp(-22 * t),
        "hat": 0.25 * np.diff(noise, prepend=0) * np.exp(-60 * t),
    }
    signal = np.zeros(round(seconds * RATE) + 2 * len(t))
    for name, steps in PATTERNS[pattern].items():
        for step in range(int(seconds * bpm / 15)):
            if step % 16 in steps:
                start = max(0, round((step * 15 / bpm + rng.normal(0, 0.003)) * RATE))
                signal[start : start + len(t)] += sounds[name] * (1 + 0.1 * rng.standard_normal())
    return (0.5 * signal[: round(seconds * RATE)]).astype(np.float32)
