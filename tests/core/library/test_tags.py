"""Tags from strangers: read where they can be, cleaned, and never an error."""

from __future__ import annotations

import random
import struct
import unicodedata
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from core.library.tags import LONGEST, Tags, clean, from_file_name, read_tags


def tagged_tone(path: Path, kind: str, subtype: str, **tags: str) -> Path:
    with soundfile.SoundFile(path, "w", 48000, 1, format=kind, subtype=subtype) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.zeros(48000, np.float32))
    return path


@pytest.mark.parametrize(
    ("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")]
)
def test_the_usual_containers(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tagged_tone(
        tmp_path / "x", kind, subtype, title="Größe", artist="Björk", album="Debut", genre="Pop"
    )
    assert read_tags(path, "whatever.bin") == Tags("Größe", "Björk", "Debut", "Pop")


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("asf", "wmav2"), ("aiff", "pcm_s16be")])
def test_containers_of_ffmpeg(tmp_path: Path, container: str, codec: str) -> None:
    with av.open(str(tmp_path / "x"), "w", format=container) as out:
        out.metadata.update({"title": "夜の海 🌊", "artist": "Sigur Rós"})
        sound = out.add_stream(codec, rate=44100, layout="stereo")
        sound.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 2048), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 44100, 0
        convert = av.AudioResampler(sound.format, "stereo", 44100, frame_size=sound.frame_size or 1024)
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    tags = read_tags(tmp_path / "x", "Name.bin")
    if container == "aiff":  # its text chunks know ASCII only; what comes out is at least printable
        assert tags.title and tags.title.isprintable()
    else:
        assert (tags.title, tags.artist) == ("夜の海 🌊", "Sigur Rós")


def id3(*frames: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """An ID3v2.4 tag in front of one MP3 frame; `size` is what the tag claims to have."""

    def syncsafe(number: int) -> bytes:
        return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))

    body = b"".join(name + syncsafe(len(data)) + b"\0\0" + data for name, data in frames)
    claimed = syncsafe(len(body) if size is None else size)
    return b"ID3\x04\0\0" + claimed + body + b"\xff\xfb\x90\0" + bytes(4000)


UTF8 = b"\x03"


def test_huge_tags_cost_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each character is looked at in Python: of twelve megabytes of title (seven seconds), only the beginning."""
    looked_at = []
    category = unicodedata.category
    monkeypatch.setattr(unicodedata, "category", lambda one: looked_at.append(one) or category(one))
    path = tmp_path / "x.mp3"
    path.write_bytes(id3((b"TIT2", UTF8 + "\u202e ab".encode() * 2_000_000), (b"TPE1", UTF8 + b"Ann")))
    tags = read_tags(path)
    assert tags.artist == "Ann" and tags.title.startswith("ab ab") and len(tags.title) == LONGEST
    assert len(looked_at) < 50 * LONGEST


def test_lying_sizes(tmp_path: Path) -> None:
    path = tmp_path / "Ann - Song.mp3"
    for claimed in (0, 5, 10_000_000, (1 << 28) - 1):
        path.write_bytes(id3((b"TIT2", UTF8 + b"A title"), size=claimed))
        assert read_tags(path).title in ("A title", "Song")
    comments = struct.pack("<I", 0) + struct.pack("<II", 1, 0xFFFFFFFF) + b"TITLE=x"
    block = bytes([0x84]) + struct.pack(">I", len(comments))[1:] + comments
    (tmp_path / "Ann - Song.flac").write_bytes(b"fLaC" + bytes([0, 0, 0, 34]) + bytes(34) + block)
    assert read_tags(tmp_path / "Ann - Song.flac").title in ("x", "Song")
    nested = b""
    for _ in range(3000):
        nested = struct.pack(">I", len(nested) + 8) + b"udta" + nested
    (tmp_path / "Ann - Song.m4a").write_bytes(
        b"\0\0\0\x10ftypM4A \0\0\0\0" + struct.pack(">I", len(nested) + 8) + b"moov" + nested
    )
    assert read_tags(tmp_path / "Ann - Song.m4a") == Tags("Song", "Ann")


def test_covers_are_passed_over(tmp_path: Path) -> None:
    picture = b"\0image/png\0\x03\0" + b"\x89PNG" + random.Random(1).randbytes(2_000_000)
    path = tmp_path / "x.mp3"
    for order in (1, -1):
        frames = [(b"APIC", picture), (b"TIT2", UTF8 + "Größe".encode())][::order]
        path.write_bytes(id3(*frames))
        assert read_tags(path) == Tags("Größe")


def test_without_tags_the_name_speaks(tmp_path: Path) -> None:
    path = tagged_tone(tmp_path / "abc123", "WAV", "PCM_16")
    assert read_tags(path, "Ida - Blue Hour.wav") == Tags("Blue Hour", "Ida")
    assert read_tags(path) == Tags("abc123")


def test_a_titled_file_takes_no_artist_from_its_name(tmp_path: Path) -> None:
    path = tagged_tone(tmp_path / "x.ogg", "OGG", "VORBIS", title="Song")
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
    good = tagged_tone(tmp_path / "good.ogg", "OGG", "VORBIS", title="T").read_bytes()
    heads = [
        b"",
        b"ID3\x04\x00\xff\x7f\x7f\x7f\x7f",
        b"fLaC",
        b"OggS",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00 ftypM4A ",
    ]
    for number in range(100):  # a child process for each
        data = bytearray(good[: dice.randrange(len(good))])
        for _ in range(dice.randrange(40)):
            if data:
                data[dice.randrange(len(data))] = dice.randrange(256)
        path = tmp_path / f"{number}.{dice.choice(['ogg', 'mp3', 'flac', 'm4a', 'wma', 'aiff'])}"
        path.write_bytes(dice.choice(heads) + bytes(data))
        assert read_tags(path, "Name.mp3").title
    assert read_tags(tmp_path / "nowhere.mp3").title == "nowhere"
