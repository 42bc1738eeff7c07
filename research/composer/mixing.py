"""Levels: loudness (ITU-R BS.1770-4), effects of single parts, limiter, true peak."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
Audio = NDArray[np.float64]
"""(samples, 2), full scale at +-1."""


def loudness(audio: Audio) -> float:
    """Integrated loudness in LUFS by ITU-R BS.1770-4 with both gates; -70 for silence."""
    from scipy.signal import lfilter

    weighted = audio
    for b, a in _k_weighting():
        weighted = lfilter(b, a, weighted, axis=0)
    block, hop = int(0.4 * RATE), int(0.1 * RATE)
    power = np.concatenate([[0.0], np.cumsum((weighted**2).sum(axis=1))])
    starts = np.arange(0, max(1, len(audio) - block), hop)
    energy = (power[np.minimum(starts + block, len(audio))] - power[starts]) / block
    level = -0.691 + 10 * np.log10(np.maximum(energy, 1e-12))
    loud = energy[level > -70]
    if not len(loud):
        return -70.0
    gate = -0.691 + 10 * np.log10(loud.mean()) - 10
    return float(-0.691 + 10 * np.log10(energy[level > max(gate, -70)].mean()))


def _k_weighting() -> list[tuple[Audio, Audio]]:
    """The two filters of BS.1770, for any rate (parameters after De Man 2014)."""
    f0, gain, q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k, vh = np.tan(np.pi * f0 / RATE), 10 ** (gain / 20)
    vb = vh**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = np.array([vh + vb * k / q + k * k, 2 * (k * k - vh), vh - vb * k / q + k * k]) / a0
    shelf_a = np.array([1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
    k, q = np.tan(np.pi * 38.13547087602444 / RATE), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return [
        (shelf_b, shelf_a),
        (np.array([1.0, -2.0, 1.0]), np.array([1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])),
    ]


def true_peak(audio: Audio) -> float:
    """Peak in dB between the samples as well, by fourfold oversampling."""
    from scipy.signal import resample_poly

    return float(20 * np.log10(max(1e-9, np.abs(resample_poly(audio, 4, 1, axis=0)).max())))


def limit(audio: Audio, ceiling: float) -> Audio:
    """Look-ahead limiter: hold peaks under `ceiling` (dB) by a smooth gain, the same on both channels."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    peak = 10 ** (ceiling / 20)
    wanted = np.minimum(1.0, peak / np.maximum(np.abs(audio).max(axis=1), 1e-9))
    window = int(0.004 * RATE) | 1
    # the minimum over twice the smoothing window keeps the smoothed gain at or below what each peak needs
    gain = uniform_filter1d(minimum_filter1d(wanted, 2 * window), window)
    release = minimum_filter1d(wanted, int(0.05 * RATE))
    return np.asarray(audio * np.minimum(gain, uniform_filter1d(release, int(0.04 * RATE)))[:, None])


def fade(audio: Audio, seconds: float) -> Audio:
    """Fade the end out over `seconds`, as a squared cosine."""
    n = min(len(audio), int(seconds * RATE))
    out = audio.copy()
    out[len(audio) - n :] *= (np.cos(np.linspace(0, np.pi / 2, n)) ** 2)[:, None]
    return out


def _filter(audio: Audio, cutoff: float, kind: str) -> Audio:
    from scipy.signal import butter, sosfilt

    sos: Any = butter(2, cutoff, kind, fs=RATE, output="sos")
    return np.asarray(sosfilt(sos, audio, axis=0))


def remove_offset(audio: Audio) -> Audio:
    """Take out what lies below hearing: some presets of the SoundFont carry a DC offset."""
    return _filter(audio, 22, "highpass")


def _drive(audio: Audio, amount: float) -> Audio:
    scale = np.abs(audio).max() + 1e-9
    return np.asarray(_filter(np.tanh(audio / scale * amount), 6500, "lowpass"))


def _pump(audio: Audio, tempo: float) -> Audio:
    """The ducking of house music: down on each beat, back up before the next."""
    phase = (np.arange(len(audio)) / RATE * tempo / 60) % 1
    return np.asarray(audio * (0.25 + 0.75 * np.minimum(1, phase / 0.7) ** 1.5)[:, None])


def _tremolo(audio: Audio) -> Audio:
    return np.asarray(audio * (0.8 + 0.2 * np.sin(2 * np.pi * 5.2 * np.arange(len(audio)) / RATE))[:, None])


EFFECTS: dict[str, Callable[[Audio, float], Audio]] = {
    "drive": lambda audio, tempo: _drive(audio, 6.0),
    "warm": lambda audio, tempo: _filter(audio, 2600, "lowpass"),
    "tape": lambda audio, tempo: _filter(_filter(audio, 3800, "lowpass"), 90, "highpass"),
    "thin": lambda audio, tempo: _filter(audio, 220, "highpass"),
    "pump": _pump,
    "tremolo": lambda audio, tempo: _tremolo(audio),
}
"""By the name in `Part.effect`; each takes the part's audio and the tempo in BPM."""
