"""Every descriptor that librosa has equals librosa's own, computed the plain way on real recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import rhythm, tonality
from core.audio.descriptors import statistics
from core.audio.framewise import frame_values
from core.audio.spectrum import analyse_frames
from core.audio.types import RATE

pytestmark = pytest.mark.xdist_group("librosa")  # what it compiles, it compiles in each process

Floats = NDArray[np.float32]
feature = librosa.feature
C1 = float(librosa.note_to_hz("C1"))


# CENS and tonnetz: librosa's functions, given the STFT's pitch classes. Without them librosa makes a constant-Q
# transform of its own; test_fma.py compares that variant.


def cens(y: Floats, tuning: float) -> Any:
    energy = feature.chroma_stft(y=y, sr=RATE, tuning=tuning, norm=None)
    return feature.chroma_cens(C=energy, n_octaves=1, bins_per_octave=12, fmin=C1)


def tonal_centroids(y: Floats, tuning: float) -> Any:
    return feature.tonnetz(chroma=feature.chroma_stft(y=y, sr=RATE, tuning=tuning))


PLAIN: dict[str, Callable[[Floats, float], Any]] = {
    "spectral_centroid": lambda y, tuning: feature.spectral_centroid(y=y, sr=RATE)[0],
    "spectral_bandwidth": lambda y, tuning: feature.spectral_bandwidth(y=y, sr=RATE)[0],
    "spectral_rolloff": lambda y, tuning: feature.spectral_rolloff(y=y, sr=RATE)[0],
    "spectral_flatness": lambda y, tuning: feature.spectral_flatness(y=y)[0],
    "spectral_contrast": lambda y, tuning: feature.spectral_contrast(y=y, sr=RATE).mean(axis=0),
    "spectral_contrast_bands": lambda y, tuning: feature.spectral_contrast(y=y, sr=RATE),
    "rms": lambda y, tuning: feature.rms(y=y)[0],
    "zero_crossing_rate": lambda y, tuning: feature.zero_crossing_rate(y)[0],
    "onset_strength": lambda y, tuning: librosa.onset.onset_strength(y=y, sr=RATE),
    "mfcc": lambda y, tuning: feature.mfcc(y=y, sr=RATE, n_mfcc=20),
    "chroma": lambda y, tuning: feature.chroma_stft(y=y, sr=RATE, tuning=tuning),
    "chroma_cens": cens,
    "tonnetz": tonal_centroids,
}


Tables = dict[str, tuple[Floats, Floats]]


@pytest.fixture(scope="session")
def both(recording: Floats) -> Tables:
    """Ours and librosa's, by name."""
    tuning = round(tonality.tuning(recording), 2)
    ours = frame_values(analyse_frames(recording, tuning))
    assert {name for name in ours if hasattr(feature, name)} <= set(PLAIN), "librosa has it: compare it"
    return {name: (ours[name], np.asarray(plain(recording, tuning))) for name, plain in PLAIN.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_statistics_equal_librosas(name: str, both: Tables) -> None:
    ours, theirs = both[name]
    assert ours.shape == theirs.shape
    for statistic in (np.mean, np.std):
        np.testing.assert_allclose(
            statistic(ours, axis=-1, dtype=np.float64),
            statistic(theirs, axis=-1, dtype=np.float64),
            rtol=1e-3,
        )


TIES = {"chroma_cens", "spectral_rolloff"}
"""Their thresholds are met exactly now and then; rounding then decides between two steps or two neighbouring bins."""


@pytest.mark.parametrize("name", PLAIN)
def test_frames_equal_librosas(name: str, both: Tables) -> None:
    ours, theirs = both[name]
    equal = np.isclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(np.ptp(theirs)))
    assert equal.mean() >= (0.99 if name in TIES else 1)


def test_onsets_equal_librosas(both: Tables) -> None:
    envelope = both["onset_strength"][0]
    expected = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE)
    assert rhythm.onsets(envelope).tolist() == expected.tolist()


def test_statistics_over_a_mask(recording: Floats) -> None:
    frames = analyse_frames(recording)
    values = frame_values(frames)
    mask = np.arange(len(frames)) % 3 == 0
    table = statistics(values, mask)
    chosen = values["spectral_centroid"][mask]
    assert table["spectral_centroid"]["mean"] == pytest.approx(float(chosen.mean()), rel=1e-5)
    assert table["spectral_centroid"]["p90"] == pytest.approx(float(np.percentile(chosen, 90)), rel=1e-5)
    assert {f"mfcc_{k}" for k in range(1, 21)} | {f"chroma_{k}" for k in range(1, 13)} <= set(table)
    assert all(np.isfinite(value) for row in table.values() for key, value in row.items() if key != "unit")
