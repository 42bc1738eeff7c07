"""Onsets, tempo and pulse from the onset-strength envelope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audio import tempo
from core.audio.types import FRAME_RATE, HOP, N_FFT, RATE, Floats


@dataclass(frozen=True)
class Rhythm:
    """Descriptors of a track's beat, named as in descriptors.toml; None where there is no tempo.

    tempo: BPM. tempo_alternative: the next candidate, BPM. tempo_confidence: probability that it is `tempo`, 0..1.
    pulse_clarity: height of the best periodicity over four of its periods, 0..1 (after Lartillot et al. 2008).
    beat_regularity: how well onsets keep to the beat, 0..1.
    """

    tempo: float | None = None
    tempo_alternative: float | None = None
    tempo_confidence: float | None = None
    pulse_clarity: float = 0.0
    beat_regularity: float | None = None


def onset_envelope(mel_db: Floats) -> Floats:
    """Return the (T,) mean rise of the mel bands in dB, equal to librosa.onset.onset_strength(S=mel_db)."""
    envelope = np.zeros(mel_db.shape[1], np.float32)
    shift = 1 + N_FFT // (2 * HOP)
    if mel_db.shape[1] > 1:
        rises = mel_db[:, 1:] - mel_db[:, :-1]
        rise = np.maximum(rises, 0, out=rises).mean(axis=0)
        envelope[shift:] = rise[: max(0, len(envelope) - shift)]
    return envelope


def onsets(envelope: Floats) -> NDArray[np.intp]:
    """Return the frames of the onsets, equal to librosa.onset.onset_detect(onset_envelope=envelope)."""
    if not len(envelope) or np.ptp(envelope) <= 0:
        return np.zeros(0, np.intp)
    x = (envelope - envelope.min()).astype(np.float64)
    x /= x.max()
    average = int(np.ceil(0.10 * RATE // HOP))
    wait = int(np.ceil(0.03 * RATE // HOP))
    highest = np.maximum(x, np.concatenate([x[:1], x[:-1]]))  # of 30 ms: this frame and the one before
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


def rhythm(mel_db: Floats) -> Rhythm:
    """Return tempo and pulse of a (128, T) mel spectrogram in dB; no tempo when it lasts less than four seconds."""
    envelope = onset_envelope(mel_db)
    if len(envelope) < 4 * FRAME_RATE or np.ptp(envelope) <= 0:
        return Rhythm()
    found = tempo.candidates(mel_db, len(onsets(envelope)))
    if found is None:
        return Rhythm()
    order, probability = tempo.rank(found)
    best = float(found.bpm[order[0]])
    same = np.abs(np.log2(found.bpm / best)) < 0.06  # candidates this close are one tempo
    other = next((k for k in order if not same[k]), None)
    return Rhythm(
        tempo=best,
        tempo_alternative=float(found.bpm[other]) if other is not None else None,
        tempo_confidence=float(probability[same].sum()),
        pulse_clarity=float(np.clip(found.comb.max(), 0, 1)),
        beat_regularity=_regularity(tempo.above_average(envelope), best),
    )


def _regularity(accents: NDArray[np.float64], bpm: float) -> float:
    """How well accents keep to a grid of the beat: the mean resultant length of their phases in the beat, its half, third
    or quarter (the best of them), over windows of 8 beats so that slow drift does no harm."""
    period = 60 * FRAME_RATE / bpm
    width = int(8 * period)
    count = max(1, len(accents) // width)
    used = accents[: count * width]
    best = 0.0
    for parts in (1, 2, 3, 4):
        phases = used * np.exp(2j * np.pi * parts * np.arange(len(used)) / period)
        best = max(best, sum(float(np.abs(window.sum())) for window in np.array_split(phases, count)))
    return min(1.0, best / max(float(used.sum()), 1e-12))
