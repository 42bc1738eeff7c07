"""One short-time Fourier transform per source, from which every descriptor and picture is made.

Frames are librosa's: 2048 samples with a Hann window every 512 samples, centred, zero padded. The transform runs in
blocks, and each block is reduced to what the descriptors need at once, so that the full spectrogram is never in memory
(the musical contrast of the mix excepted). It is written in torch, whose transform (MKL) takes half the time of SciPy's
and which runs the same code on a GPU; only two steps are NumPy's on a CPU, which has vectorised them.

Descriptors are computed at 22.05 kHz: what lies above 11 kHz is where lossy codecs cut. Measured on two recordings and
their MP3 copies (about 96 kbit/s), spectral flatness differs by 44 and 71% at 44.1 kHz and by 6 and 2% here. It also
costs half the time. The transform is in double precision: the weakest bins, from which the spectral contrast is made,
lie below the rounding noise of single precision (measured on 20 recordings: up to 7% of a band's contrast).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.audio.filters import chroma_filters, k_weighting, mel_filters, response
from core.audio.types import BINS, HOP, N_FFT, N_MELS, RATE, Floats

CONTRAST_BANDS = 7
AMIN = np.float32(1e-10)
PIECE, BLOCK, DEVICE_BLOCK = 64, 768, 2048
"""Frames at a time. On a CPU the double-precision transform works on pieces that fit the second-level cache and the rest
on blocks that are long enough for two threads not to wait for Python's lock; a GPU is kept busy by large blocks."""


@dataclass(frozen=True)
class Frames:
    """Sums over the spectrum of each frame of a source, from which descriptors are made; T frames, float32.

    moments: (3, T) sums of the magnitudes times 1, f and f^2, with f in units of the Nyquist frequency. rolloff_bin: (T,)
    first bin at which 85% of the magnitudes are reached. log_power, power: (T,) means over the bins of the logarithm of the
    power and of the power. peak, valley: (7, T) means of the strongest and weakest 2% of each octave band. power_mel:
    (128, T) mel power. chroma: (12, T) energy of each pitch class from C, before normalisation. k_weighted: (T,) mean
    square after the K weighting of BS.1770. rms: (T,) linear. zero_crossings: (T,) share of the samples. magnitude:
    (T, 1025) or None, only kept where asked for.
    """

    moments: Floats
    rolloff_bin: Floats
    log_power: Floats
    power: Floats
    peak: Floats
    valley: Floats
    power_mel: Floats
    chroma: Floats
    k_weighted: Floats
    rms: Floats
    zero_crossings: Floats
    magnitude: Floats | None = None

    @cached_property
    def mel_db(self) -> Floats:
        """(128, T) mel power in dB, at most 80 dB below the loudest."""
        return decibels(self.power_mel)

    @cached_property
    def contrast_db(self) -> Floats:
        """(7, T) peaks above valleys of each octave band, dB."""
        return np.asarray(decibels(self.peak) - decibels(self.valley))

    def __len__(self) -> int:
        return len(self.rms)


def resample(samples: NDArray[Any], rate: int, wanted: int) -> Floats:
    """Return (channels, n) or (n,) samples at another sample rate, float32."""
    if rate == wanted:
        return samples
    moved = np.ascontiguousarray(samples.T, np.float32)
    return np.ascontiguousarray(soxr.resample(moved, rate, wanted, quality="HQ").T)


def mono(samples: NDArray[Any], rate: int) -> Floats:
    """Return the mean of the channels at 22.05 kHz, (n,) float32; `samples` is (n,) or (channels, n)."""
    channels = np.atleast_2d(samples)
    length = channels.shape[1]
    piece = 3 * rate  # a few seconds at a time, of which the resampler needs several times the memory
    mean = np.empty(min(piece, length), np.float32)
    result = np.empty(length * RATE // rate + 2, np.float32)
    done = 0
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ") if rate != RATE else None
    for start in range(0, length, piece):
        now = channels[:, start : start + piece]
        signal = _mean(now, mean[: now.shape[1]])
        if stream is not None:
            signal = stream.resample_chunk(signal, last=start + piece >= length)
        result[done : done + len(signal)] = signal
        done += len(signal)
    return result[:done]


def _mean(channels: NDArray[Any], out: Floats) -> Floats:
    if len(channels) != 2:
        return np.mean(channels, axis=0, out=out)
    np.add(channels[0], channels[1], out=out)
    out *= np.float32(0.5)
    return out


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT))


@lru_cache(maxsize=1)
def contrast_bands() -> tuple[tuple[int, int, int], ...]:
    """Return (first bin, last bin + 1, bins to average) of each band of librosa.feature.spectral_contrast: octaves from 200 Hz."""
    freq = np.linspace(0, RATE / 2, BINS)
    edges = np.concatenate([[0.0], 200.0 * 2.0 ** np.arange(CONTRAST_BANDS)])
    bands = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((freq >= low) & (freq <= high))
        first = inside[0] - (k > 0)
        last = BINS if k == CONTRAST_BANDS - 1 else inside[-1] + 1
        count = max(1, int(np.rint(0.02 * (last - first))))
        bands.append((int(first), int(last - (k < CONTRAST_BANDS - 1)), count))
    return tuple(bands)


@dataclass(frozen=True)
class _Weights:
    """Weighted sums over the bins, by name: all of them in one product."""

    table: Tensor
    """(rows, 1025)"""
    rows: Mapping[str, slice]

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[np.float64]], device: str) -> _Weights:
        """Stack (k, 1025) weights to 16 rows, the rest zeros: MKL multiplies 16 rows twice as fast as 14."""
        ends = np.cumsum([len(rows) for rows in weights.values()]).tolist()
        starts = [0, *ends[:-1]]
        table = np.zeros((16, BINS))
        table[: ends[-1]] = np.concatenate(list(weights.values()))
        rows = {name: slice(start, end) for name, start, end in zip(weights, starts, ends, strict=True)}
        return cls(_tensor(table, device), rows)

    def named(self, sums: Tensor) -> dict[str, Tensor]:
        """{name: (k, T)} of what the product gave, (rows, T)."""
        return {name: sums[rows] for name, rows in self.rows.items()}


@dataclass(frozen=True)
class _Constants:
    """Tensors on one device. window: (2048,) float64. moments: (3, 1025), 1, f and f^2 with f in units of the Nyquist
    frequency. mel: (bins, bands, filters (bands, bins)), four groups, so that the product skips most zeros. extremes:
    means of the strongest ("peak") and the weakest bins ("valley") of each contrast band, once these are sorted."""

    window: Tensor
    moments: Tensor
    extremes: _Weights
    mel: tuple[tuple[slice, slice, Tensor], ...]


@lru_cache(maxsize=2)
def _constants(device: str) -> _Constants:
    filters = mel_filters(RATE, N_FFT, N_MELS)
    groups = []
    for bands in (slice(0, 48), slice(48, 80), slice(80, 104), slice(104, N_MELS)):
        used = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        groups.append((bins, bands, _tensor(filters[bands, bins], device)))
    peak, valley = np.zeros((2, CONTRAST_BANDS, BINS))
    for k, (low, high, count) in enumerate(contrast_bands()):
        peak[k, high - count : high] = valley[k, low : low + count] = 1 / count
    return _Constants(
        window=torch.tensor(_window(), device=device),
        moments=_tensor(np.linspace(0, 1, BINS) ** np.arange(3)[:, None], device),
        extremes=_Weights.of({"peak": peak, "valley": valley}, device),
        mel=tuple(groups),
    )


@lru_cache(maxsize=128)
def _power_weights(tuning: float, device: str) -> _Weights:
    """Return all weighted sums over the power spectrum; a descriptor that needs another one adds a line here."""
    k = response(k_weighting(RATE), BINS)
    k[1:-1] *= 2  # each of these bins stands for two of the full transform
    k *= 1 / (N_FFT * float(np.sum(_window() ** 2)))
    weights = {
        "chroma": chroma_filters(RATE, N_FFT, tuning),
        "power": np.full((1, BINS), 1 / BINS),
        "k_weighted": k[None],
    }
    return _Weights.of(weights, device)


def _tensor(values: NDArray[np.float64], device: str) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def magnitudes(signal: Floats, every: int = 1) -> Iterator[Floats]:
    """Yield the magnitudes of every `every`-th frame in single precision, (up to 128, 1025) at a time."""
    with torch.inference_mode():
        padded = torch.nn.functional.pad(torch.from_numpy(signal), (N_FFT // 2, N_FFT // 2))
        window = torch.from_numpy(_window()).float()
        for windows in torch.split(padded.unfold(0, N_FFT, HOP)[::every], 128):
            yield np.asarray(np.abs(torch.fft.rfft(windows * window).numpy()), np.float32)


def analyse_frames(
    signal: Floats, tuning: float = 0.0, keep_magnitude: bool = False, device: str = "cpu"
) -> Frames:
    """Transform a source and return the sums over each frame's spectrum.

    `signal` is (n,) at 22.05 kHz; `tuning` in semitones, from `tonality.tuning`; `keep_magnitude` keeps the spectrogram.

    `device` is where the transform and what follows from it are computed: "cpu", or "cuda" for a GPU.
    """
    count = 1 + len(signal) // HOP
    with torch.inference_mode():
        samples = torch.from_numpy(signal).to(device)
        use, weights = _constants(device), _power_weights(round(tuning, 2), device)

        def table(rows: int) -> Tensor:
            return torch.empty(rows, count, device=device)

        moments, mel, sums, extremes = table(3), table(N_MELS), table(16), table(16)
        log_mean, rolloff = table(1)[0], table(1)[0]
        kept = torch.empty(count, BINS, device=device) if keep_magnitude else None
        transform = _transform(device)
        for start in range(0, count, transform.block):
            now = slice(start, min(start + transform.block, count))
            magnitude, power = transform(samples, now)
            if kept is not None:
                kept[now] = magnitude
            torch.mm(use.moments, magnitude.T, out=moments[:, now])
            rolloff[now] = _rolloff(magnitude)
            for bins, bands, filters in use.mel:
                torch.mm(filters, power[:, bins].T, out=mel[bands, now])
            torch.mm(weights.table, power.T, out=sums[:, now])
            torch.mean(power.clamp_(min=float(AMIN)).log_(), 1, out=log_mean[now])
            _sort_bands(magnitude)
            torch.mm(use.extremes.table, magnitude.T, out=extremes[:, now])
        named = weights.named(sums) | use.extremes.named(extremes)

        def numpy(values: Tensor) -> Floats:
            return np.asarray(values.cpu().numpy())

        return Frames(
            moments=numpy(moments),
            rolloff_bin=numpy(rolloff),
            log_power=numpy(log_mean),
            power=numpy(named["power"][0]),
            peak=numpy(named["peak"]),
            valley=numpy(named["valley"]),
            power_mel=numpy(mel),
            chroma=numpy(named["chroma"]),
            k_weighted=numpy(named["k_weighted"][0]),
            rms=_rms(signal, count),
            zero_crossings=_zero_crossings(signal, count),
            magnitude=numpy(kept) if kept is not None else None,
        )


_local = threading.local()


def _transform(device: str) -> _Transform:
    """Return this thread's own, kept with its buffers: memory fresh from the system costs a fifth of the time in page
    faults."""
    kept: dict[str, _Transform] = _local.__dict__
    if device not in kept:
        kept[device] = _Transform(device)
    return kept[device]


class _Transform:
    """Turns samples, float32, into the magnitudes of some of their frames and their squares, (frames, 1025) float32.

    Frames are centred, with zeros before the first sample and after the last. The next call overwrites the results.
    """

    def __init__(self, device: str) -> None:
        def empty(*shape: int, kind: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(*shape, dtype=kind, device=device)

        on_cpu = device == "cpu"
        self.block = BLOCK if on_cpu else DEVICE_BLOCK
        self.piece = PIECE if on_cpu else DEVICE_BLOCK
        self.window = _constants(device).window
        self.samples = empty((self.block - 1) * HOP + N_FFT, kind=torch.float64)
        self.frames = empty(self.piece, N_FFT, kind=torch.float64)
        self.spectrum = empty(self.piece, BINS, kind=torch.complex128)
        self.single = empty(self.piece, BINS, kind=torch.complex64)
        self.magnitude, self.power = empty(self.block, BINS), empty(self.block, BINS)
        self.array = self.magnitude.numpy() if on_cpu else None

    def __call__(self, samples: Tensor, now: slice) -> tuple[Tensor, Tensor]:
        frames, spectrum, single = self.frames, self.spectrum, self.single
        start = 0
        for piece in torch.split(self._windows(samples, now), self.piece):
            size = len(piece)
            if size < self.piece:
                frames, spectrum, single = frames[:size], spectrum[:size], single[:size]
            torch.fft.rfft(torch.mul(piece, self.window, out=frames), out=spectrum)
            single.copy_(spectrum)
            if self.array is not None:  # NumPy's is ten times faster than torch's
                np.abs(single.numpy(), out=self.array[start : start + size])
            else:
                torch.abs(single, out=self.magnitude[start : start + size])
            start += size
        magnitude = self.magnitude[:start]
        return magnitude, torch.mul(magnitude, magnitude, out=self.power[:start])

    def _windows(self, samples: Tensor, now: slice) -> Tensor:
        """(frames, 2048) float64, a view of overlapping frames."""
        first = now.start * HOP - N_FFT // 2
        wanted = self.samples[: (now.stop - now.start - 1) * HOP + N_FFT]
        low, high = max(first, 0), min(first + len(wanted), len(samples))
        wanted[: low - first] = 0
        wanted[low - first : high - first] = samples[low:high]
        wanted[high - first :] = 0
        return wanted.unfold(0, N_FFT, HOP)


def _rolloff(magnitude: Tensor) -> Tensor:
    """First bin at which the running sum reaches 85%; sums over groups of 32 bins first, then within the one group."""
    groups = magnitude[:, :-1].view(len(magnitude), 32, 32)
    running = groups.sum(2).cumsum(1)
    wanted = 0.85 * (running[:, -1:] + magnitude[:, -1:])
    group = (running < wanted).sum(1, keepdim=True)
    inside = group.clamp(max=31)
    before = torch.where(inside > 0, running.gather(1, (inside - 1).clamp(min=0)), 0)
    bins = groups.gather(1, inside[:, :, None].expand(-1, -1, 32))[:, 0]
    within = (before + bins.cumsum(1) < wanted).sum(1, keepdim=True)
    return torch.where(group < 32, inside * 32 + within, BINS - 1)[:, 0]


def _sort_bands(magnitude: Tensor) -> None:
    """Sort the bins of each contrast band within each frame, in place."""
    for low, high, _ in contrast_bands():
        band = magnitude[:, low:high]
        if band.device.type == "cpu":
            band.numpy().sort(axis=1)  # thirty times faster than torch.sort
        else:
            band.copy_(band.sort(1).values)


def _rms(signal: Floats, count: int) -> Floats:
    """Of the 2048 samples of each frame, by way of the energy of each hop; a frame begins two hops before its centre."""
    whole = signal[: len(signal) // HOP * HOP].reshape(-1, HOP)
    rest = signal[whole.size :]
    energy = np.zeros(count + 3, np.float32)
    energy[2 : 2 + len(whole)] = np.vecdot(whole, whole)
    energy[2 + len(whole)] = np.vdot(rest, rest)
    return np.sqrt(_four(energy) / np.float32(N_FFT))


def _four(hops: NDArray[Any]) -> NDArray[Any]:
    """Sums over each four hops in a row, which make a frame."""
    total: NDArray[Any] = hops[:-3] + hops[1:-2] + hops[2:-1] + hops[3:]
    return total


def _zero_crossings(signal: Floats, count: int) -> Floats:
    """Share of neighbouring samples of each frame that differ in sign; ends repeat the first and last sample."""
    negative = signal < np.float32(-1e-10)  # closer to zero counts as zero
    crossings = np.zeros((count + 3) * HOP, np.bool_)
    used = min(len(signal), len(crossings) - N_FFT // 2)
    np.not_equal(negative[1:used], negative[: used - 1], out=crossings[N_FFT // 2 + 1 : N_FFT // 2 + used])
    bits = np.packbits(crossings).view(np.uint64).reshape(-1, HOP // 64)
    first = crossings[: count * HOP : HOP]  # librosa does not count a crossing on a frame's first sample
    return ((_four(np.bitwise_count(bits).sum(axis=1, dtype=np.int32)) - first) / N_FFT).astype(np.float32)


def decibels(power: NDArray[Any], top: float | None = 80.0) -> Floats:
    """Return 10 log10 of a power of any shape, floor -100 dB, at most `top` below the maximum: librosa.power_to_db."""
    db: Floats = np.maximum(power, AMIN, dtype=np.float32)
    np.log10(db, out=db)
    db *= np.float32(10)
    if top is not None and db.size:
        np.maximum(db, np.float32(db.max() - top), out=db)
    return db
