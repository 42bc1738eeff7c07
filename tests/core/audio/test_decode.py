"""Any file gets its samples: of every kind, rate and number of channels, with a note where some are missing."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bot.words.say import say
from core.audio.decode import decode
from tests.core.audio.recordings import (
    AV_KINDS,
    SOUNDFILE_KINDS,
    STEREO,
    Floats,
    encode,
    encode_layout,
    refusal,
    write,
)
from tests.make import tone


def level_at(samples: Floats, hz: float) -> float:
    """Amplitude of one frequency in (n,) samples at 44.1 kHz."""
    phase = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / 44100)
    return float(2 * np.abs(np.mean(samples * phase)))


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
    assert [say(note) for note in audio.notes] == [f"The {channels} channels were mixed down to stereo."]


def test_name_does_not_matter(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "a.txt", format="FLAC")).seconds == 2


def test_cover_art_in_front(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.mp3", format="MP3", subtype="MPEG_LAYER_III").read_bytes()
    size = 3_000_000
    tag = b"ID3\x04\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    (tmp_path / "tagged.mp3").write_bytes(tag + plain)
    assert abs(decode(tmp_path / "tagged.mp3").seconds - 2) < 0.1


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
    assert any("breaks off" in note for note in map(say, audio.notes))


def test_truncated_m4a_without_its_index(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.m4a", "mp4", "aac")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "damaged" in refusal(whole)


def test_silence_offset_clipping_and_level(tmp_path: Path) -> None:
    assert [
        say(note) for note in decode(write(tmp_path / "s.wav", np.zeros((88200, 2), np.float32))).notes
    ] == ["The recording is silent."]
    still = decode(write(tmp_path / "d.wav", np.full((88200, 2), 0.4, np.float32)))
    assert [say(note) for note in still.notes] == [
        "A constant offset in the recording was removed.",
        "The recording is silent.",
    ]
    clipped = decode(write(tmp_path / "c.wav", np.clip(STEREO * 10, -1, 1)))
    assert any("clipped" in note for note in map(say, clipped.notes))
    for hertz in (50, 440, 5000):  # a tone at full level is no clipping
        assert not decode(write(tmp_path / "f.wav", tone(hertz, 2, level=0.999))).notes
    loud = decode(write(tmp_path / "l.wav", STEREO * 32768, subtype="FLOAT"))
    assert np.abs(loud.samples).max() == pytest.approx(1) and any(
        "over full scale" in note for note in map(say, loud.notes)
    )
