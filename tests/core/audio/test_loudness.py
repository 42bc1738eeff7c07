"""BS.1770 against its own tables and against pyloudnorm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray

from core.audio import loudness
from core.audio.decode import decode
from core.audio.spectrum import analyse_frames, mono
from tests.data import SAMPLES, SONGS
from tests.make import tone


def test_filter_coefficients_of_the_standard() -> None:
    """ITU-R BS.1770-5, tables 1 and 2, at 48 kHz."""
    shelf, high_pass = loudness.k_weighting(48000)
    assert shelf == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585], abs=1e-8)  # fmt: skip
    assert high_pass == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-8)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_reference_tone(rate: int) -> None:
    """A sine of 997 Hz at full scale in one channel reads -3.01 LUFS, in both channels 3 dB more."""
    sine = tone(997, 5, rate, 1.0)
    assert loudness.loudness(sine[None], rate).integrated == pytest.approx(-3.01, abs=0.03)
    assert loudness.loudness(np.stack([sine, sine]), rate).integrated == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("path", [*SAMPLES[:3], *SONGS], ids=lambda path: path.stem[:20])
def test_music_against_pyloudnorm(path: Path) -> None:
    """pyloudnorm scales the high pass by 0.04 dB; the estimate from frames may be 0.2 LU off."""
    samples = decode(path).samples
    expected = pyloudnorm.Meter(44100).integrated_loudness(samples.T)
    frames = analyse_frames(mono(samples, 44100))
    assert loudness.loudness(samples, 44100).integrated == pytest.approx(expected + 0.04, abs=0.03)
    estimate = loudness.estimate(samples, 44100, frames.k_weighted, frames.rms)
    assert estimate.integrated == pytest.approx(expected + 0.04, abs=0.2)
    assert estimate.range == pytest.approx(loudness.loudness(samples, 44100).range, abs=0.5)


def test_gates_and_range() -> None:
    """Silence between loud parts is gated away; two levels 10 dB apart have a range of 10 LU."""
    loud, soft = tone(997, 20), tone(997, 20, level=0.5 * 10 ** (-10 / 20))
    alone = loudness.loudness(loud[None], 44100).integrated
    gaps = np.concatenate([loud, np.zeros(20 * 44100, np.float32)])
    assert loudness.loudness(gaps[None], 44100).integrated == pytest.approx(alone, abs=0.1)
    assert loudness.loudness(np.concatenate([loud, soft])[None], 44100).range == pytest.approx(10, abs=0.3)
    assert loudness.loudness(loud[None], 44100).range < 0.1


@pytest.mark.parametrize(
    "samples",
    [np.zeros((2, 88200), np.float32), np.zeros((2, 100), np.float32), np.ones((1, 9000), np.float32)],
)
def test_silence_and_scraps(samples: NDArray[np.float32]) -> None:
    measured = loudness.loudness(samples, 44100)
    assert measured == loudness.Loudness(loudness.SILENCE, 0.0)


def test_sides_that_cancel_are_not_lost() -> None:
    """The mono downmix of a wide recording is quiet; its loudness is not."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, (2, 10 * 44100)).astype(np.float32)
    frames = analyse_frames(mono(samples, 44100))
    exact = loudness.loudness(samples, 44100).integrated
    assert loudness.estimate(samples, 44100, frames.k_weighted, frames.rms).integrated == pytest.approx(
        exact, abs=1.5
    )
