"""What cannot be analysed gets one clear sentence, and takes neither long nor much memory."""

from __future__ import annotations

import resource
import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest

from core.audio.decode import DecodeLimits, decode
from tests.core.audio.recordings import (
    SOUNDFILE_KINDS,
    STEREO,
    encode_layout,
    refusal,
    wav,
    write,
)
from tests.make import tone


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"<html><body>Not found</body></html>",
        b"PK\x03\x04" + bytes(1000),
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile other.wav\n",
        b"[playlist]\nFile1=http://127.0.0.1/a.mp3\n",
        bytes(5000),
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
    ],
)
def test_not_audio(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(content)
    assert "not an audio file" in refusal(tmp_path / "song.mp3")


@pytest.mark.parametrize("magic", [b"fLaC", b"OggS", b"RIFF\xff\xff\xff\x7fWAVE", b"\xff\xfb\x90", b"ID3\x04\x00\x00\x00\x00\x00\x00",
                                   b"\x00\x00\x00\x20ftypM4A ", b"\x1a\x45\xdf\xa3", b"FORM\x00\x00\x00\x00AIFF"])  # fmt: skip
def test_audio_only_by_its_first_bytes(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(magic + np.random.default_rng(0).bytes(20000))
    assert "damaged" in refusal(tmp_path / "song.mp3")


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    assert "empty" in refusal(tmp_path / "a.mp3")


def test_missing(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(tmp_path / "nowhere.mp3")
    assert "cannot be opened" in refusal(tmp_path)


def test_one_sample_and_none(tmp_path: Path) -> None:
    assert "only 0.00 s" in refusal(write(tmp_path / "a.wav", np.zeros((1, 2), np.float32)))
    assert "only 0.00 s" in refusal(write(tmp_path / "b.wav", np.zeros((0, 2), np.float32)))
    assert "only 0.50 s" in refusal(write(tmp_path / "c.wav", tone(440, 0.5)))


@pytest.mark.parametrize("kind", SOUNDFILE_KINDS)
def test_one_sample_of_each_kind(kind: str, tmp_path: Path) -> None:
    how = dict(SOUNDFILE_KINDS[kind])
    path = tmp_path / f"a{how.pop('suffix')}"
    one = write(path, np.full((1, 2), 0.5, np.float32), 48000 if kind == "opus" else 44100, **how)
    said = refusal(one)
    assert "only 0." in said and "at least one second" in said


def test_video_without_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(stream.encode(None))
    assert "no sound track" in refusal(tmp_path / "a.mp4")


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_not_a_number(bad: float, tmp_path: Path) -> None:
    samples = STEREO.astype(np.float64)
    samples[40000] = bad
    assert "not numbers" in refusal(write(tmp_path / "a.wav", samples, subtype="DOUBLE"))
    if bad == 1e300:  # a number, but none for a 32-bit float
        return
    assert "not numbers" in refusal(write(tmp_path / "b.wav", samples, subtype="FLOAT"))
    mkv = encode_layout(tmp_path / "a.mkv", "matroska", "pcm_f32le", "stereo", 44100, samples)
    assert "not numbers" in refusal(mkv)


@pytest.mark.parametrize(
    "header",
    [
        {"channels": 0},
        {"channels": 65535},
        {"channels": 20},
        {"rate": 0},
        {"rate": 4_294_967_295},
        {"rate": 400},
        {"bits": 0},
    ],
)
def test_impossible_headers(header: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(**header))
    refusal(tmp_path / "a.wav")


def test_too_long_stops_early(tmp_path: Path) -> None:
    """A whole day of silence in a few MB; the header says so, and it is decoded only up to the limit."""
    path = write(tmp_path / "day.flac", np.zeros((8000 * 3600 * 2, 1), np.int16), 8000)
    started = time.monotonic()
    assert "longer than 10 minutes" in refusal(path)
    assert time.monotonic() - started < 20


def test_a_day_of_mp3_stops_at_the_limit(tmp_path: Path) -> None:
    """Frames without a header that tells their number, 24 hours of them."""
    minute = encode_layout(
        tmp_path / "minute.mp3", "mp3", "libmp3lame", "mono", 8000, tone(440, 60, 8000)
    ).read_bytes()
    first = minute.find(b"\xff\xe3")  # MPEG 2.5, layer III
    second = minute.find(b"\xff\xe3", first + 4)  # behind the frame with the encoder's notes
    with (tmp_path / "day.mp3").open("wb") as file:
        for _ in range(24 * 60):
            file.write(minute[second:])
    assert "longer than 10 minutes" in refusal(tmp_path / "day.mp3")


def test_a_day_of_wav_that_is_one_hole(tmp_path: Path) -> None:
    size = 8000 * 86400
    header = bytearray(wav(rate=8000, channels=1, bits=8, data=b""))
    header[4:8], header[40:44] = struct.pack("<I", 36 + size), struct.pack("<I", size)
    with (tmp_path / "day.wav").open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    assert "691 MB and 500 MB are allowed" in refusal(tmp_path / "day.wav")
    assert "longer than 10 minutes" in refusal(tmp_path / "day.wav", DecodeLimits(max_bytes=1 << 30))


def test_a_day_between_two_packets(tmp_path: Path) -> None:
    """A container may claim any time; only samples count."""
    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska") as out:
        sound = out.add_stream("pcm_s16le", rate=44100, layout="stereo")
        for second in range(3):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 88200), np.int16), "s16", "stereo")
            frame.sample_rate, frame.pts = 44100, (second > 1) * 86400 * 44100 + second * 44100
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    assert decode(tmp_path / "a.mkv").seconds == 3


def test_too_large(tmp_path: Path) -> None:
    assert "0 MB are allowed" in refusal(write(tmp_path / "a.wav"), DecodeLimits(max_bytes=1000))


def test_a_header_that_claims_hours_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a.wav", subtype="PCM_16").read_bytes())
    content[4:8] = content[40:44] = b"\xf0\xff\xff\x7f"
    (tmp_path / "a.wav").write_bytes(content)
    assert decode(tmp_path / "a.wav").seconds == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("limits", [DecodeLimits(wall_seconds=0.001), DecodeLimits(memory_bytes=1 << 20)])
def test_limits_hold(limits: DecodeLimits, tmp_path: Path) -> None:
    assert "damaged" in refusal(write(tmp_path / "a.flac"), limits) or limits.memory_bytes < 1 << 30


def seconds_of_children() -> float:
    """Return the processor time of decoders so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_megabytes_of_comments_are_refused_before_they_cost_time(tmp_path: Path) -> None:
    """A million comments took libsndfile a minute (a member could stop the queue with 16 MB)."""
    plain = write(tmp_path / "a.flac").read_bytes()
    one = b"\x08\x00\x00\x00TITLE=ab"
    comments = b"\0\0\0\0" + (150_000).to_bytes(4, "little") + one * 150_000
    block = bytes([4]) + len(comments).to_bytes(3, "big") + comments
    (tmp_path / "b.flac").write_bytes(plain[:42] + block + plain[42:])
    began = seconds_of_children()
    assert "1 MB of text" in refusal(tmp_path / "b.flac")
    assert seconds_of_children() - began < 1


def test_a_chain_of_empty_tags_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x00" * 5_000_000)
    began = seconds_of_children()
    refusal(tmp_path / "a.mp3")
    assert seconds_of_children() - began < 5
