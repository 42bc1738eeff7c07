"""Recordings of every kind that the tests decode, and what is said of those that cannot be."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bot.words.say import say
from core.audio.decode import DecodeLimits, decode
from core.errors import UserError
from tests.make import tone

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
    sentence = say(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and str(path.parent) not in sentence
    return sentence


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


def wav(rate: int = 44100, channels: int = 2, bits: int = 16, data: bytes = bytes(400000)) -> bytes:
    width = channels * bits // 8
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width & 0xFFFFFFFF, width & 0xFFFF, bits
    )
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body
