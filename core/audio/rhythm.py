"""Onsets, tempo and pulse from the onset-strength envelope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audio.spectrum import FRAME_RATE, HOP, N_FFT, RATE, Floats

SLOWEST, FASTEST = 40.0, 220.0
TEMPI = np.exp(np.linspace(np.log(SLOWEST), np.log(FASTEST), 700))
PREFERRED, SPREAD = 110.0, 0.9
"""Listeners tap at rates around this (BPM) with this spread (octaves) (Moelants 2002)."""


@dataclass(frozen=True)
class Rhythm:
    """tempo: BPM, or None without a pulse; alternative: the next candidate in BPM; confidence: 0..1 that it is `tempo`.
    pulse_clarity: height of the best periodicity, 0..1 (Lartillot et al. 2008). regularity: how well onsets keep to
    the beat, 0..1."""

    tempo: float | None
    alternative: float | None
    confidence: float
    pulse_clarity: float
    regularity: float


def onset_envelope(mel_db: Floats) -> Floats:
    """(T,) mean rise of the mel bands in dB, equal to librosa.onset.onset_strength(S=mel_db)."""
    envelope = np.zeros(mel_db.shape[1], np.float32)
    shift = 1 + N_FFT // (2 * HOP)
    if mel_db.shape[1] > 1:
        rise = np.maximum(mel_db[:, 1:] - mel_db[:, :-1], 0).mean(axis=0)
        envelope[shift:] = rise[: max(0, len(envelope) - shift)]
    return envelope


def onsets(envelope: Floats) -> NDArray[np.intp]:
    """Frames of the onsets, equal to librosa.onset.onset_detect(onset_envelope=envelope)."""
    from scipy.ndimage import maximum_filter1d

    if not len(envelope) or np.ptp(envelope) <= 0:
        return np.zeros(0, np.intp)
    x = (envelope - envelope.min()).astype(np.float64)
    x /= x.max()
    before = int(np.ceil(0.03 * RATE // HOP))
    average = int(np.ceil(0.10 * RATE // HOP))
    wait = before
    highest = maximum_filter1d(x, before + 1, origin=before // 2, mode="nearest")
    running = np.concatenate([[0.0], np.cumsum(x)])
    n = np.arange(len(x))
    low, high = np.maximum(n - average, 0), np.minimum(n + average + 1, len(x))
    mean = (running[high] - running[low]) / (high - low)
    candidates = np.flatnonzero((x >= highest) & (x >= mean + 0.07))
    picked: list[int] = []
    last = -wait - 1
    for frame in candidates.tolist():
        if frame > last + wait:
            picked.append(frame)
            last = frame
    return np.array(picked, np.intp)


def rhythm(envelope: Floats) -> Rhythm:
    """Tempo and pulse of an onset envelope at 43 frames per second."""
    nothing = Rhythm(None, None, 0.0, 0.0, 0.0)
    if len(envelope) < 4 * FRAME_RATE or np.ptp(envelope) <= 0:
        return nothing
    accents = _accents(envelope)
    auto = _autocorrelation(accents, int(4 * 60 / SLOWEST * FRAME_RATE))
    lags = 60 * FRAME_RATE / TEMPI
    at = np.arange(len(auto))
    combs = np.mean([np.interp(k * lags, at, auto) for k in (1, 2, 3, 4)], axis=0)
    prior = np.exp(-0.5 * (np.log2(TEMPI / PREFERRED) / SPREAD) ** 2)
    score = np.maximum(combs, 0) * prior
    peaks = np.flatnonzero((score[1:-1] > score[:-2]) & (score[1:-1] >= score[2:])) + 1
    clarity = float(np.clip(np.interp(lags, at, auto).max(), 0, 1))
    if not len(peaks):
        return Rhythm(None, None, 0.0, clarity, 0.0)
    order = peaks[np.argsort(score[peaks])[::-1]]
    best = float(TEMPI[order[0]])
    other = next((p for p in order[1:] if abs(np.log2(TEMPI[p] / best)) > 0.1), None)
    alternative = float(TEMPI[other]) if other is not None else None
    rest = float(score[other]) if other is not None else 0.0
    confidence = float(score[order[0]] / (score[order[0]] + rest))
    return Rhythm(best, alternative, confidence, clarity, _regularity(accents, best))


def _accents(envelope: Floats) -> NDArray[np.float64]:
    """The envelope above its mean over one second."""
    from scipy.ndimage import uniform_filter1d

    x = envelope.astype(np.float64)
    return np.asarray(np.maximum(x - uniform_filter1d(x, round(FRAME_RATE)), 0))


def _autocorrelation(x: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Of the centred signal, lags 0..longest, 1 at lag 0, corrected for the shrinking overlap."""
    x = x - x.mean()
    size = 1 << (2 * len(x) - 1).bit_length()
    spectrum = np.fft.rfft(x, size)
    auto = np.fft.irfft(np.abs(spectrum) ** 2, size)[: min(longest, len(x) // 2) + 2]
    auto *= len(x) / (len(x) - np.arange(len(auto)))
    return np.asarray(auto / max(auto[0], 1e-12))


def _regularity(accents: NDArray[np.float64], tempo: float) -> float:
    """Mean resultant length of the accents' phases in the beat, over windows of 8 beats so that drift does no harm."""
    period = 60 * FRAME_RATE / tempo
    phases = accents * np.exp(2j * np.pi * np.arange(len(accents)) / period)
    width = int(8 * period)
    count = max(1, len(accents) // width)
    sums = [np.abs(phases[k * width : (k + 1) * width].sum()) for k in range(count)]
    return float(min(1.0, sum(sums) / max(accents[: count * width].sum(), 1e-12)))
