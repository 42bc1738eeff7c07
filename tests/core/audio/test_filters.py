"""Our filter banks are librosa's."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from core.audio import filters
from core.audio.filters import k_weighting

# What it compiles, it compiles in each process.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("librosa")]


@pytest.mark.parametrize(("rate", "bands"), [(22050, 128), (44100, 64), (16000, 40)])
def test_mel(rate: int, bands: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=2048, n_mels=bands, dtype=np.float64)
    np.testing.assert_allclose(filters.mel_filters(rate, 2048, bands), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tuning", [-0.43, 0.0, 0.07, 0.5])
def test_chroma(tuning: float) -> None:
    expected = librosa.filters.chroma(sr=22050, n_fft=2048, tuning=tuning, dtype=np.float64)
    np.testing.assert_allclose(filters.chroma_filters(22050, 2048, tuning), expected, rtol=1e-9, atol=1e-12)


def test_mel_scale_there_and_back() -> None:
    hz = np.linspace(0, 11025, 50)
    np.testing.assert_allclose(filters.hz_to_mel(hz), librosa.hz_to_mel(hz), rtol=1e-9)
    np.testing.assert_allclose(filters.mel_to_hz(filters.hz_to_mel(hz)), hz, atol=1e-8)


def test_response_of_the_k_weighting() -> None:
    """0 dB near 1 kHz, +4 dB above, nothing at 0 Hz (BS.1770, figures 2 and 4)."""
    gain = 10 * np.log10(np.maximum(filters.response(k_weighting(48000), 24001), 1e-20))
    assert (
        gain[997] == pytest.approx(0.69, abs=0.02)
        and gain[10000] == pytest.approx(4, abs=0.1)
        and gain[0] < -100
    )
