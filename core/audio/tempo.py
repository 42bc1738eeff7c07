"""Tempo with a decision between octaves.

A periodicity is easy to find and its metrical level is not: a rock beat repeats every eighth, every beat and every bar.
Candidates are the peaks of a comb over the autocorrelation of the onset envelope and their simple multiples. Each is
then judged by what tells levels apart: the periodicity of bass drum, middle and cymbals at its fractions and multiples,
how far bass drum and snare answer each other one beat apart, how many onsets fall on a beat, and how fast it is. The
weights of these cues (tempo.json) were fitted by listwise logistic regression on music of known tempo by
`python -m research.training.tempo_weights`; on songs that were held out, 78% (mix) and 80% (drums) are within 4%, where the
strongest periodicity alone, like librosa's tempo, reaches 66 to 70%.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio.types import FRAME_RATE, Floats

SLOWEST, FASTEST = 40.0, 220.0
GRID = np.exp(np.linspace(np.log(SLOWEST), np.log(FASTEST), 700))
LEVELS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8)
ANSWERS = (1 / 4, 1 / 2, 1, 2, 4)
BANDS = {"all": slice(None), "low": slice(0, 7), "middle": slice(7, 56), "high": slice(98, None)}
"""Rows of the 128 mel bands: below 200 Hz, 200 to 2000 Hz, above 5 kHz."""

LONGEST = 700
"""Frames of autocorrelation, 16 s."""

Row = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """bpm: (c,). cues: (c, k), see `cue_names`. comb: (700,) strength of every tempo of GRID."""

    bpm: Row
    cues: Row
    comb: Row


def cue_names() -> list[str]:
    """Return the names of the columns of the cues, in their order; tempo.json has a weight for each."""
    names = [f"{band} {level:.3g}" for band in BANDS for level in LEVELS]
    names += [f"{a}-{b} {level:.3g}" for a, b in _PAIRS for level in ANSWERS]
    return [
        *names,
        "onsets per beat",
        "onsets per beat^2",
        "onsets x tempo",
        "tempo",
        "tempo^2",
        "fast^2",
        "tempo^3",
    ]


_PAIRS = (("low", "middle"), ("low", "high"), ("middle", "high"))


def candidates(mel_db: Floats, onset_count: int) -> Candidates | None:
    """Return the tempo candidates of a (128, T) mel spectrogram in dB with their cues; None where nothing repeats."""
    rises = np.maximum(mel_db[:, 1:] - mel_db[:, :-1], 0)
    accents = [_standard(above_average(rises[rows].mean(axis=0))) for rows in BANDS.values()]
    spectra, size = _spectra(accents)
    lags = min(LONGEST + 2, len(accents[0]) // 2)
    overlap = len(accents[0]) / (len(accents[0]) - np.arange(lags))
    autos = [_lagged(s, s, size, lags) * overlap for s in spectra]
    autos = [auto / max(auto[0], 1e-12) for auto in autos]
    at = np.arange(lags)
    comb = np.mean([np.interp(k * 60 * FRAME_RATE / GRID, at, autos[0]) for k in (1, 2, 3, 4)], axis=0)
    peaks = np.flatnonzero((comb[1:-1] > comb[:-2]) & (comb[1:-1] >= comb[2:])) + 1
    bpm = _related(peaks[np.argsort(comb[peaks])[::-1][:4]], comb)
    if not len(bpm):
        return None
    period = 60 * FRAME_RATE / bpm

    def height(values: Row, lag: Row) -> Row:
        return np.asarray(
            np.max([np.interp(lag * w, at, values, right=0) for w in (0.985, 1, 1.015)], axis=0)
        )

    cues = [height(auto, period * level) for auto in autos for level in LEVELS]
    index = {name: k for k, name in enumerate(BANDS)}
    for a, b in _PAIRS:
        one, other = spectra[index[a]], spectra[index[b]]
        both = (_lagged(one, other, size, lags) + _lagged(other, one, size, lags)) / (2 * len(accents[0]))
        cues += [height(both, period * level) for level in ANSWERS]
    density = np.log2(period * onset_count / len(accents[0]) + 1e-3)
    speed = np.log2(bpm / 110)
    cues += [density, density**2, density * speed, speed, speed**2, np.maximum(speed, 0) ** 2, speed**3]
    return Candidates(bpm, np.array(cues).T, comb)


def rank(found: Candidates) -> tuple[NDArray[np.intp], Row]:
    """Return the indices of the candidates, best first, and the probability of each that it is the tempo."""
    score = found.cues @ _weights()
    share = np.exp(score - score.max())
    return np.argsort(score)[::-1], share / share.sum()


@lru_cache(maxsize=1)
def _weights() -> Row:
    table = json.loads(Path(__file__).with_name("tempo.json").read_text(encoding="utf-8"))
    return np.array([table["weights"][name] for name in cue_names()])


def _related(peaks: NDArray[np.intp], comb: Row) -> Row:
    """The peaks' tempi and their simple multiples, each moved to the strongest tempo within 2%."""
    kept: list[float] = []
    for peak in GRID[peaks]:
        for level in (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3, 4):
            bpm = peak * level
            if SLOWEST <= bpm <= FASTEST and all(abs(np.log2(bpm / other)) > 0.03 for other in kept):
                kept.append(bpm)
    moved = []
    for bpm in kept:
        near = np.flatnonzero(np.abs(np.log2(GRID / bpm)) < 0.03)
        moved.append(GRID[near[np.argmax(comb[near])]])
    return np.array(moved)


def above_average(envelope: NDArray[np.float32]) -> Row:
    """Return how far the (T,) envelope lies above its mean over one second, 0 at least."""
    x = envelope.astype(np.float64)
    width = round(FRAME_RATE)
    running = np.cumsum(np.pad(x, (width // 2 + 1, width - 1 - width // 2), mode="symmetric"))
    return np.maximum(x - (running[width:] - running[:-width]) / width, 0)


def _standard(x: Row) -> Row:
    return np.asarray((x - x.mean()) / (x.std() + 1e-9))


def _spectra(signals: list[Row]) -> tuple[list[NDArray[np.complex128]], int]:
    size = 1 << (2 * len(signals[0]) - 1).bit_length()
    return [np.fft.rfft(signal, size) for signal in signals], size


def _lagged(a: NDArray[np.complex128], b: NDArray[np.complex128], size: int, lags: int) -> Row:
    """Cross-correlation at lags 0, 1, ..."""
    return np.asarray(np.fft.irfft(np.conj(a) * b, size)[:lags])
