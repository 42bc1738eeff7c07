"""Sound into files to send: FLAC where nothing may be lost, Ogg Vorbis where it must be small."""

from __future__ import annotations

import io

import soundfile

from core.audio.types import Samples


def flac(samples: Samples, rate: int) -> bytes:
    """Return (channels, n) at full scale +-1 as FLAC of 16 bits; louder samples are clipped."""
    return _encode(samples, rate, "FLAC", "PCM_16")


def vorbis(samples: Samples, rate: int) -> bytes:
    """Return (channels, n) as Ogg Vorbis of libsndfile's usual quality, about 110 kbit/s in stereo."""
    return _encode(samples, rate, "OGG", "VORBIS")


def _encode(samples: Samples, rate: int, form: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=rate, channels=samples.shape[0], format=form, subtype=subtype
    ) as file:
        for start in range(0, samples.shape[1], rate):  # libsndfile overflows its stack on long Vorbis writes
            file.write(samples[:, start : start + rate].T)
    return buffer.getvalue()
