"""Filter banks that turn a power spectrum into mel bands and pitch classes, and the K weighting of BS.1770.

Mel and chroma are librosa.filters.mel and .chroma (Slaney 1998; Ellis 2007), without the second and the 65 MB that
importing librosa costs each worker; tests/core/audio/test_filters.py compares them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]


def hz_to_mel(hz: Row | float) -> Row:
    """Return places on Slaney's mel scale: linear up to 1 kHz (15 mel), logarithmic above."""
    hz = np.asarray(hz, np.float64)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel: Row | float) -> Row:
    """Return the Hz of places on the mel scale of Slaney's Auditory Toolbox (1998), librosa's default."""
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((np.maximum(mel, 15) - 15) * np.log(6.4) / 27))


def mel_filters(rate: float, n_fft: int, bands: int) -> Row:
    """Return (bands, n_fft // 2 + 1) triangles from 0 Hz to the Nyquist frequency, each of area 1."""
    corners = mel_to_hz(np.linspace(0, hz_to_mel(rate / 2), bands + 2))
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0) * 2 / (high - low))


def chroma_filters(rate: float, n_fft: int, tuning: float) -> Row:
    """Return (12, n_fft // 2 + 1) from C: Gaussian bumps around each pitch class, strongest around the fifth octave.

    tuning: deviation from A4 = 440 Hz in semitones.
    """
    hz = np.linspace(0, rate, n_fft, endpoint=False)[1:]
    a0 = 440 * 2 ** (tuning / 12) / 16
    semitones = 12 * np.log2(hz / a0)
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # the bin at 0 Hz: far down, nowhere
    width = np.concatenate([np.maximum(np.diff(semitones), 1), [1]])
    distance = np.remainder(semitones - np.arange(12)[:, None] + 126, 12) - 6
    bumps = np.exp(-0.5 * (2 * distance / width) ** 2)
    bumps /= np.sqrt((bumps**2).sum(axis=0))
    bumps *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    return np.ascontiguousarray(np.roll(bumps, -3, axis=0)[:, : n_fft // 2 + 1])


def k_weighting(rate: float) -> Row:
    """Return two second-order sections (2, 6) at any sample rate, from the analogue prototypes of BS.1770."""
    sections = []
    gain, q, centre = 3.999843853973347, 0.7071752369554196, 1681.974450955533
    k = math.tan(math.pi * centre / rate)
    high, band = 10 ** (gain / 20), (10 ** (gain / 20)) ** 0.4996667741545416
    a0 = 1 + k / q + k * k
    sections.append(
        [
            (high + band * k / q + k * k) / a0,
            2 * (k * k - high) / a0,
            (high - band * k / q + k * k) / a0,
            1.0,
            2 * (k * k - 1) / a0,
            (1 - k / q + k * k) / a0,
        ]
    )
    q, centre = 0.5003270373238773, 38.13547087602444
    k = math.tan(math.pi * centre / rate)
    a0 = 1 + k / q + k * k
    sections.append([1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
    return np.array(sections)


def response(sections: NDArray[np.float64], bins: int) -> Row:
    """Return the (bins,) power response of second-order sections (k, 6) from 0 Hz to the Nyquist frequency."""
    z = np.exp(-1j * np.linspace(0, np.pi, bins))[:, None] ** np.arange(3)
    gain = np.prod((z @ sections[:, :3].T) / (z @ sections[:, 3:].T), axis=1)
    return np.asarray(np.abs(gain) ** 2)
