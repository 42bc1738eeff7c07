"""One short-time Fourier transform per source, from which every descriptor and picture is made.

Frames are librosa's: 2048 samples with a Hann window every 512 samples, centred, zero padded. The transform runs in
blocks that stay in the processor's cache, and each block is reduced to what the descriptors need at once, so that the
full spectrogram is never in memory (the musical contrast of the mix excepted).

Descriptors are computed at 22.05 kHz: what lies above 11 kHz is where lossy codecs cut, so at 44.1 kHz the same
recording as FLAC and as 128 kbit/s MP3 gets clearly different values (see tests/core/audio/test_rate.py), and it costs
twice the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 22050
N_FFT = 2048
HOP = 512
BINS = N_FFT // 2 + 1
FRAME_RATE = RATE / HOP
N_MELS = 128
CONTRAST_BANDS = 7
AMIN = 1e-10
BLOCK = 64

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Frames:
    """Everything known about the frames of one source; T frames, float32.

    power_mel: (128, T) mel power. chroma: (12, T) energy of each pitch class from C, before normalisation.
    peak, valley: (7, T) means of the strongest and weakest 2 % of each octave band. rms: (T,) linear.
    magnitude: (1025, T) or None, only kept where asked for.
    """

    centroid: Floats
    bandwidth: Floats
    flatness: Floats
    rolloff: Floats
    peak: Floats
    valley: Floats
    power_mel: Floats
    chroma: Floats
    rms: Floats
    zero_crossings: Floats
    magnitude: Floats | None = None

    def __len__(self) -> int:
        return len(self.rms)


def resample(samples: NDArray[Any], rate: int, wanted: int) -> Floats:
    """(channels, n) or (n,) at another sample rate, float32."""
    if rate == wanted:
        return samples
    import soxr

    moved = np.ascontiguousarray(samples.T, np.float32)
    return np.ascontiguousarray(soxr.resample(moved, rate, wanted, quality="HQ").T)


def mono(samples: NDArray[Any], rate: int) -> Floats:
    """Mean of the channels at 22.05 kHz, float32; `samples` is (n,) or (channels, n)."""
    signal = samples if samples.ndim == 1 else samples.mean(axis=0, dtype=np.float32)
    return resample(np.ascontiguousarray(signal, np.float32), rate, RATE)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT))


@lru_cache(maxsize=1)
def _mel() -> Floats:
    from librosa import filters

    return np.ascontiguousarray(filters.mel(sr=RATE, n_fft=N_FFT, n_mels=N_MELS), np.float32)


@lru_cache(maxsize=128)
def _power_matrix(tuning: float) -> Floats:
    """(1025, 141): mel filters, pitch classes and the plain mean, so that one product makes them all."""
    from librosa import filters

    chroma = filters.chroma(sr=RATE, n_fft=N_FFT, tuning=tuning)
    return np.ascontiguousarray(np.vstack([_mel(), chroma, np.full((1, BINS), 1 / BINS)]).T, np.float32)


@lru_cache(maxsize=1)
def _moments() -> Floats:
    """(1025, 3): 1, f and f^2 with f in units of the Nyquist frequency."""
    f = np.linspace(0, 1, BINS)
    return np.ascontiguousarray(np.stack([np.ones(BINS), f, f * f], axis=1), np.float32)


@lru_cache(maxsize=1)
def contrast_bands() -> tuple[tuple[int, int, int], ...]:
    """(first bin, last bin + 1, bins to average) of each band of librosa.feature.spectral_contrast: octaves from 200 Hz."""
    freq = np.linspace(0, RATE / 2, BINS)
    edges = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(CONTRAST_BANDS)])
    bands = []
    for k, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = np.flatnonzero((freq >= low) & (freq <= high))
        first = inside[0] - (k > 0)
        last = BINS if k == CONTRAST_BANDS - 1 else inside[-1] + 1
        count = max(1, int(np.rint(0.02 * (last - first))))
        bands.append((int(first), int(last - (k < CONTRAST_BANDS - 1)), count))
    return tuple(bands)


def _blocks(signal: Floats) -> tuple[int, NDArray[np.float32]]:
    padded = np.pad(signal, N_FFT // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    return len(windows), windows


def magnitudes(signal: Floats, every: int = 1) -> Floats:
    """(T, 1025) magnitudes of every `every`-th frame."""
    from scipy import fft

    _, windows = _blocks(signal)
    return np.abs(fft.rfft(windows[::every] * _window(), axis=1))


def analyse_frames(signal: Floats, tuning: float = 0.0, keep_magnitude: bool = False) -> Frames:
    """All frame values of one source; `signal` is (n,) at 22.05 kHz. `tuning` in semitones, from `tonality.tuning`."""
    from scipy import fft

    count, windows = _blocks(signal)
    window, moments, matrix, bands = _window(), _moments(), _power_matrix(round(tuning, 2)), contrast_bands()
    centroid, bandwidth, flatness, rolloff = np.empty((4, count), np.float32)
    peak, valley = np.empty((2, CONTRAST_BANDS, count), np.float32)
    products = np.empty((count, matrix.shape[1]), np.float32)
    kept = np.empty((BINS, count), np.float32) if keep_magnitude else None
    tiny = np.finfo(np.float32).tiny
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        block = slice(start, stop)
        magnitude = np.abs(fft.rfft(windows[block] * window, axis=1).astype(np.complex64))
        if kept is not None:
            kept[:, block] = magnitude.T
        total, first, second = (magnitude @ moments).T
        total = np.maximum(total, tiny)
        mean = first / total
        centroid[block] = mean
        bandwidth[block] = np.sqrt(np.maximum(second / total - mean * mean, 0))
        running = np.cumsum(magnitude, axis=1)
        rolloff[block] = (running < 0.85 * running[:, -1:]).sum(axis=1)
        power = magnitude * magnitude
        np.matmul(power, matrix, out=products[block])
        np.maximum(power, AMIN, out=power)
        flatness[block] = np.exp(np.mean(np.log(power), axis=1))
        for k, (low, high, take) in enumerate(bands):
            part = magnitude[:, low:high]
            if take == 1:
                peak[k, block], valley[k, block] = part.max(axis=1), part.min(axis=1)
            else:
                part = np.sort(part, axis=1)
                peak[k, block] = part[:, -take:].mean(axis=1)
                valley[k, block] = part[:, :take].mean(axis=1)
    nyquist = RATE / 2
    return Frames(
        centroid=centroid * nyquist,
        bandwidth=bandwidth * nyquist,
        flatness=flatness / np.maximum(products[:, -1], AMIN),
        rolloff=rolloff * (nyquist / (BINS - 1)),
        peak=peak,
        valley=valley,
        power_mel=np.ascontiguousarray(products[:, :N_MELS].T),
        chroma=np.ascontiguousarray(products[:, N_MELS : N_MELS + 12].T),
        rms=np.sqrt(_moving(signal.astype(np.float32) ** 2, count) / N_FFT),
        zero_crossings=_zero_crossings(signal, count),
        magnitude=kept,
    )


def _moving(values: NDArray[Any], count: int) -> Floats:
    """Sums over the 2048 samples of each frame, by way of sums over hops."""
    padded = np.zeros((count + 3) * HOP, np.float64)
    padded[N_FFT // 2 : N_FFT // 2 + len(values)] = values[: len(padded) - N_FFT // 2]
    hops = padded.reshape(-1, HOP).sum(axis=1)
    return (hops[:-3] + hops[1:-2] + hops[2:-1] + hops[3:]).astype(np.float32)


def _zero_crossings(signal: Floats, count: int) -> Floats:
    """Share of neighbouring samples of each frame that differ in sign; ends repeat the first and last sample."""
    negative = np.signbit(np.where(np.abs(signal) <= 1e-10, np.float32(0), signal))
    crossings = np.zeros(len(signal), np.float32)
    crossings[1:] = negative[1:] != negative[:-1]
    starts = np.arange(count) * HOP - N_FFT // 2
    inside = (starts >= 0) & (starts < len(signal))
    first = np.zeros(count, np.float32)
    first[inside] = crossings[starts[inside]]  # librosa does not count a crossing on a frame's first sample
    return (_moving(crossings, count) - first) / N_FFT


def decibels(power: NDArray[Any], top: float | None = 80.0) -> Floats:
    """Like librosa.power_to_db with reference 1: 10 log10, floor -100 dB, at most `top` below the maximum."""
    db = (10 * np.log10(np.maximum(power, AMIN))).astype(np.float32)
    return np.maximum(db, db.max() - np.float32(top)) if top is not None and db.size else db
