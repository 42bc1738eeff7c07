"""Any audio file to 44.1 kHz stereo float32, in a child process that can do no harm.

What comes from users is parsed only in that child (`decoder_child.py`): libsndfile in blocks for WAV, FLAC, Ogg, MP3 and
AIFF, FFmpeg's libraries through PyAV for the rest (m4a, wma, video containers). The kind of file is told by its first
bytes from a fixed list, never by its name, and the demuxer is forced, so that a playlist renamed to .mp3 opens nothing.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.audio.sandbox import command, needed_environment
from core.audio.types import Samples
from core.errors import Fact, Refusal, fact

RATE, MAX_RATE = 44100, 192_000
MOST_TAGS, MOST_COMMENT_BYTES = 8, 1 << 20
"""ID3 tags before the sound, and bytes of Vorbis comments (a picture is none): beyond, a file is made to cost time."""

_DISK_FULL = 28  # the child's exit code then


@dataclass(frozen=True)
class DecodeLimits:
    """What one file may cost; the defaults suit uploads of a Discord server (whose size `upload_mb` limits before)."""

    max_seconds: float = 600.0
    max_bytes: int = 500_000_000
    memory_bytes: int = 1 << 30
    cpu_seconds: int = 60
    wall_seconds: float = 60.0


@dataclass(frozen=True)
class Audio:
    """Decoded audio: `samples` (2, n) float32 at `rate` Hz, full scale +-1; `notes` for the user."""

    samples: Samples
    rate: int = RATE
    notes: list[Fact] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return float(self.samples.shape[1] / self.rate)


_SOUNDFILE = ""  # libsndfile finds the container itself, from its own short list
_MAGIC: tuple[tuple[int, bytes, tuple[str, ...]], ...] = (  # offset, bytes, what to try in order
    (0, b"fLaC", (_SOUNDFILE, "flac")),
    (0, b"OggS", (_SOUNDFILE, "ogg")),
    (0, b"RF64", (_SOUNDFILE, "wav")),
    (0, b"FORM", (_SOUNDFILE, "aiff")),
    (4, b"ftyp", ("mov",)),
    (4, b"moov", ("mov",)),
    (4, b"mdat", ("mov",)),
    (4, b"wide", ("mov",)),
    (0, b"\x1a\x45\xdf\xa3", ("matroska",)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ("asf",)),
    (0, b"FLV\x01", ("flv",)),
    (0, b"\x00\x00\x01\xba", ("mpeg",)),
    (0, b"wvpk", ("wv",)),
    (0, b"MAC ", ("ape",)),
    (0, b"TTA1", ("tta",)),
    (0, b"caff", ("caf",)),
    (0, b"#!AMR", ("amr",)),
    (0, b"DSD ", ("dsf",)),
    (0, b".snd", ("au",)),
)


def sniff(head: bytes) -> tuple[str, ...]:
    """Return the formats to try for a file that begins with `head` (after any ID3v2 tag): '' is libsndfile, else a PyAV
    demuxer."""
    if head[:4] == b"RIFF":
        kind = head[8:12]
        return (_SOUNDFILE, "wav") if kind == b"WAVE" else ("avi",) if kind == b"AVI " else ()
    for offset, magic, ways in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return ways
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return ("mpegts",)
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return ("aac",) if head[1] & 0xF6 == 0xF0 else (_SOUNDFILE, "mp3")
    return ()


def _head(file: IO[bytes]) -> tuple[bytes, bool]:
    """The first bytes behind any ID3v2 tags, and whether there was a tag."""
    position = 0
    for _ in range(MOST_TAGS):
        file.seek(position)
        head = file.read(512)
        if head[:3] != b"ID3" or len(head) < 10:
            return head, position > 0
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        position += 10 + size + (10 if head[5] & 0x10 else 0)
    return b"", False


def _comments_cost_too_much(file: IO[bytes], head: bytes) -> bool:
    """Whether a FLAC file has more Vorbis comments than libsndfile reads in reasonable time (a minute for a million)."""
    if head[:4] != b"fLaC":
        return False
    file.seek(4)
    while len(header := file.read(4)) == 4:
        size = int.from_bytes(header[1:], "big")
        if header[0] & 0x7F == 4 and size > MOST_COMMENT_BYTES:
            return True
        if header[0] & 0x80:
            return False
        file.seek(size, os.SEEK_CUR)
    return False


def _breaks_off(file: IO[bytes], head: bytes, size: int) -> bool:
    """Whether the container itself says that its end is missing; decoders pass over that in silence."""
    if head[:4] == b"RIFF":
        claimed = int.from_bytes(head[4:8], "little")
        never_closed = claimed == 0xFFFFFFFF  # a stream, which claims the maximum
        return not never_closed and claimed + 8 > size + 1
    if head[:4] == b"OggS":
        file.seek(max(0, size - 66_000))
        tail = file.read()
        last = tail.rfind(b"OggS")
        return last < 0 or last + 6 > len(tail) or not tail[last + 5] & 4  # the flag of a stream's last page
    return False


def decode(path: Path, limits: DecodeLimits = DecodeLimits(), rate: int | None = RATE) -> Audio:
    """Decode one file to stereo at 44.1 kHz, or at another `rate`; None keeps the file's own.

    Mono is doubled; of more channels each side is the mean of its group (centre in both, no subwoofer). Raises
    Refusal when there is nothing to analyse. Blocks for about 0.2 s plus 1 ms for each second of
    audio; an interrupt (KeyboardInterrupt, a cancelled thread) takes the child with it. OSError (ENOSPC) when there
    is no room for the decoded audio: not the file's fault.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refusal("file-not-opened") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise Refusal("file-empty")
        if size > limits.max_bytes:
            raise Refusal("file-too-large", size=size / 1e6, allowed=limits.max_bytes / 1e6)
        head, tagged = _head(file)
        ways = sniff(head) or ((_SOUNDFILE, "mp3") if tagged else ())
        if not ways:
            raise Refusal("not-audio")
        if _comments_cost_too_much(file, head):
            raise _refusal({"error": "tags"}, limits)
        broken = _breaks_off(file, head, size)
        for way in ways:
            samples, answer = _run_child(file, way, limits, rate)
            if answer.get("error") != "unreadable":
                break
    if "error" in answer:
        raise _refusal(answer, limits)
    return _finish(samples, rate or answer["rate"], {**answer, "truncated": answer["truncated"] or broken})


def _run_child(
    file: IO[bytes], way: str, limits: DecodeLimits, rate: int | None
) -> tuple[Samples, dict[str, Any]]:
    """One attempt in a fresh process; the samples as the child wrote them, and its answer."""
    output_bytes = int((limits.max_seconds + 1) * (rate or MAX_RATE) * 8) + (1 << 20)
    order = command(
        limits.memory_bytes,
        limits.cpu_seconds,
        output_bytes,
        format=way,
        rate=rate,
        max_seconds=limits.max_seconds,
    )
    nothing = np.zeros((2, 0), np.float32)
    file.seek(0)
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            order,
            stdin=file.fileno(),
            stdout=out.fileno(),
            stderr=subprocess.DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **needed_environment()},
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        try:
            code = child.wait(limits.wall_seconds)
        except subprocess.TimeoutExpired:
            return nothing, {"error": "time"}
        finally:
            _kill(child)
        if code == _DISK_FULL:
            raise OSError(errno.ENOSPC, "No space left on device", tempfile.gettempdir())
        if code != 0:
            return nothing, {"error": "time" if code == -signal.SIGXCPU else "crash"}
        out.seek(0, os.SEEK_END)
        end = out.tell()
        out.seek(max(0, end - 8))
        length = int.from_bytes(out.read(8), "little")
        if not 0 < length <= min(65536, end - 8):
            return nothing, {"error": "crash"}
        out.seek(end - 8 - length)
        answer = json.loads(out.read(length))
        if "error" in answer:
            return nothing, answer
        out.seek(0)
        samples = np.fromfile(out, np.float32, count=(end - 8 - length) // 8 * 2)
        return np.ascontiguousarray(samples.reshape(-1, 2).T), answer


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError, AttributeError):
            child.kill()
        child.wait()


REFUSALS = {
    "too_long": "recording-too-long",
    "too_short": "recording-too-short",
    "not_finite": "recording-not-finite",
    "rate": "sample-rate",
    "channels": "too-many-channels",
    "no_audio": "no-sound-track",
    "memory": "decoding-memory",
    "time": "decoding-time",
    "tags": "tags-too-long",
    "damaged": "recording-damaged",
}
"""The child's answers and the refusals' codes."""


def _refusal(answer: dict[str, Any], limits: DecodeLimits) -> Refusal:
    detail = answer.get("detail")
    return Refusal(
        REFUSALS.get(str(answer.get("error")), REFUSALS["damaged"]),
        number=detail if isinstance(detail, int | float) else 0.0,
        minutes=limits.max_seconds / 60,
    )


def _finish(samples: Samples, rate: int, answer: dict[str, Any]) -> Audio:
    """What the whole recording tells: offset, level, clipping, silence."""
    notes = []
    if answer["truncated"]:
        notes.append(fact("breaks-off", seconds=samples.shape[1] / rate))
    if answer["channels"] > 2:
        notes.append(fact("mixed-down", channels=answer["channels"]))
    peak = float(np.abs(samples).max())
    if peak > 8:  # float files may exceed full scale a little; this one is scaled like integers
        samples = samples / np.float32(peak)
        notes.append(fact("brought-down", over=20 * math.log10(peak)))
        peak = 1.0
    offset = samples.mean(axis=1, dtype=np.float64)
    if np.abs(offset).max() > 0.005:
        samples = samples - offset.astype(np.float32)[:, None]
        notes.append(fact("offset-removed"))
        peak = float(np.abs(samples).max())
    if peak < 1e-4:
        notes.append(fact("silent"))
    elif peak > 0.5:
        level = np.abs(samples)
        at_top, near = float(np.mean(level >= 0.999 * peak)), float(np.mean(level >= 0.99 * peak))
        # A pure tone is often near its peak, too, but rounds off.
        if at_top > 0.01 and at_top > near - at_top:
            notes.append(fact("clipped", share=at_top))
    return Audio(samples, rate, notes)
