"""Names, rates and array types that all of core.audio and core.separation share. Imports nothing of ours, and no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEMS = ("drums", "bass", "vocals", "guitar", "piano", "other")
SOURCES = ("mix", *STEMS)

RATE = 22050
"""Hz at which sources are described."""

N_FFT, HOP = 2048, 512
BINS = N_FFT // 2 + 1
FRAME_RATE = RATE / HOP
"""Frames of the short-time Fourier transform per second."""

N_MELS = 128
KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

Floats = NDArray[np.float32]

Samples = NDArray[np.float32]
"""Audio as (channels, samples), float32, full scale at +-1."""
