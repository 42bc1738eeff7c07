"""Endless training examples: stems of rendered songs, remixed and varied, as band spectrograms and ideal masks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import UserError
from core.separation.bands import BANDS, BINS, FFT, HOP, RATE, band_sum
from core.separation.unet import network_input
from research.training.singer import speak

FRAMES = 128
SAMPLES = (FRAMES - 1) * HOP + FFT
LEVELS = {"drums": -20.0, "bass": -21.0, "vocals": -20.0, "guitar": -23.0, "piano": -23.0, "other": -23.0}
"""Usual RMS of a stem in a mix while it sounds, dB below full scale: where the random gain is centred."""

Example = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Song:
    """A file of stems, and which of them it holds."""

    file: Path
    stems: tuple[str, ...]


def read_index(folder: Path) -> list[Song]:
    """Songs rendered so far by `research.training.render`; the list grows while rendering goes on."""
    index = folder / "index.jsonl"
    if not index.exists():
        raise UserError(f"No rendered songs in {folder}; run python -m research.training.render first.")
    lines = [json.loads(line) for line in index.read_text().splitlines() if line.endswith("}")]
    return [Song(folder / line["file"], tuple(line["stems"])) for line in lines]


def spectrum(audio: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Hann STFT without padding: (..., samples) -> (..., frames, BINS)."""
    from scipy.fft import rfft

    window = np.hanning(FFT + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio, FFT, axis=-1)[..., ::HOP, :]
    result: NDArray[np.complex64] = rfft(frames * window, axis=-1)
    return result


def ideal_masks(
    stems: NDArray[np.complex64],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.complex64]]:
    """The best real mask per channel and band in the least-squares sense, sum Re(S conj X) / sum |X|^2 (the
    phase-sensitive mask of Erdogan et al. 2015, per band), clipped to 0..1; the mix's power per band; the mix.

    (stems, 2, frames, BINS) -> (stems, 2, frames, BANDS), (2, frames, BANDS), (2, frames, BINS).
    """
    mix = stems.sum(axis=0)
    power = band_sum(mix.real**2 + mix.imag**2)
    shares = band_sum(stems.real * mix.real + stems.imag * mix.imag) / (power + 1e-12)
    return np.clip(shares, 0, 1).astype(np.float32), power, mix


class Mixer:
    """Draws examples; the same seed and files give the same examples."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.songs = read_index(folder)
        self.drawn = 0
        self._levels: dict[tuple[Path, str], float] = {}

    def __iter__(self) -> Iterator[Example]:
        while True:
            if self.drawn % 256 == 255:
                self.songs = read_index(self.folder)
            self.drawn += 1
            yield self.example()

    def example(self) -> Example:
        """(input (3, BANDS, FRAMES), power (2, BANDS, FRAMES), masks (6, 2, BANDS, FRAMES)), float32."""
        rng = self.rng
        chosen = self._choose()
        spectra: dict[str, NDArray[np.complex64]] = {}
        # Every fifth mix is mono; others reach from narrow to hard left and right.
        stage = 0.0 if rng.random() < 0.2 else float(rng.uniform(0.2, 1.0))
        for stem, audio in chosen.items():
            if float(np.abs(audio).max()) < 1e-4:
                continue
            gain = 10 ** ((LEVELS[stem] + rng.normal(0, 4.5)) / 20)
            spectra[stem] = self._placed(stem, self._drive(audio) * np.float32(gain), stage) * self._colour()
        stack = np.stack([*spectra.values()] or [np.zeros((2, FRAMES, BINS), np.complex64)])
        if rng.random() < 0.3:
            # Recordings often end at 10..18 kHz (lossy codecs, tape).
            stack[..., int(rng.uniform(8000, 18000) / RATE * FFT) :] *= 0.001
        found, power, mix = ideal_masks(stack)
        masks = np.zeros((len(STEMS), 2, FRAMES, BANDS), np.float32)
        for stem, mask in zip(spectra, found, strict=False):
            masks[STEMS.index(stem)] = mask
        reference = float(np.mean(np.abs(mix) ** 2)) * 10 ** (rng.uniform(-6, 6) / 10)
        seen = network_input(mix, reference)
        return seen.swapaxes(1, 2).copy(), power.swapaxes(1, 2).copy(), masks.swapaxes(2, 3).copy()

    def _placed(self, stem: str, audio: NDArray[np.float32], stage: float) -> NDArray[np.complex64]:
        """Spectra of both channels, (2, FRAMES, BINS).

        A stem that was rendered in stereo stays as it is, half of the times, mirrored or not. Else it is panned with
        constant power, by a position that changes smoothly with frequency (kits and pianos are wide), and its channels'
        phases part a little (rooms, chorus, two microphones).
        """
        rng = self.rng
        if audio.ndim == 2:
            if stage and rng.random() < 0.5:
                return spectrum(audio[:: int(rng.choice([-1, 1]))])
            audio = audio.mean(axis=0)
        found = spectrum(audio)
        if not stage:
            return np.stack([found, found])
        middle = stem in ("drums", "bass", "vocals")
        where = stage * (rng.normal(0, 0.15) if middle else rng.uniform(-1, 1))
        spread = stage * abs(rng.normal(0, 0.1 if stem in ("bass", "vocals") else 0.3))
        along = np.log2(np.arange(1, BINS + 1))
        knots = np.linspace(0, along[-1], 12)
        pan = np.clip(np.interp(along, knots, where + spread * rng.normal(0, 1, 12)), -1, 1)
        gains = np.sqrt(np.stack([1 - pan, 1 + pan])).astype(np.complex64)
        if rng.random() < 0.5:
            knots = np.linspace(0, along[-1], 40)
            phase = np.interp(along, knots, rng.uniform(0, 0.8) * rng.normal(0, 1, 40))
            gains *= np.exp(np.stack([0.5j * phase, -0.5j * phase]))
        placed: NDArray[np.complex64] = found * gains[:, None].astype(np.complex64)
        return placed

    def _choose(self) -> dict[str, NDArray[np.float32]]:
        """Which stems sound: a song as it is, a remix of several songs, or (one of eight) one stem alone."""
        rng = self.rng
        song = self._song()
        if rng.random() < 0.55:
            start, speed = rng.random(), self._speed()
            chosen = {stem: self._cut(song, stem, start, speed) for stem in song.stems}
        else:
            chosen = {}
            for stem in sorted({stem for song in self.songs for stem in song.stems}, key=STEMS.index):
                if rng.random() < (0.7 if stem in ("drums", "bass", "vocals") else 0.55):
                    donor = self._song(stem)
                    chosen[stem] = self._cut(donor, stem, rng.random(), self._speed())
        if "vocals" in chosen and rng.random() < 0.05:
            speech = speak(SAMPLES / RATE, RATE, rng)
            chosen["vocals"] = speech / max(float(np.sqrt(np.mean(speech**2))), 1e-3)
        draw = rng.random()
        if draw < 0.12 and chosen:
            alone = str(rng.choice(list(chosen)))
            chosen = {alone: chosen[alone]}
        elif draw < 0.5 and len(chosen) > 2:
            chosen.pop(str(rng.choice(list(chosen))))
        return chosen

    def _song(self, stem: str | None = None) -> Song:
        """Any song, or any that has this stem."""
        songs = self.songs if stem is None else [song for song in self.songs if stem in song.stems]
        return songs[int(self.rng.integers(len(songs)))]

    def _speed(self) -> float:
        """Played faster or slower by up to four semitones, two times of three: pitches, formants and tempi between
        those of the SoundFonts."""
        return float(2 ** (self.rng.uniform(-4, 4) / 12)) if self.rng.random() < 0.67 else 1.0

    def _drive(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Every fourth stem through a soft clipper (tanh), from warm to overdriven: partials that no SoundFont has, and
        less of its dynamics. The audio's RMS while it sounds is one, before and, roughly, after."""
        if self.rng.random() > 0.25:
            return audio
        gain = np.float32(2 ** self.rng.uniform(-1.5, 2))
        driven: NDArray[np.float32] = np.tanh(gain * audio) / np.float32(np.tanh(gain))
        return driven

    def _cut(self, song: Song, stem: str, where: float, speed: float) -> NDArray[np.float32]:
        """One excerpt, scaled so that the parts of the whole stem that sound have an RMS of one: a stem that
        hardly plays in the excerpt stays as soft as it is in the song."""
        track = np.load(song.file, mmap_mode="r")[song.stems.index(stem)]
        key = (song.file, stem)
        if key not in self._levels:
            sparse = track[..., ::32].astype(np.float32) / 32768
            sounding = sparse[np.abs(sparse) > 0.001]
            self._levels[key] = float(np.sqrt(np.mean(sounding**2))) if len(sounding) else 1.0
        needed = int(SAMPLES * speed) + 2
        start = int(where * max(track.shape[-1] - needed, 0))
        audio = track[..., start : start + needed].astype(np.float32) / np.float32(32768 * self._levels[key])
        audio = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(0, needed - audio.shape[-1])])
        if speed == 1.0:
            return audio[..., :SAMPLES]
        position = np.arange(SAMPLES) * speed
        before = position.astype(np.int64)
        share = (position - before).astype(np.float32)
        low = audio[..., before]
        faster: NDArray[np.float32] = low + share * (audio[..., before + 1] - low)
        return faster

    def _colour(self) -> NDArray[np.float32]:
        """A random smooth equaliser, gain per bin: recordings differ in colour more than SoundFonts do."""
        knots = np.log2(np.array([30, 120, 400, 1200, 3500, 9000, 22000]))
        bins = np.log2(np.maximum(np.arange(BINS), 1) * RATE / FFT)
        gains: NDArray[np.float32] = (
            10 ** (np.interp(bins, knots, self.rng.normal(0, 4, len(knots))) / 20)
        ).astype(np.float32)
        return gains


assert BANDS == 256
