"""Tags from strangers: read where they can be, cleaned, and never an error."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.library.tags import LONGEST, Tags, clean, from_file_name, read_tags


def tone(path: Path, kind: str, subtype: str, **tags: str) -> Path:
    with soundfile.SoundFile(path, "w", 48000, 1, format=kind, subtype=subtype) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.zeros(48000, np.float32))
    return path


@pytest.mark.parametrize(
    ("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")]
)
def test_the_usual_containers(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tone(tmp_path / "x", kind, subtype, title="Größe", artist="Björk", album="Debut", genre="Pop")
    assert read_tags(path, "whatever.bin") == Tags("Größe", "Björk", "Debut", "Pop")


def test_without_tags_the_name_speaks(tmp_path: Path) -> None:
    path = tone(tmp_path / "abc123", "WAV", "PCM_16")
    assert read_tags(path, "Ida - Blue Hour.wav") == Tags("Blue Hour", "Ida")
    assert read_tags(path) == Tags("abc123")


def test_a_titled_file_takes_no_artist_from_its_name(tmp_path: Path) -> None:
    path = tone(tmp_path / "x.ogg", "OGG", "VORBIS", title="Song")
    assert read_tags(path, "Some - Thing.ogg") == Tags("Song", None)


@pytest.mark.parametrize(
    ("name", "title", "artist"),
    [
        ("Artist - Title.mp3", "Title", "Artist"),
        ("03 - Artist - Title.flac", "Title", "Artist"),
        ("07. Some Song.ogg", "Some Song", None),
        ("my_little_song.ogg", "my little song", None),
        ("../../etc/passwd", "passwd", None),
        ("C:\\Music\\Tune.wav", "Tune", None),
        ("1999.mp3", "1999", None),
        ("Mr. Brightside", "Mr. Brightside", None),
        (".mp3", "Untitled", None),
        ("", "Untitled", None),
        ("99 - .mp3", "99 -", None),
    ],
)
def test_file_names(name: str, title: str, artist: str | None) -> None:
    assert from_file_name(name) == Tags(title, artist)


def test_cleaning() -> None:
    assert clean("  two\n lines\t\x00 ") == "two lines"
    assert clean("\u202egnp.exe\u200b") == "gnp.exe"
    assert clean("e\u0301") == "é"
    assert clean("GrÃ¶Ã\x9fe") == clean("Größe") == "Größe"
    assert clean("   ") is clean(None) is clean(7) is None
    assert len(clean("x" * 5000) or "") == LONGEST


def test_broken_bytes_never_raise(tmp_path: Path) -> None:
    dice = random.Random(5)
    good = tone(tmp_path / "good.ogg", "OGG", "VORBIS", title="T").read_bytes()
    heads = [
        b"",
        b"ID3\x04\x00\xff\x7f\x7f\x7f\x7f",
        b"fLaC",
        b"OggS",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00 ftypM4A ",
    ]
    for number in range(300):
        data = bytearray(good[: dice.randrange(len(good))])
        for _ in range(dice.randrange(40)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        path = tmp_path / f"{number}.{dice.choice(['ogg', 'mp3', 'flac', 'm4a', 'wma', 'aiff'])}"
        path.write_bytes(dice.choice(heads) + bytes(data))
        assert read_tags(path, "Name.mp3").title
    assert read_tags(tmp_path / "nowhere.mp3").title == "nowhere"
