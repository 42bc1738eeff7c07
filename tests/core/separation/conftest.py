"""Music with known stems, made here, and a folder of small htdemucs weights."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE = 44_100

SMALL: dict[str, Any] = {
    # The true network with few channels and short segments, so that tests are quick.
    "sources": ["drums", "bass", "other", "vocals", "guitar", "piano"],
    "channels": 8,
    "growth": 2,
    "depth": 4,
    "t_layers": 1,
    "t_heads": 4,
    "t_hidden_scale": 1.0,
    "bottom_channels": 0,
    "segment": Fraction(2),
}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as an operator has it, with a small model of random weights."""
    from research.bench.separation import save_random_weights

    folder = tmp_path_factory.mktemp("weights")
    save_random_weights(folder, SMALL)
    return folder


def _envelope(times: np.ndarray[Any, Any], length: int, decay: float) -> np.ndarray[Any, Any]:
    envelope = np.zeros(length)
    for time in times:
        start = int(time * RATE)
        count = min(length - start, int(6 * decay * RATE))
        envelope[start : start + count] += np.exp(-np.arange(count) / (decay * RATE))
    return envelope


def make_band(seconds: float, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Drums, bass and a plain organ melody by additive synthesis: {stem: (2, n) float32}."""
    rng = np.random.default_rng(seed)
    length = int(seconds * RATE)
    time = np.arange(length) / RATE
    kick_times, snare_times = np.arange(0, seconds - 0.1, 1.0), np.arange(0.5, seconds - 0.1, 1.0)
    since = time % 1.0
    kick = np.sin(2 * np.pi * (50 * since - 5 * np.exp(-since / 0.03))) * _envelope(kick_times, length, 0.08)
    kick += rng.normal(0, 0.4, length) * _envelope(kick_times, length, 0.004)
    snare = rng.normal(0, 0.5, length) * _envelope(snare_times, length, 0.06)
    hat = np.diff(rng.normal(0, 0.3, length), prepend=0) * _envelope(
        np.arange(0, seconds - 0.1, 0.25), length, 0.02
    )
    notes = np.floor(time / 0.5).astype(int)
    bass_pitch = 82.4 * 2 ** (np.array([0, 0, 3, 5, 7, 5, 3, 0])[notes % 8] / 12)
    phase = 2 * np.pi * np.cumsum(bass_pitch) / RATE
    pluck = _envelope(np.arange(0, seconds - 0.1, 0.5), length, 0.3)
    bass = sum(np.sin(k * phase) / k for k in range(1, 6)) * pluck * 0.4
    lead_pitch = 440 * 2 ** (np.array([0, 3, 5, 7, 12, 10, 7, 3])[(notes // 2) % 8] / 12)
    phase = 2 * np.pi * np.cumsum(lead_pitch) / RATE
    organ = (
        sum(np.sin(k * phase) * gain for k, gain in ((1, 1.0), (2, 0.7), (3, 0.4), (4, 0.3), (6, 0.2))) * 0.15
    )
    mono = {"drums": kick + snare + hat, "bass": bass, "other": organ}
    return {stem: np.stack([audio, audio]).astype(np.float32) * 0.3 for stem, audio in mono.items()}


@pytest.fixture(scope="session")
def band() -> dict[str, np.ndarray[Any, Any]]:
    """16 seconds of drums, bass and organ; do not change them."""
    return make_band(16.0)
