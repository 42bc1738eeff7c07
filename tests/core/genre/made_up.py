"""Little music of three genres, each by several artists: tones that last, clicks, and noise that swells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
GENRES = ("drone", "clicks", "surf")


def sound(genre: str, artist: int, number: int, seconds: float = 4.0) -> np.ndarray:
    """(n,) float32; artists differ in pitch or pace, tracks in their random numbers."""
    rng = np.random.default_rng([GENRES.index(genre), artist, number])
    time = np.arange(int(seconds * RATE)) / RATE
    if genre == "drone":
        pitch = 110 * 2 ** (artist / 7)
        wave = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 6))
    elif genre == "clicks":
        wave = np.where((time * (3 + artist)) % 1 < 0.01, rng.standard_normal(len(time)), 0)
    else:
        wave = rng.standard_normal(len(time)) * (1 + np.sin(2 * np.pi * (0.3 + artist / 20) * time))
    wave = np.asarray(wave) + 0.003 * rng.standard_normal(len(time))
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def write(path: Path, kind: str, player: int, number: int, **tags: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".mp3": ("MP3", "MPEG_LAYER_III"), ".flac": ("FLAC", "PCM_16"), ".wav": ("WAV", "PCM_16")}[
        path.suffix
    ]
    with soundfile.SoundFile(path, "w", RATE, 1, format=form[0], subtype=form[1]) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(sound(kind, player, number))
    return path


def table(folder: Path, artists: int = 5, tracks: int = 1) -> Path:
    """A CSV of path, artist and genre, with its audio beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [("path", "artist", "genre")]
    for genre in GENRES:
        for artist in range(artists):
            for number in range(tracks):
                name = f"{genre}-{artist}-{number}.wav"
                write(folder / name, genre, artist, number)
                rows.append((name, f"{genre} player {artist}", genre))
    with (folder / "tracks.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "tracks.csv"


def fma(folder: Path) -> Path:
    """FMA's layout: fma_small/000/000002.mp3 and fma_metadata/tracks.csv with its three header rows; returns fma_small."""
    header = [
        ["", "album", "artist", "artist", "set", "set", "track", "track"],
        ["", "title", "id", "name", "split", "subset", "genre_top", "title"],
        ["track_id", "", "", "", "", "", "", ""],
    ]
    rows = []
    for genre in GENRES:
        for artist in range(6):
            number = len(rows) + 2 + 1000 * (artist == 5)
            part = ("training", "training", "training", "training", "validation", "test")[artist]
            subset = ("small", "small", "small", "medium", "small", "large")[artist]
            name = f"The {genre} {artist}\nwith a line break, and a comma"
            rows.append(
                [
                    number,
                    "Album",
                    10 * GENRES.index(genre) + artist,
                    name,
                    part,
                    subset,
                    genre,
                    f"Title {number}",
                ]
            )
            text = f"{number:06d}"
            write(folder / "fma_small" / text[:3] / f"{text}.mp3", genre, artist, 0)
    rows.append([90, "Album", 99, "Nobody", "training", "small", "", "No top genre"])
    rows.append([91, "Album", 98, "Somebody", "training", "small", "drone", "No file"])
    (folder / "fma_metadata").mkdir()
    with (folder / "fma_metadata" / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*header, *rows])
    return folder / "fma_small"
