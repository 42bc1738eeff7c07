"""Any file gets samples or one clear sentence, and nothing else happens."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from core.audio.decode import DecodeLimits, decode
from core.errors import UserError
from tests.core.audio.conftest import tone

Floats = NDArray[np.float32]
STEREO = np.stack([tone(440, 2.0), tone(660, 2.0)], axis=1)


def write(path: Path, samples: Floats = STEREO, rate: int = 44100, **how: str) -> Path:
    soundfile.write(path, samples, rate, **how)
    return path


def encode(path: Path, container: str, codec: str, rate: int = 44100, video: bool = False) -> Path:
    """The stereo tones through FFmpeg's encoders, with a video stream first if wanted."""
    with av.open(str(path), "w", format=container) as out:
        pictures = out.add_stream("mpeg4", rate=10) if video else None
        if pictures is not None:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
        sound = out.add_stream(codec, rate=rate, layout="stereo")
        sound.bit_rate = 192_000
        if pictures is not None:
            for _ in range(20):
                out.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
            out.mux(pictures.encode(None))
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(STEREO.T), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        convert = av.AudioResampler(format=sound.format, layout="stereo", rate=rate)
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            fifo.write(piece)
        while block := fifo.read(sound.frame_size or 1024, partial=True):
            block.pts = None
            out.mux(sound.encode(block))
        out.mux(sound.encode(None))
    return path


def encode_layout(path: Path, container: str, codec: str, layout: str, rate: int, samples: Floats) -> Path:
    """(n, channels) samples in FFmpeg's order of the layout; interleaved, since PyAV cannot take eight planes."""
    with av.open(str(path), "w", format=container) as out:
        sound = out.add_stream(codec, rate=rate, layout=layout)
        if codec.startswith(("wma", "libmp3")):
            sound.bit_rate = 128_000 if rate >= 32_000 else 32_000
        convert = av.AudioResampler(sound.format, layout, rate, frame_size=sound.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32).reshape(1, -1), "flt", layout)
        frame.sample_rate, frame.pts = rate, 0
        for piece in [*convert.resample(frame), *convert.resample(None)]:
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


def refusal(path: Path, limits: DecodeLimits = DecodeLimits()) -> str:  # noqa: B008 - frozen
    with pytest.raises(UserError) as caught:
        decode(path, limits)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and str(path.parent) not in sentence
    return sentence


def level_at(samples: Floats, hz: float) -> float:
    """Amplitude of one frequency in (n,) samples at 44.1 kHz."""
    phase = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / 44100)
    return float(2 * np.abs(np.mean(samples * phase)))


SOUNDFILE_KINDS = {
    "wav8": {"suffix": ".wav", "subtype": "PCM_U8"},
    "wav16": {"suffix": ".wav", "subtype": "PCM_16"},
    "wav24": {"suffix": ".wav", "subtype": "PCM_24"},
    "wav-float64": {"suffix": ".wav", "subtype": "DOUBLE"},
    "wav-adpcm": {"suffix": ".wav", "subtype": "IMA_ADPCM"},
    "rf64": {"suffix": ".wav", "format": "RF64", "subtype": "PCM_16"},
    "aiff": {"suffix": ".aiff", "format": "AIFF", "subtype": "PCM_16"},
    "flac": {"suffix": ".flac", "format": "FLAC", "subtype": "PCM_16"},
    "vorbis": {"suffix": ".ogg", "format": "OGG", "subtype": "VORBIS"},
    "opus": {"suffix": ".opus", "format": "OGG", "subtype": "OPUS"},
    "mp3": {"suffix": ".mp3", "format": "MP3", "subtype": "MPEG_LAYER_III"},
}
AV_KINDS = {
    "m4a": ("mp4", "aac", False),
    "aac": ("adts", "aac", False),
    "mp4-video": ("mp4", "aac", True),
    "alac": ("mp4", "alac", False),
    "wma": ("asf", "wmav2", False),
    "mkv-vorbis": ("matroska", "libvorbis", True),
    "webm-opus": ("webm", "libopus", False),
    "avi": ("avi", "mp3", True),
    "flv": ("flv", "aac", False),
    "mpegts": ("mpegts", "aac", True),
    "wavpack": ("wv", "wavpack", False),
}


@pytest.mark.parametrize("kind", SOUNDFILE_KINDS)
def test_kinds_of_libsndfile(kind: str, tmp_path: Path) -> None:
    how = dict(SOUNDFILE_KINDS[kind])
    rate = 48000 if kind == "opus" else 44100
    check(write(tmp_path / f"a{how.pop('suffix')}", rate=rate, **how), pitch=rate / 44100)


@pytest.mark.parametrize("kind", AV_KINDS)
def test_kinds_of_ffmpeg(kind: str, tmp_path: Path) -> None:
    container, codec, video = AV_KINDS[kind]
    rate = 48000 if codec == "libopus" else 44100
    check(encode(tmp_path / "a.bin", container, codec, rate, video))


def check(path: Path, pitch: float = 1.0) -> None:
    audio = decode(path)
    assert audio.samples.dtype == np.float32 and audio.samples.flags.c_contiguous and audio.rate == 44100
    assert abs(audio.seconds - 2.0 / pitch) < 0.12 and not audio.notes
    middle = audio.samples[:, 20000:60000]
    assert level_at(middle[0], 440 * pitch) == pytest.approx(0.5, rel=0.08)
    assert level_at(middle[1], 660 * pitch) == pytest.approx(0.5, rel=0.08)
    assert level_at(middle[0], 660 * pitch) < 0.02


@pytest.mark.parametrize(
    ("container", "codec", "layout", "rate"),
    [
        ("ogg", "libvorbis", "5.1", 44100),
        ("ogg", "libopus", "7.1", 48000),
        ("mp4", "aac", "7.1", 48000),
        ("matroska", "pcm_f32le", "7.1", 96000),
        ("matroska", "ac3", "5.1", 48000),
        ("flac", "flac", "7.1", 96000),
        ("wav", "pcm_s24le", "6.1", 192000),
        ("mov", "pcm_s24le", "quad", 44100),
    ],
)
def test_every_channel_is_heard_on_its_side(
    container: str, codec: str, layout: str, rate: int, tmp_path: Path
) -> None:
    """A tone of its own in each channel; containers and codecs disagree about their order."""
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    tones = np.stack([tone(200 + 100 * k, 2, rate, 0.3) for k in range(len(names))], axis=1)
    audio = decode(encode_layout(tmp_path / "a.bin", container, codec, layout, rate, tones))
    assert abs(audio.seconds - 2) < 0.1
    for side, others in enumerate(("R", "L")):
        heard = [name for name in names if name != "LFE" and not name.endswith(others)]
        for k, name in enumerate(names):
            level = level_at(audio.samples[side, 22050:66150], 200 + 100 * k)
            assert level == pytest.approx(0.3 / len(heard) if name in heard else 0, abs=0.008), (side, name)


@pytest.mark.parametrize(
    ("container", "codec", "layout", "rate"),
    [
        ("mp3", "libmp3lame", "mono", 8000),
        ("mp3", "libmp3lame", "stereo", 48000),
        ("mp4", "aac", "mono", 8000),
        ("mp4", "aac", "stereo", 96000),
        ("asf", "wmav2", "mono", 22050),
        ("asf", "wmav1", "stereo", 32000),
        ("aiff", "pcm_s24be", "stereo", 192000),
        ("wav", "pcm_f64le", "mono", 192000),
        ("wav", "pcm_u8", "mono", 8000),
    ],
)
def test_rates_of_each_kind(container: str, codec: str, layout: str, rate: int, tmp_path: Path) -> None:
    channels = av.AudioLayout(layout).nb_channels
    sound = np.repeat(tone(440, 2, rate)[:, None], channels, axis=1)
    audio = decode(encode_layout(tmp_path / "a.bin", container, codec, layout, rate, sound))
    assert abs(audio.seconds - 2) < 0.2 and not audio.notes
    assert level_at(audio.samples[0, 20000:60000], 440) == pytest.approx(0.5, rel=0.08)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
def test_rates(rate: int, tmp_path: Path) -> None:
    audio = decode(write(tmp_path / "a.wav", tone(440, 2, rate), rate))
    assert audio.samples.shape[1] == pytest.approx(88200, abs=2)
    assert level_at(audio.samples[0, 10000:70000], 440) == pytest.approx(0.5, rel=0.01)


def test_mono_is_doubled(tmp_path: Path) -> None:
    samples = decode(write(tmp_path / "a.wav", tone(440, 2))).samples
    assert samples.shape[0] == 2 and np.array_equal(samples[0], samples[1])


@pytest.mark.parametrize(
    ("channels", "left", "right"),
    [(3, [0, 2], [1, 2]), (6, [0, 2, 4], [1, 2, 5]), (8, [0, 2, 4, 6], [1, 2, 5, 7])],
)
def test_surround_is_averaged(channels: int, left: list[int], right: list[int], tmp_path: Path) -> None:
    """Centre counts in both sides, the subwoofer (fourth channel) in none."""
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, (50000, channels)).astype(np.float32)
    audio = decode(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    offset = np.float32(0.005)
    np.testing.assert_allclose(audio.samples[0], samples[:, left].mean(axis=1), atol=offset)
    np.testing.assert_allclose(audio.samples[1], samples[:, right].mean(axis=1), atol=offset)
    assert audio.notes == [f"The {channels} channels were mixed down to stereo."]


def test_name_does_not_matter(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "a.txt", format="FLAC")).seconds == 2


def test_cover_art_in_front(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.mp3", format="MP3", subtype="MPEG_LAYER_III").read_bytes()
    size = 3_000_000
    tag = b"ID3\x04\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    (tmp_path / "tagged.mp3").write_bytes(tag + plain)
    assert abs(decode(tmp_path / "tagged.mp3").seconds - 2) < 0.1


# What cannot be analysed: one sentence each.


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


def wav(rate: int = 44100, channels: int = 2, bits: int = 16, data: bytes = bytes(400000)) -> bytes:
    width = channels * bits // 8
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width & 0xFFFFFFFF, width & 0xFFFF, bits
    )
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


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


# What is analysed with a note.


@pytest.mark.parametrize(
    "kind",
    [
        {"suffix": ".flac", "format": "FLAC"},
        {"suffix": ".ogg", "format": "OGG"},
        {"suffix": ".wav", "subtype": "PCM_16"},
    ],
)
def test_truncated(kind: dict[str, str], tmp_path: Path) -> None:
    how = dict(kind)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (220500, 2)).astype(np.float32)
    whole = write(tmp_path / f"a{how.pop('suffix')}", noise, **how)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    audio = decode(whole)
    assert 2.5 < audio.seconds < 3.5
    assert any("breaks off" in note for note in audio.notes)


def test_truncated_m4a_without_its_index(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.m4a", "mp4", "aac")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "damaged" in refusal(whole)


def test_silence_offset_clipping_and_level(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "s.wav", np.zeros((88200, 2), np.float32))).notes == [
        "The recording is silent."
    ]
    still = decode(write(tmp_path / "d.wav", np.full((88200, 2), 0.4, np.float32)))
    assert still.notes == ["A constant offset in the recording was removed.", "The recording is silent."]
    clipped = decode(write(tmp_path / "c.wav", np.clip(STEREO * 10, -1, 1)))
    assert any("clipped" in note for note in clipped.notes)
    for hertz in (50, 440, 5000):  # a tone at full level is no clipping
        assert not decode(write(tmp_path / "f.wav", tone(hertz, 2, level=0.999))).notes
    loud = decode(write(tmp_path / "l.wav", STEREO * 32768, subtype="FLOAT"))
    assert np.abs(loud.samples).max() == pytest.approx(1) and any(
        "over full scale" in note for note in loud.notes
    )


# Nothing else happens.


def test_a_playlist_behind_an_audio_header_opens_nothing(tmp_path: Path) -> None:
    """The child may open no file at all: a container that names another file gets no sound from it."""
    secret = write(tmp_path / "secret.wav")
    for name, content in {
        "a.mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"
        + f"file://{secret}\n".encode(),
        "b.mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00ffconcat version 1.0\nfile secret.wav\n",
        "c.ogg": b"OggS ffconcat version 1.0\nfile secret.wav\n",
    }.items():
        (tmp_path / name).write_bytes(content)
        refusal(tmp_path / name)


def test_the_child_can_open_and_start_nothing(tmp_path: Path) -> None:
    from core.audio import _decoder

    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def attempt() -> None:
        _decoder.give_up_rights({"memory_bytes": 1 << 40, "output_bytes": 1 << 20, "cpu_seconds": 10})
        refused = []
        for what in (
            lambda: (tmp_path / "x").write_text("x"),
            lambda: __import__("socket").socket(),
            lambda: os.pipe(),
        ):
            try:
                what()
            except OSError as error:
                refused.append(error.errno is not None)
        send.send(len(refused))

    child = context.Process(target=attempt)
    child.start()
    assert receive.poll(20) and receive.recv() == 3
    child.join()


def _daemon(path: Path, answer: multiprocessing.connection.Connection) -> None:  # type: ignore[name-defined]
    answer.send(decode(path).seconds)


def test_works_in_a_daemonic_child(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_daemon, args=(write(tmp_path / "a.flac"), send), daemon=True)
    child.start()
    assert receive.poll(60) and receive.recv() == 2
    child.join()


def test_works_in_threads_at_the_same_time(tmp_path: Path) -> None:
    path, seconds = write(tmp_path / "a.flac"), []
    threads = [threading.Thread(target=lambda: seconds.append(decode(path).seconds)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seconds == [2, 2, 2, 2]


def test_leaves_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac")
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(100))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        decode(path)
        refusal(tmp_path / "bad.flac")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_bytes_of_a_url_are_not_fetched() -> None:
    with pytest.raises(UserError):
        decode(Path("http://127.0.0.1:9/a.mp3"))


def test_an_interrupt_takes_the_child_along(tmp_path: Path) -> None:
    """Ctrl-C while a file is decoded ends the caller at once and leaves no process behind."""
    fifo = write(tmp_path / "long.flac", np.zeros((8000 * 3600 * 3, 1), np.int16), 8000)
    code = (
        "import sys, pathlib; from core.audio.decode import *; print('go', flush=True); "
        "decode(pathlib.Path(sys.argv[1]), DecodeLimits(max_seconds=1e9))"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, str(fifo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where tests run in the background
    )
    assert caller.stdout is not None and caller.stdout.readline() == b"go\n"
    while not (children := Path(f"/proc/{caller.pid}/task/{caller.pid}/children").read_text().split()):
        assert caller.poll() is None
    caller.send_signal(signal.SIGINT)
    assert caller.wait(20) != 0
    deadline = time.monotonic() + 30
    while _runs(int(children[0])):
        assert time.monotonic() < deadline


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
