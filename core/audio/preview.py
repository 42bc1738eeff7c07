"""Thirty seconds of a track to listen to: the loudest stretch, with soft edges, as Ogg Vorbis."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from core.audio.decode import decode
from core.audio.encode import vorbis

SECONDS = 30
FADE_S = 0.5


def preview(path: Path, folder: Path, content_hash: str) -> bytes:
    """Return the preview of the audio file at `path`, from `folder` when it was made before.

    Raises UserError as `decode` does. Takes a second or so the first time: call it in a thread.
    """
    kept = folder / f"{content_hash}.ogg"
    if kept.is_file():
        return kept.read_bytes()
    data = make_preview(path)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        file.write(data)
    Path(file.name).replace(kept)
    return data


def make_preview(path: Path) -> bytes:
    """Return the loudest SECONDS of a file, faded in and out, as Ogg Vorbis. Raises UserError as `decode` does."""
    audio = decode(path)
    samples, rate = audio.samples, audio.rate
    length = min(samples.shape[1], SECONDS * rate)
    start = loudest_start(samples, rate, length)
    cut = samples[:, start : start + length].T.copy()
    fade = min(int(FADE_S * rate), length // 4)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
    if start > 0:
        cut[:fade] *= ramp
    if start + length < samples.shape[1]:
        cut[-fade:] *= ramp[::-1]
    return vorbis(cut.T, rate)


def loudest_start(samples: np.ndarray, rate: int, length: int) -> int:
    """Return the first of the `length` samples with the most energy in (channels, n), in steps of a second."""
    if samples.shape[1] <= length:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64).sum(axis=0))])
    starts = np.arange(0, samples.shape[1] - length + 1, rate)
    return int(starts[np.argmax(energy[starts + length] - energy[starts])])
