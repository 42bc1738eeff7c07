"""Musical contrast: how eventful the spectrogram looks.

Spectrogram -> decibels -> gray picture -> threshold 64 -> morphological closing -> connected components and the share
of dark points. The method is that of the thesis this project started from (musical contrast, section 3.4); OpenCV does
the picture work.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

THRESHOLD = 64
"""Gray values below it are dark (0..255)."""

RANGE_DB = 80.0
"""The picture spans the loudest point (white) to 80 dB below it (black), so the threshold lies at -60 dB."""

KERNEL = 3
Picture = NDArray[np.uint8]


def gray_picture(magnitude: NDArray[np.float32]) -> Picture:
    """Return (T, bins) magnitudes as a picture of the same shape: 0 is 80 dB or more below the maximum, 255 the maximum."""
    top = float(magnitude.max()) if magnitude.size else 0.0
    if top <= 0:
        return np.zeros(magnitude.shape, np.uint8)
    scale = np.float32(255 / RANGE_DB)
    db = np.log10(np.maximum(magnitude, np.float32(top * 10 ** (-RANGE_DB / 20))))
    return ((db - np.float32(np.log10(top))) * (20 * scale) + np.float32(255.5)).astype(np.uint8)


def binary_picture(magnitude: NDArray[np.float32]) -> Picture:
    """Return the picture of (T, bins) magnitudes, same shape: 255 where `gray_picture` reaches THRESHOLD, else 0.

    The threshold is applied to the magnitudes, which saves the logarithm of every point.
    """
    top = float(magnitude.max()) if magnitude.size else 0.0
    if top <= 0:
        return np.zeros(magnitude.shape, np.uint8)
    lowest = top * 10 ** ((THRESHOLD - 255.5) / 255 * RANGE_DB / 20)
    return np.asarray(cv2.compare(magnitude, lowest, cv2.CMP_GE), np.uint8)


def close(binary: Picture) -> Picture:
    """Return the (T, bins) binary picture after a closing, which fills gaps of one or two points."""
    closed: Any = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, np.ones((KERNEL, KERNEL), np.uint8))
    return np.asarray(closed, np.uint8)


def musical_contrast(binary: Picture, seconds: float) -> dict[str, float]:
    """Return components and dark points of a (T, bins) binary picture, as counts and independent of the track's length.

    components: connected regions of energy; components_per_minute; dark_points: points without energy; dark_ratio:
    their share, 0..1. More components and fewer dark points: more eventful.
    """
    closed = close(binary)
    labels, _ = cv2.connectedComponents(closed, connectivity=8)
    components = max(0, labels - 1)
    dark = int(closed.size - np.count_nonzero(closed))
    return {
        "components": float(components),
        "components_per_minute": components * 60 / max(seconds, 1e-9),
        "dark_points": float(dark),
        "dark_ratio": dark / max(closed.size, 1),
    }
