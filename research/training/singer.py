"""A singer for training data: General MIDI has choirs but nobody who sings words.

Source and filter (Fant 1960; Klatt 1980): a glottal pulse train with vibrato, drift and glides between notes
is shaped frame by frame by the formants of changing vowels, consonants are bursts of shaped noise, and there
is breath. It is not a voice that anybody would take for real; it has what separates voices from instruments
in a spectrogram: gliding and quivering partials under moving formants, broken up by noise.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

FORMANTS = {
    # F1..F4 in Hz, adult male (Peterson & Barney 1952; F4 after Klatt 1980)
    "a": (730, 1090, 2440, 3400),
    "e": (530, 1840, 2480, 3500),
    "i": (270, 2290, 3010, 3600),
    "o": (570, 840, 2410, 3300),
    "u": (300, 870, 2240, 3300),
    "@": (500, 1500, 2500, 3400),
}
BANDWIDTHS = (80.0, 100.0, 140.0, 200.0)
_FRAME, _HOP = 1024, 256


def sing(
    notes: list[tuple[float, float, int, int]],
    seconds: float,
    rate: int,
    rng: np.random.Generator,
    words: bool = True,
) -> NDArray[np.float32]:
    """Sing `notes` (start s, end s, MIDI pitch, velocity) as one voice; mono, peak about 0.5.

    `words=False` hums: one vowel, no consonants.
    """
    length = int(seconds * rate)
    frames = length // _HOP + 1
    times = np.arange(frames) * _HOP / rate
    pitch, gain, hiss = (np.zeros(frames) for _ in range(3))
    names = list(FORMANTS)
    table = np.array([FORMANTS[name] for name in names])
    pitches = [note[2] for note in notes]
    voice_range = (48, 67) if not pitches or np.median(pitches) < 60 else (55, 79)
    formants = np.tile(table[0], (frames, 1)).astype(float)
    scale = rng.uniform(0.92, 1.05) if voice_range[0] < 55 else rng.uniform(1.1, 1.25)
    hum = rng.integers(len(names))
    hiss_centre = np.full(frames, 6000.0)
    last = None
    for start, end, note, velocity in notes:
        while note < voice_range[0]:
            note += 12
        while note > voice_range[1]:
            note -= 12
        end = min(end, start + 6.0)
        syllables = max(1, int((end - start) / rng.uniform(0.25, 0.8))) if words else 1
        edges = np.linspace(start, end, syllables + 1)
        for left, right in itertools.pairwise(edges):
            a, b = np.searchsorted(times, (left, right))
            if b <= a:
                continue
            spoken = rng.integers(len(names)) if words else hum
            formants[a:] = table[spoken] * scale
            pitch[a:] = note
            if last is not None and a > 0:
                glide = min(frames - a, int(rng.uniform(0.02, 0.12) * rate / _HOP))
                pitch[a : a + glide] = np.linspace(last, note, glide)
            last = note
            attack = 1 - np.exp(-np.arange(b - a) / rng.uniform(2, 10))
            release = np.minimum(1.0, np.arange(b - a, 0, -1) / 8)
            gain[a:b] = attack * release * (0.4 + 0.6 * velocity / 127)
            if words and rng.random() < 0.6:
                burst = min(frames - a, int(rng.uniform(0.02, 0.12) * rate / _HOP) + 1)
                hiss[max(a - burst // 2, 0) : a + burst] = rng.uniform(0.1, 0.5)
                hiss_centre[max(a - burst // 2, 0) : a + burst] = rng.uniform(2500, 9000)
                gain[a : a + burst // 2] *= 0.2
    kernel = np.hanning(9) / np.hanning(9).sum()
    formants = np.apply_along_axis(
        lambda column: np.convolve(np.pad(column, 4, "edge"), kernel, "valid"), 0, formants
    )
    gain = np.convolve(gain, np.hanning(5) / np.hanning(5).sum(), "same")

    vibrato = rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * rng.uniform(4.8, 6.6) * times + rng.uniform(0, 6))
    drift = np.convolve(rng.normal(0, 0.6, frames), np.ones(12) / 12, "same")
    frequency = 440.0 * 2 ** ((np.where(pitch > 0, pitch, 60) + vibrato + drift * 0.3 - 69) / 12)
    sample_times = np.arange(length) / _HOP
    f0 = np.interp(sample_times, np.arange(frames), frequency)
    phase = np.cumsum(f0 / rate)
    # A smooth glottal pulse: its open quotient sets how fast the partials fall off (Rosenberg 1971).
    open_quotient = rng.uniform(0.45, 0.7)
    cycle = phase % 1.0
    pulse = np.where(cycle < open_quotient, np.sin(np.pi * cycle / open_quotient) ** 2, 0.0)
    source = np.diff(pulse, prepend=0.0) * (rate / f0) * 0.2
    breath = rng.uniform(0.005, 0.04)
    noise = rng.normal(0, 1, length)
    voiced = (source + breath * noise * (0.3 + pulse)).astype(np.float32)

    bins = np.fft.rfftfreq(_FRAME, 1 / rate)
    window = np.hanning(_FRAME)
    padded_voice = np.pad(voiced, _FRAME // 2)
    padded_noise = np.pad(noise, _FRAME // 2)
    output = np.zeros(length + 2 * _FRAME)
    # Frames in blocks: the filter is made and used for 512 frames (3 s) at a time.
    for block in range(0, frames, 512):
        index = np.arange(block, min(block + 512, frames))
        response = np.zeros((len(index), len(bins)))
        for number, bandwidth in enumerate(BANDWIDTHS):
            centre = formants[index, number, None]
            response += 0.6**number / (1 + ((bins - centre) / bandwidth) ** 2) ** 0.5
        response *= 1 / (1 + (bins / 9000) ** 4)
        rows = index[:, None] * _HOP + np.arange(_FRAME)
        rows = np.minimum(rows, len(padded_voice) - 1)
        spectrum = np.fft.rfft(padded_voice[rows] * window) * response * gain[index, None]
        shape = np.exp(-0.5 * ((bins - hiss_centre[index, None]) / 1500) ** 2)
        spectrum += np.fft.rfft(padded_noise[rows] * window) * shape * hiss[index, None] * 0.15
        for row, frame in zip(index, np.fft.irfft(spectrum) * window, strict=True):
            output[row * _HOP : row * _HOP + _FRAME] += frame
    voice = output[_FRAME // 2 : _FRAME // 2 + length]
    peak = np.abs(voice).max()
    return (voice * (0.5 / peak if peak > 0 else 0)).astype(np.float32)


def speak(seconds: float, rate: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Something like speech: syllables at 3..6 a second, pitch falling over each phrase, pauses between."""
    notes: list[tuple[float, float, int, int]] = []
    time, base = rng.uniform(0, 0.5), int(rng.integers(48, 62))
    while time < seconds:
        for step in range(int(rng.integers(4, 14))):
            length = rng.uniform(0.1, 0.3)
            notes.append(
                (time, time + length, base + int(rng.integers(-2, 4)) - step // 3, int(rng.integers(60, 120)))
            )
            time += length + rng.uniform(0, 0.06)
        time += rng.uniform(0.2, 1.0)
    return sing([note for note in notes if note[0] < seconds - 0.1], seconds, rate, rng)
