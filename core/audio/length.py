"""How long a file probably plays, from its first bytes and its size: for the queue's fair order and the time that is left."""

from __future__ import annotations

from pathlib import Path

_COMPRESSED = 24_000
"""Bytes per second of mp3, ogg, opus and m4a as people share them (192 kbit/s)."""
_MOST_PER_SECOND = 2 * 44_100 * 2
"""Bytes per second of a CD, beyond which a header is not believed: what is finer takes longer to decode as well."""
_LONGEST = 24 * 3600.0


def probable_seconds(path: Path) -> float:
    """Return seconds, from 1 to a day. WAV and FLAC say it in their headers; the rest is guessed from the size.

    A header that claims less than its file could hold is not believed: a large file takes time, whatever it says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
    return min(max(_seconds(head, size), size / _MOST_PER_SECOND, 1.0), _LONGEST)


def _seconds(head: bytes, size: int) -> float:
    if head[:4] == b"RIFF" and head[12:16] == b"fmt " and len(head) >= 32:
        rate = int.from_bytes(head[28:32], "little")
        return size / rate if rate else 0.0
    if head[:4] == b"fLaC" and len(head) >= 26:
        packed = int.from_bytes(head[18:26], "big")  # 20 bits rate, 3 channels, 5 depth, 36 samples
        rate, samples = packed >> 44, packed & (1 << 36) - 1
        if rate and samples:
            return samples / rate
        return size / (4 * _COMPRESSED)
    return size / _COMPRESSED
