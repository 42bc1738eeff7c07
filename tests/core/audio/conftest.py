"""Real recordings and made-up signals for the audio tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio.decode import decode
from core.audio.spectrum import mono
from core.audio.types import RATE
from tests.data import SAMPLES, SONGS


@pytest.fixture(scope="session", params=[*SAMPLES[:2], *SONGS[::2]], ids=lambda path: path.stem[:20])
def recording(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    """(n,) at 22.05 kHz, 12 s."""
    path: Path = request.param
    return mono(decode(path).samples, 44100)[: 12 * RATE]


def click_track(bpm: float, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """Decaying noise bursts on every beat."""
    signal = np.zeros(round(seconds * rate), np.float32)
    burst = np.random.default_rng(1).standard_normal(2000) * np.exp(-np.arange(2000) / 300)
    for start in (np.arange(0, seconds - 0.2, 60 / bpm) * rate).astype(int):
        signal[start : start + 2000] += burst[: len(signal) - start].astype(np.float32) * 0.3
    return signal
