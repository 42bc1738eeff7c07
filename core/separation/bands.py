"""The U-Net's frequency scale: 256 bands, one bin each at the bottom, a fixed share of an octave above.

Low partials of bass, guitar and piano need every bin (10.8 Hz); two octaves up the same instrument spreads the
same pattern over more bins, so bands grow with frequency (as in a constant-Q transform, Brown 1991) and the
whole range up to 22 kHz stays in view at an eighth of the bins. Masks are made per band and interpolated to
bins, which keeps their sum at one.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
FFT = 4096
HOP = 1024
BINS = FFT // 2 + 1
BANDS = 256
_KNEE = 55.0
"""Number of the bin up to which a band is one bin; chosen so that 256 bands reach the last bin."""


@functools.cache
def band_edges() -> NDArray[np.int64]:
    """Return the first bin of each band and, at the end, BINS; shape (BANDS + 1,), strictly increasing."""
    top = _KNEE * (1 + np.log(BINS / _KNEE))
    position = np.arange(BANDS + 1) * top / BANDS
    edges = np.where(position < _KNEE, position, _KNEE * np.exp(position / _KNEE - 1))
    rounded = np.round(edges).astype(np.int64)
    for index in range(1, BANDS + 1):
        rounded[index] = max(rounded[index], rounded[index - 1] + 1)
    rounded[-1] = BINS
    edges_of_bands: NDArray[np.int64] = rounded
    return edges_of_bands


@functools.cache
def _interpolation() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    edges = band_edges()
    centres = (edges[:-1] + edges[1:] - 1) / 2
    bins = np.arange(BINS)
    upper = np.clip(np.searchsorted(centres, bins), 1, BANDS - 1)
    lower = upper - 1
    weight = np.clip((bins - centres[lower]) / (centres[upper] - centres[lower]), 0.0, 1.0)
    return lower, upper, weight.astype(np.float32)


def band_sum(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up bins per band: (..., BINS) -> (..., BANDS)."""
    return np.add.reduceat(power, band_edges()[:-1], axis=-1)


def band_widths() -> NDArray[np.float32]:
    """Return the number of bins in each band, shape (BANDS,)."""
    return np.diff(band_edges()).astype(np.float32)


def to_bins(masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate per-band masks between band centres: (..., BANDS) -> (..., BINS)."""
    lower, upper, weight = _interpolation()
    low = masks[..., lower]
    low += weight * (masks[..., upper] - low)
    return low


def loudness(power: NDArray[np.float32], reference: float) -> NDArray[np.float32]:
    """Convert summed power per band to decibels per bin relative to `reference` (mean power per bin of the whole
    track), at least -80 dB, scaled to about -1..1; same shape."""
    mean = power / band_widths()
    decibels = 10 * np.log10(mean / max(reference, 1e-12) + 1e-8)
    scaled: NDArray[np.float32] = (np.clip(decibels, -80, 40) / 40 + 0.75).astype(np.float32)
    return scaled


def position(
    left: NDArray[np.float32], right: NDArray[np.float32], cross: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return where each band lies between the loudspeakers: (..., BANDS) powers of the two channels and the real part of their
    cross-spectrum -> (2, ..., BANDS), balance (-1 left .. 1 right) and width (0 the same in both, 1 unrelated or on one
    side, 2 in opposite phase), after the panning and similarity indices of Avendano (2003). Silence lies in the middle.
    """
    total = left + right
    quiet = total <= 1e-12
    total = np.where(quiet, 1, total)
    result: NDArray[np.float32] = np.stack([(right - left) / total, 1 - 2 * cross / total]).astype(np.float32)
    result[:, quiet] = 0
    return result
