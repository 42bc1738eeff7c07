"""Tempo against rhythms of known tempo, beside librosa; pulse and regularity."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import rhythm
from core.audio.spectrum import analyse_frames, decibels
from core.audio.types import RATE
from tests.core.audio import rhythms
from tests.core.audio.conftest import click_track

pytestmark = pytest.mark.xdist_group("librosa")  # what it compiles, it compiles in each process

TEMPI = range(50, 201, 15)


def mel_db(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    return decibels(analyse_frames(signal).power_mel)


def within(estimate: float | None, bpm: float) -> bool:
    return estimate is not None and abs(estimate / bpm - 1) < 0.04


@pytest.fixture(scope="module")
def estimates() -> list[tuple[float, rhythm.Rhythm, float]]:
    """True tempo, ours and librosa's, for every pattern at every tempo."""
    rows = []
    for pattern in rhythms.PATTERNS:
        for bpm in TEMPI:
            table = mel_db(rhythms.render(pattern, bpm))
            envelope = rhythm.onset_envelope(table)
            rows.append(
                (bpm, rhythm.rhythm(table), float(librosa.feature.tempo(onset_envelope=envelope, sr=RATE)[0]))
            )
    return rows


def test_more_tempi_right_than_librosa(estimates: list[tuple[float, rhythm.Rhythm, float]]) -> None:
    ours = np.mean([within(row.tempo, bpm) for bpm, row, _ in estimates])
    theirs = np.mean([within(other, bpm) for bpm, _, other in estimates])
    print(f"{len(estimates)} rhythms of 50 to 200 BPM: {ours:.0%} within 4%, librosa {theirs:.0%}")
    assert ours > 0.75 and ours > theirs + 0.2


def test_wrong_ones_are_octaves_and_mostly_the_alternative(
    estimates: list[tuple[float, rhythm.Rhythm, float]],
) -> None:
    either = [within(row.tempo, bpm) or within(row.tempo_alternative, bpm) for bpm, row, _ in estimates]
    related = [
        any(within(row.tempo, bpm * level) for level in (0.5, 2 / 3, 1, 1.5, 2)) for bpm, row, _ in estimates
    ]
    assert np.mean(either) > 0.9 and np.mean(related) > 0.95


def test_confidence_tells_right_from_wrong(estimates: list[tuple[float, rhythm.Rhythm, float]]) -> None:
    right = [(row.tempo_confidence or 0.0) for bpm, row, _ in estimates if within(row.tempo, bpm)]
    wrong = [(row.tempo_confidence or 0.0) for bpm, row, _ in estimates if not within(row.tempo, bpm)]
    assert np.mean(right) > np.mean(wrong) + 0.1
    assert all(0 <= (row.tempo_confidence or 0.0) <= 1 for _, row, _ in estimates)


def test_tempo_is_exact() -> None:
    """Finer than the frames: 128 BPM is told from 129."""
    for bpm in (121.0, 128.0, 129.0):
        assert rhythm.rhythm(mel_db(rhythms.render("rock", bpm, 40))).tempo == pytest.approx(bpm, rel=0.004)


def test_regular_and_irregular() -> None:
    steady = rhythm.rhythm(mel_db(rhythms.render("rock", 120)))
    rng = np.random.default_rng(0)
    scattered = np.zeros(20 * RATE, np.float32)
    for start in rng.integers(0, 19 * RATE, 60):
        scattered[start : start + 2000] += (
            rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
        ).astype(np.float32)
    loose = rhythm.rhythm(mel_db(scattered))
    assert steady.pulse_clarity > 0.5 > loose.pulse_clarity
    assert steady.beat_regularity and loose.beat_regularity
    assert steady.beat_regularity > 0.7 > 0.5 > loose.beat_regularity


def test_no_tempo_without_a_pulse() -> None:
    assert rhythm.rhythm(mel_db(np.zeros(20 * RATE, np.float32))).tempo is None
    assert rhythm.rhythm(mel_db(click_track(120, 2))).tempo is None


def test_onsets_of_a_click_track() -> None:
    for bpm in (60, 90, 150):
        signal = click_track(bpm, 20)
        found = rhythm.onsets(rhythm.onset_envelope(mel_db(signal)))
        assert abs(len(found) - 20 * bpm / 60) <= 1
