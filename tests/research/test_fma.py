"""FMA's 518 statistics equal librosa's, called the way FMA calls it, and FMA's code reads the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import stats

from core.audio.decode import decode
from core.errors import UserError
from research import fma
from tests.data import FUNK, SAMPLES, SONGS
from tests.make import tone

pytestmark = pytest.mark.xdist_group("librosa")  # what it compiles, it compiles in each process

Floats = NDArray[np.float32]
feature = librosa.feature
RECORDINGS = [SAMPLES[2], SAMPLES[13], *SONGS[1:4:2], FUNK / "horns.mp3"]

TOLERANCE = 1e-3
"""Relative; for what may lie near zero, relative to the feature's range, or to 1 for skewness and kurtosis."""


def columns() -> pandas.MultiIndex:
    """The columns of features.csv as FMA defines them: sorted by feature, statistic and number."""
    sizes = {"chroma_stft": 12, "chroma_cqt": 12, "chroma_cens": 12, "tonnetz": 6, "mfcc": 20, "rmse": 1, "zcr": 1,
             "spectral_centroid": 1, "spectral_bandwidth": 1, "spectral_contrast": 7, "spectral_rolloff": 1}  # fmt: skip
    moments = ("mean", "std", "skew", "kurtosis", "median", "min", "max")
    every = [
        (name, moment, f"{k + 1:02d}")
        for name, size in sizes.items()
        for moment in moments
        for k in range(size)
    ]
    return pandas.MultiIndex.from_tuples(every, names=("feature", "statistics", "number")).sort_values()


def librosas(x: Floats, sr: int) -> dict[str, Any]:
    """Each feature by librosa, with FMA's arguments: spectra come without a sample rate."""
    cqt = np.abs(librosa.cqt(x, sr=sr, hop_length=512, bins_per_octave=12, n_bins=84, tuning=None))
    S = np.abs(librosa.stft(x, n_fft=2048, hop_length=512))
    cens = feature.chroma_cens(C=cqt, n_chroma=12, n_octaves=7)
    mel = feature.melspectrogram(sr=sr, S=S**2)
    return {
        "chroma_cens": cens,
        "chroma_cqt": feature.chroma_cqt(C=cqt, n_chroma=12, n_octaves=7),
        "chroma_stft": feature.chroma_stft(S=S**2, n_chroma=12),
        "mfcc": feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "rmse": np.sqrt(np.mean(S**2, axis=0, keepdims=True)),  # librosa.feature.rmse before 0.7
        "spectral_bandwidth": feature.spectral_bandwidth(S=S),
        "spectral_centroid": feature.spectral_centroid(S=S),
        "spectral_contrast": feature.spectral_contrast(S=S, n_bands=6),
        "spectral_rolloff": feature.spectral_rolloff(S=S),
        "tonnetz": feature.tonnetz(chroma=cens),
        "zcr": feature.zero_crossing_rate(x, frame_length=2048, hop_length=512),
    }


STATISTICS = {
    "kurtosis": stats.kurtosis,
    "max": np.max,
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "skew": stats.skew,
    "std": np.std,
}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem[:20])
def test_every_column_equals_librosas(path: Path) -> None:
    audio = decode(path, rate=None)
    signal = audio.samples.mean(axis=0)[: 15 * audio.rate]
    ours = dict(zip(fma.COLUMNS, fma.statistics(fma.features(signal, audio.rate)), strict=True))
    compared = 0
    for name, table in librosas(signal, audio.rate).items():
        table = np.asarray(table, np.float64)
        for statistic, function in STATISTICS.items():
            for row, expected in enumerate(function(table, axis=1)):
                room = 1.0 if statistic in ("skew", "kurtosis") else float(np.ptp(table[row]))
                found = ours[name, statistic, f"{row + 1:02d}"]
                assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE * room), (
                    name,
                    statistic,
                    row,
                )
                compared += 1
    assert compared == 518


def test_fmas_code_reads_the_table(tmp_path: Path) -> None:
    rows = [(2, fma.fma_statistics(SAMPLES[0])), (5, np.linspace(-1, 1, 518).astype(np.float32))]
    path = tmp_path / "features.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        assert fma.write_table(file, iter(rows)) == 2
    table = pandas.read_csv(path, index_col=0, header=[0, 1, 2])  # FMA's utils.load
    assert table.columns.equals(columns()) and table.columns.names == list(columns().names)
    assert (
        table.index.name == "track_id"
        and table.index.tolist() == [2, 5]
        and not table.isna().to_numpy().any()
    )
    np.testing.assert_allclose(table.to_numpy(), np.stack([values for _, values in rows]), rtol=1e-9)
    assert table.loc[5, ("chroma_cens", "kurtosis", "01")] == -1 and table.loc[5, ("zcr", "std", "01")] == 1
    assert table["mfcc"]["mean"].shape == (2, 20), "as FMA's notebooks select"


def test_pandas_would_write_the_same_file(tmp_path: Path) -> None:
    values = fma.statistics(fma.features(tone(440, 2), 44100))
    frame = pandas.DataFrame([values], columns=columns(), index=pandas.Index([7], name="track_id"))
    frame.to_csv(tmp_path / "theirs.csv", float_format="%.10e")
    with (tmp_path / "ours.csv").open("w", encoding="utf-8", newline="") as file:
        fma.write_table(file, [(7, values)])
    assert (tmp_path / "ours.csv").read_text() == (tmp_path / "theirs.csv").read_text()


def test_the_files_own_rate_is_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1000, 2, 16000), 16000)
    assert decode(tmp_path / "a.wav", rate=None).rate == 16000
    row = dict(zip(fma.COLUMNS, fma.fma_statistics(tmp_path / "a.wav"), strict=True))
    # a spectrum without a rate: librosa takes 1000 of 8000 Hz for 1378 of 11025
    assert row["spectral_centroid", "median", "01"] == pytest.approx(1378, rel=0.01)


def test_silence_and_stillness_are_numbers() -> None:
    for signal in (np.zeros(44100, np.float32), np.full(44100, 0.25, np.float32)):
        assert np.isfinite(fma.statistics(fma.features(signal, 44100))).all()
    row = dict(
        zip(fma.COLUMNS, fma.statistics(fma.features(np.zeros(44100, np.float32), 44100)), strict=True)
    )
    assert row["chroma_stft", "kurtosis", "01"] == -3 and row["chroma_stft", "skew", "01"] == 0


def test_a_rate_that_is_too_low_is_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 2, 8000), 8000)
    with pytest.raises(UserError, match="at least 9,000 Hz and this file has 8,000 Hz"):
        fma.fma_statistics(tmp_path / "a.wav")
    assert np.isfinite(fma.statistics(fma.features(tone(440, 2, fma.LOWEST_RATE), fma.LOWEST_RATE))).all()
