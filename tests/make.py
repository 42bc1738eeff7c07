"""What tests of all parts make for themselves: short sounds, and analyses of tracks that nobody plays."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bot.words.pictures import analysis_words
from core.library.sources.samples import shipped_analyses
from core.library.tracks import Library, put_analysis, put_track
from core.track_analysis import TrackAnalysis

WORDS = analysis_words()
"""What an upload's job brings for its picture."""


def tone(hz: float, seconds: float, rate: int = 44100, level: float = 0.5) -> NDArray[np.float32]:
    """(n,): a sine."""
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def plucked(seconds: float = 4.0, hz: float = 220.0, rate: int = 22050) -> bytes:
    """A note that is plucked twice a second, as a WAV file."""
    decay = np.exp(-6 * (np.arange(int(seconds * rate)) / rate % 0.5))
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(hz, len(decay) / rate, rate) * decay, rate, format="WAV")
    return buffer.getvalue()


def write_tone(path: Path, hz: float = 220.0, seconds: float = 1.5, **tags: str) -> Path:
    """A short Ogg file with overtones, so that different ones are different content; it appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = sum(tone(hz * n, seconds, level=0.2 / n) for n in (1, 2, 3))
    wave *= np.linspace(1, 0, len(wave), dtype=np.float32)
    part = path.with_name(path.name + ".part")
    with soundfile.SoundFile(part, "w", 44100, 1, format="OGG", subtype="VORBIS") as file:
        for name, value in tags.items():
            setattr(file, name, value)
        for block in np.array_split(wave, int(seconds) + 1):
            file.write(block)  # libsndfile 1.2 overflows its stack on long Vorbis writes
    os.replace(part, path)  # noqa: PTH105
    return path


def analysis(**changes: Any) -> TrackAnalysis:
    """The analysis of a short track with drums, as separated by nothing unless `changes` say otherwise."""
    facts: dict[str, Any] = {
        "content_hash": "h1",
        "duration_s": 3.0,
        "separator": "none",
        "separator_version": "1",
        "analyser_version": 1,
        "tempo_bpm": 120.0,
        "key": "C",
        "mode": "major",
        "musical_contrast": {"dark_ratio": 0.5},
        "instruments": {"drums": {"activity": 0.5, "level_db": -6.0}},
        "descriptors": {"mix": {"spectral_centroid": {"mean": 1500.0, "std": 300.0, "unit": "Hz"}}},
        "activity_curve": {"drums": [0.0, 1.0]},
        "notes": ["Ünïcode"],
    }
    return TrackAnalysis(**facts | changes)


def sample_analyses() -> list[TrackAnalysis]:
    """The analyses of the thirty pieces that the product brings."""
    return [TrackAnalysis.from_json(row) for row in shipped_analyses().values()]


async def upsert_track(
    library: Library, *, content_hash: str, path: str, origin: str, title: str, duration_s: float, artist: str | None = None,
    genre: str | None = None, album: str | None = None,
) -> int:  # fmt: skip
    """`put_track` in a transaction of its own."""
    async with library.database.transaction() as transaction:
        return await put_track(
            transaction, content_hash, path, origin, title, artist, genre, duration_s, album
        )


async def remove_track(library: Library, track_id: int) -> bool:
    """Delete a track, and return whether there was one."""
    return bool(await library.database.write("DELETE FROM track WHERE id = ? RETURNING id", [track_id]))


async def save_analysis(library: Library, track_id: int, found: TrackAnalysis) -> None:
    """`put_analysis` in a transaction of its own."""
    async with library.database.transaction() as transaction:
        await put_analysis(transaction, track_id, found)
