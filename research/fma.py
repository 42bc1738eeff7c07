"""The 518 statistics of FMA's features.csv: seven statistics of eleven features, for any recording.

FMA: A Dataset For Music Analysis (Defferrard, Benzi, Vandergheynst & Bresson, ISMIR 2017) describes 106,574 tracks so.
A table made here can stand beside theirs or be given to a model trained on theirs, so everything is as they did it:

- at the file's own sample rate, on the mean of its channels, over all frames, silence included;
- they hand librosa spectra without a sample rate, and librosa then assumes 22,050 Hz. Centroid, bandwidth and rolloff
  of a file at 44.1 kHz are therefore half of the true frequencies, contrast bands and pitch classes lie an octave
  high. Only the mel bands of the MFCC and the constant-Q transform know the true rate;
- rmse is the root mean square of the 1025 spectral magnitudes, as librosa had it before 0.7 (about 28 times the
  level of the waveform, for a Hann window);
- skewness and (excess) kurtosis are biased, as scipy.stats has them by default; what never changes has 0 and -3.

One STFT gives all but chroma_cqt, chroma_cens and tonnetz; these come from one constant-Q transform, for which librosa
is called. tests/research/test_fma.py compares every column with librosa called FMA's way, on real recordings. Two
things remain: an edge frame is padded with zeros, as in librosa since 0.10 (FMA's librosa mirrored the signal), and
librosa has built the filters of its constant-Q transform differently since 0.9.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import numpy as np
from librosa import cqt
from librosa.feature import chroma_cens, chroma_cqt, tonnetz
from numpy.typing import NDArray
from scipy.fft import dct
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from core.audio import framewise
from core.audio.decode import DecodeLimits, decode
from core.audio.filters import chroma_filters, mel_filters
from core.audio.spectrum import analyse_frames, decibels
from core.audio.types import HOP, N_FFT, N_MELS, RATE, Floats
from core.errors import UserError

FEATURES = {
    "chroma_cens": 12,
    "chroma_cqt": 12,
    "chroma_stft": 12,
    "mfcc": 20,
    "rmse": 1,
    "spectral_bandwidth": 1,
    "spectral_centroid": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
    "tonnetz": 6,
    "zcr": 1,
}
"""Rows of each feature, in the order of the columns."""

STATISTICS = ("kurtosis", "max", "mean", "median", "min", "skew", "std")
COLUMNS = [
    (feature, statistic, f"{number:02d}")
    for feature, rows in FEATURES.items()
    for statistic in STATISTICS
    for number in range(1, rows + 1)
]
"""(feature, statistics, number) of each column of the table, FMA's order."""

OCTAVES = 7
LOWEST_RATE = 9000
"""Hz; below it the constant-Q transform's seven octaves from C1 do not fit under the Nyquist frequency."""

_BLOCK = 512
Doubles = NDArray[np.float64]


def fma_statistics(path: Path, limits: DecodeLimits = DecodeLimits()) -> Floats:  # noqa: B008 - frozen
    """(518,) in the order of COLUMNS for one audio file.

    Raises UserError where `decode` does, and for a sample rate below LOWEST_RATE. A constant offset above 0.5% of
    full scale is taken out first (FMA left it in).
    """
    audio = decode(path, limits, rate=None)
    return statistics(features(audio.samples.mean(axis=0), audio.rate))


def statistics(values: dict[str, Floats]) -> Floats:
    """(518,) from `features`."""
    columns = []
    for name, rows in FEATURES.items():
        table = values[name].astype(np.float64)
        assert table.shape[0] == rows
        found = _statistics(table)
        columns += [found[statistic] for statistic in STATISTICS]
    return np.concatenate(columns).astype(np.float32)


def _statistics(table: Doubles) -> dict[str, Doubles]:
    mean, std = table.mean(axis=1), table.std(axis=1)
    apart = table - mean[:, None]
    still = std <= 1e-12 * np.maximum(np.abs(mean), 1)  # nothing but rounding
    scale = np.where(still, 1, std)
    return {
        "kurtosis": np.where(still, 0, (apart**4).mean(axis=1) / scale**4) - 3,
        "max": table.max(axis=1),
        "mean": mean,
        "median": np.median(table, axis=1),
        "min": table.min(axis=1),
        "skew": np.where(still, 0, (apart**3).mean(axis=1) / scale**3),
        "std": std,
    }


def features(signal: Floats, rate: int) -> dict[str, Floats]:
    """(rows, T) of each of FEATURES for a mono signal (n,) at `rate` Hz, a frame every 512 samples."""
    if rate < LOWEST_RATE:
        raise UserError(
            f"FMA's features need a sample rate of at least {LOWEST_RATE:,} Hz and this file has {rate:,} Hz."
        )
    frames = analyse_frames(signal, keep_magnitude=True)
    magnitude = frames.magnitude
    assert magnitude is not None
    energy, mel, square = _sums(magnitude, rate)
    cqt = _constant_q(signal, rate, _tuning(magnitude, rate, power=False))
    cens = chroma_cens(C=cqt, n_octaves=OCTAVES)
    return {
        "chroma_cens": cens,
        "chroma_cqt": chroma_cqt(C=cqt, n_octaves=OCTAVES),
        "chroma_stft": framewise.normalised(energy, energy.max(axis=0)),
        "mfcc": dct(decibels(mel), axis=0, type=2, norm="ortho")[: framewise.N_MFCC],
        "rmse": np.sqrt(square)[None],
        "spectral_bandwidth": framewise.spectral_bandwidth(frames)[None],
        "spectral_centroid": framewise.spectral_centroid(frames)[None],
        "spectral_contrast": frames.contrast_db,
        "spectral_rolloff": framewise.spectral_rolloff(frames)[None],
        "tonnetz": tonnetz(chroma=cens),
        "zcr": frames.zero_crossings[None],
    }


def _sums(magnitude: Floats, rate: int) -> tuple[Floats, Floats, Floats]:
    """Chroma energy (12, T) with librosa's default rate, mel power (128, T) with the true one, mean power (T,)."""
    pitches = chroma_filters(RATE, N_FFT, _tuning(magnitude, RATE, power=True))
    bands = mel_filters(rate, N_FFT, N_MELS)
    rows = [pitches, bands, np.full((1, magnitude.shape[1]), 1 / magnitude.shape[1])]
    filters = np.ascontiguousarray(np.vstack(rows).T, np.float32)
    found = np.empty((len(magnitude), filters.shape[1]), np.float32)
    for block in _blocks(len(magnitude)):
        np.matmul(magnitude[block] ** 2, filters, out=found[block])
    return found[:, :12].T.copy(), found[:, 12:-1].T.copy(), found[:, -1].copy()


def _constant_q(signal: Floats, rate: int, tuning: float) -> Floats:
    """(84, T) magnitudes from C1."""
    with (
        warnings.catch_warnings()
    ):  # a second of music is shorter than the lowest filters: their edges are zeros
        warnings.filterwarnings("ignore", "n_fft=")
        found = cqt(signal, sr=rate, hop_length=HOP, n_bins=12 * OCTAVES, tuning=tuning)
    return np.asarray(np.abs(found), np.float32)


def _tuning(magnitude: Floats, rate: int, power: bool) -> float:
    """librosa.estimate_tuning of a (T, 1025) spectrum, squared first if `power`; in blocks, to spare memory."""
    bins = np.arange(magnitude.shape[1])
    hz = bins * (rate / N_FFT)
    inside = np.flatnonzero((hz >= 150) & (hz < min(4000, rate / 2)) & (bins > 0) & (bins < bins[-1]))
    low, high = inside[0], inside[-1] + 1
    pitches, heights = [], []
    for block in _blocks(len(magnitude)):
        spectrum = magnitude[block] ** 2 if power else magnitude[block]
        left, centre, right = (spectrum[:, low + k : high + k] for k in (-1, 0, 1))
        reference = np.float32(0.1) * spectrum.max(axis=1, keepdims=True)
        rows, columns = np.nonzero((centre > left) & (centre >= right) & (centre > reference))
        a, b, c = left[rows, columns], centre[rows, columns], right[rows, columns]
        slope, curve = (c - a) / 2, a + c - 2 * b
        shift = np.where(np.abs(slope) >= np.abs(curve), 0, -slope / np.where(curve == 0, 1, curve))
        pitches.append((columns + low + shift) * (rate / N_FFT))
        heights.append(b + 0.5 * slope * shift)
    pitch, height = np.concatenate(pitches), np.concatenate(heights)
    if not len(pitch):
        return 0.0
    pitch = pitch[height >= np.median(height)]
    residual = np.mod(12 * np.log2(pitch / 27.5), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK))


def write_table(file: TextIO, rows: Iterable[tuple[int, Floats]]) -> int:
    """Write (track_id, 518 values) as FMA's features.csv; returns how many there were.

    `pandas.read_csv(path, index_col=0, header=[0, 1, 2])` reads it, as FMA's utils.load does for names that hold
    'features'. Rows are expected in the order of their ids.
    """
    out = csv.writer(file, lineterminator="\n")
    for level, name in enumerate(("feature", "statistics", "number")):
        out.writerow([name, *(column[level] for column in COLUMNS)])
    out.writerow(["track_id", *[""] * len(COLUMNS)])
    count = 0
    for track_id, values in rows:
        out.writerow([track_id, *(f"{value:.10e}" for value in values)])
        count += 1
    return count


def describe_files(
    files: Iterable[tuple[int, Path]], limits: DecodeLimits, threads: int = 2
) -> Iterator[tuple[int, Floats | UserError]]:
    """(track_id, 518 values or why there are none), in the order of `files`; a few are worked on at the same time.

    Whoever stops asking stops the work; what runs at that moment is waited for.
    """

    def one(path: Path) -> Floats | UserError:
        try:
            return fma_statistics(path, limits)
        except UserError as error:
            return error

    waiting: list[tuple[int, Future[Floats | UserError]]] = []
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        try:
            for track_id, path in files:
                waiting.append((track_id, pool.submit(one, path)))
                if len(waiting) > threads:
                    first, made = waiting.pop(0)
                    yield first, made.result()
            for track_id, made in waiting:
                yield track_id, made.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
