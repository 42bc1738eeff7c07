"""Descriptors that have a value in every frame: one function each, named as in descriptors.toml.

All take the `Frames` of a source and return (T,) or, for those of several rows, (k, T), float32. Values that librosa has
are librosa's, chroma CENS and tonnetz those of the STFT's pitch classes (tests/core/audio/test_librosa.py compares them
on real recordings).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from core.audio import rhythm
from core.audio.spectrum import AMIN, Frames
from core.audio.types import BINS, N_MELS, RATE, Floats

N_MFCC, PITCHES = 20, 12
NYQUIST = RATE / 2
TINY = np.finfo(np.float32).tiny

Descriptor = Callable[[Frames], Floats]
_DESCRIPTORS: dict[str, Descriptor] = {}


def frame_values(frames: Frames) -> dict[str, Floats]:
    """Return (T,) or (k, T) values of every descriptor of this module, by name."""
    shared = replace(frames)  # what several of them need is computed once and goes with this copy
    return {name: descriptor(shared) for name, descriptor in _DESCRIPTORS.items()}


def _descriptor(function: Descriptor) -> Descriptor:
    """Have `frame_values` compute this function."""
    _DESCRIPTORS[function.__name__] = function
    return function


@_descriptor
def spectral_centroid(frames: Frames) -> Floats:
    """Mean frequency of the magnitudes, Hz."""
    return _moment(frames, 1) * np.float32(NYQUIST)


@_descriptor
def spectral_bandwidth(frames: Frames) -> Floats:
    """Standard deviation of the frequency around the centroid, Hz."""
    variance = _moment(frames, 2) - _moment(frames, 1) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)) * np.float32(NYQUIST))


def _moment(frames: Frames, order: int) -> Floats:
    return np.asarray(frames.moments[order] / np.maximum(frames.moments[0], TINY))


@_descriptor
def spectral_rolloff(frames: Frames) -> Floats:
    """Frequency below which 85% of the magnitudes lie, Hz."""
    return frames.rolloff_bin * np.float32(NYQUIST / (BINS - 1))


@_descriptor
def spectral_flatness(frames: Frames) -> Floats:
    """Geometric over arithmetic mean of the power, 0..1: 1 for white noise."""
    return np.asarray(np.exp(frames.log_power) / np.maximum(frames.power, AMIN))


@_descriptor
def spectral_contrast(frames: Frames) -> Floats:
    """Mean of `spectral_contrast_bands`, dB."""
    return np.asarray(frames.contrast_db.mean(axis=0))


@_descriptor
def spectral_contrast_bands(frames: Frames) -> Floats:
    """(7, T): the strongest above the weakest 2% of each octave from 200 Hz, dB."""
    return frames.contrast_db


@_descriptor
def spectral_flux(frames: Frames) -> Floats:
    """Sum of the rises of the mel-band magnitudes, each frame scaled to sum 1 (level does not matter), 0..1."""
    shape = np.sqrt(frames.power_mel)
    shape /= np.maximum(shape.sum(axis=0), 1e-9)
    values = np.zeros(shape.shape[1], np.float32)
    if shape.shape[1] > 1:
        rises = shape[:, 1:] - shape[:, :-1]
        values[1:] = np.maximum(rises, 0, out=rises).sum(axis=0)
    return values


@_descriptor
def rms(frames: Frames) -> Floats:
    """Root mean square of the samples, full scale 1."""
    return frames.rms


@_descriptor
def zero_crossing_rate(frames: Frames) -> Floats:
    """Share of neighbouring samples that differ in sign, 0..1."""
    return frames.zero_crossings


@_descriptor
def onset_strength(frames: Frames) -> Floats:
    """Mean rise of the mel bands, dB."""
    return rhythm.onset_envelope(frames.mel_db)


@_descriptor
def mfcc(frames: Frames) -> Floats:
    """(20, T) mel-frequency cepstral coefficients, dB."""
    return _product(_cosines(), frames.mel_db)


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """(20, 128): the first rows of the orthonormal discrete cosine transform of the second kind."""
    angles = np.outer(np.arange(N_MFCC), 2 * np.arange(N_MELS) + 1) * (np.pi / (2 * N_MELS))
    matrix = np.cos(angles) * math.sqrt(2 / N_MELS)
    matrix[0] /= math.sqrt(2)
    return np.asarray(matrix, np.float32)


def _product(a: Floats, b: Floats) -> Floats:
    """Matrix product in torch, which honours `set_num_threads`, unlike NumPy's BLAS."""
    return np.asarray((torch.from_numpy(a) @ torch.from_numpy(b)).numpy())


@_descriptor
def chroma(frames: Frames) -> Floats:
    """(12, T): the energy of each pitch class from C, the strongest in each frame 1."""
    return normalised(frames.chroma, frames.chroma.max(axis=0))


def normalised(values: Floats, size: Floats) -> Floats:
    """Columns divided by their size; columns without content stay as they are."""
    return np.asarray(values / np.where(size > TINY, size, 1), np.float32)


@_descriptor
def chroma_cens(frames: Frames) -> Floats:
    """(12, T) chroma energy normalised statistics (Müller & Ewert 2011): quantised, smoothed over 41 frames, unit length.

    Of the pitch classes of the STFT that is there anyway: librosa.feature.chroma_cens with them given as C. Without C
    librosa makes a constant-Q transform first, and its values differ.
    """
    share = normalised(frames.chroma, frames.chroma.sum(axis=0))
    steps = sum((share > step).astype(np.float32) for step in (0.4, 0.2, 0.1, 0.05)) * np.float32(0.25)
    window = np.hanning(43)[1:-1]  # its ends are zeros
    window = (window / window.sum()).astype(np.float32)
    padded = np.pad(steps, ((0, 0), (len(window) // 2, len(window) // 2)))
    smooth = np.stack([np.convolve(row, window, "valid") for row in padded])
    return normalised(smooth, np.sqrt((smooth * smooth).sum(axis=0)))


@_descriptor
def tonnetz(frames: Frames) -> Floats:
    """(6, T) tonal centroids (Harte, Sandler & Gasser 2006): fifths, minor thirds, major thirds, each as sine and cosine.

    Of the pitch classes of the STFT: librosa.feature.tonnetz with that chroma given. Its default, without, takes
    chroma_cqt.
    """
    angles = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(PITCHES))
    angles[::2] -= 0.5
    matrix = np.array([1, 1, 1, 1, 0.5, 0.5])[:, None] * np.cos(np.pi * angles)
    return _product(matrix.astype(np.float32), normalised(frames.chroma, frames.chroma.sum(axis=0)))
