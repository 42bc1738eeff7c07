"""The sandboxed child of `core.audio.decode` and `core.audio.sandbox`: what strangers send is on its standard input, and
samples, or what a task returns, go to its standard output.

Run as a script (`python -I decoder_child.py {json}`), never imported by the rest of Moodstem: to decode, it imports
nothing of it, so that it starts within 0.2 s. Before the first byte is parsed the process gives up what it does not need
(`give_up_rights`): from then on it can read standard input, write its answer and use memory and time up to its limits. On
Linux, seccomp refuses every other system call (no file, socket, process, signal, or other process' memory) and Landlock
every path; elsewhere only the limits hold (RLIMIT_NOFILE 0 leaves the descriptors that are open and refuses new ones).

Output of decoding: float32 samples, interleaved stereo at the rate asked for (null: the file's own), then a JSON
document, then its length as 8 bytes little endian.
"""

from __future__ import annotations

import codecs
import errno
import importlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

# A task needs no numbers, and half the time without.
if __name__ != "__main__" or '"task"' not in sys.argv[-1]:
    import numpy as np
    import numpy.typing as npt
    import soxr

    Samples = npt.NDArray[np.float32]

BLOCK = 1 << 13  # a block in which the file breaks off is lost
MIN_RATE, MAX_RATE, MAX_CHANNELS = 8_000, 192_000, 8
SOUNDFILE_FORMATS = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "AIFF"}
# no ADPCM: CVEs
SOUNDFILE_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_", "ULAW", "ALAW")
LEFT = {"FL", "FLC", "BL", "SL", "TFL", "TBL", "WL", "DL", "TSL"}
RIGHT = {"FR", "FRC", "BR", "SR", "TFR", "TBR", "WR", "DR", "TSR"}
UNHEARD = {"LFE", "LFE2"}
WAVE_ORDER = {  # the order of WAVE_FORMAT_EXTENSIBLE and FLAC for each number of channels
    1: ["FC"],
    2: ["FL", "FR"],
    3: ["FL", "FR", "FC"],
    4: ["FL", "FR", "BL", "BR"],
    5: ["FL", "FR", "FC", "BL", "BR"],
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    7: ["FL", "FR", "FC", "LFE", "BC", "SL", "SR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}

DISK_FULL = 28
"""The exit code that says so: the answer could not be written either."""


class Refused(Exception):  # noqa: N818 - an answer, not an accident
    """The file gets no samples; args: a code that `core.audio.decode` turns into a sentence, and its details."""


def give_up_rights(limits: dict[str, Any]) -> list[str]:
    """Give up for good what decoding does not need; returns what this system could not take ('seccomp', 'landlock')."""
    missing = []
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, without which the kernel takes no filter
        libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: do not outlive the parent
        if os.getppid() != limits.get("parent", os.getppid()):
            os._exit(1)  # it was gone before we asked
        import resource  # noqa: F401 - before the process loses the right to open files

        if not forbid_paths(libc):
            missing.append("landlock")
        limit_resources(limits)
        if not forbid_calls(libc):
            missing.append("seccomp")
    else:
        limit_resources(limits)
        missing = ["landlock", "seccomp"]
    return missing


def limit_resources(limits: dict[str, Any]) -> None:
    """Set hard limits; on systems without them the time limit of the parent is what remains."""
    try:
        import resource
    except ImportError:
        return
    memory, output = int(limits["memory_bytes"]), int(limits["output_bytes"])
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: int(limits["cpu_seconds"]),
        resource.RLIMIT_FSIZE: output,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    if sys.platform == "linux":
        wanted[resource.RLIMIT_NPROC] = 0
    for limit, value in wanted.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            continue


def forbid_paths(libc: Any) -> bool:
    """Forbid every access to the file system by path, by an empty Landlock ruleset (Linux 5.13); False where there is none."""
    import ctypes

    create, restrict, version = 444, 446, 1  # system calls, the same on all architectures
    abi = libc.syscall(create, None, 0, version)
    if abi < 1:
        return False
    # What the kernel's version knows: access to files (13 kinds, then refer, truncate, ioctl), to the network, and scopes.
    files = (1 << (13 if abi == 1 else 14 if abi == 2 else 15 if abi < 5 else 16)) - 1
    attributes = (ctypes.c_uint64 * 3)(files, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(create, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    done = libc.syscall(restrict, ruleset, 0) == 0
    os.close(ruleset)
    return bool(done)


def forbid_calls(libc: Any) -> bool:
    """Refuse (EPERM) all system calls but ALLOWED_CALLS, by seccomp; False where the kernel or the machine is another."""
    import ctypes
    import errno

    column = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine)
    if column is None:
        return False
    allowed = [numbers[column] for numbers in ALLOWED_CALLS.values()]
    architecture = (0xC000003E, 0xC00000B7)[column]
    load, jump_if_equal, give_back = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 4),  # the architecture
        (jump_if_equal, 1, 0, architecture),
        (give_back, 0, 0, 0x80000000),  # another: SECCOMP_RET_KILL_PROCESS
        (load, 0, 0, 0),  # the call's number
        *((jump_if_equal, len(allowed) - place, 0, number) for place, number in enumerate(allowed)),
        (give_back, 0, 0, 0x00050000 | errno.EPERM),  # SECCOMP_RET_ERRNO
        (give_back, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    ]
    code = b"".join(
        operation.to_bytes(2, sys.byteorder) + bytes((then, otherwise)) + value.to_bytes(4, sys.byteorder)
        for operation, then, otherwise, value in steps
    )
    instructions = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    program = Program(len(steps), ctypes.addressof(instructions))
    filter_mode = 2
    return bool(libc.prctl(22, filter_mode, ctypes.byref(program), 0, 0) == 0)


ALLOWED_CALLS = {  # name: (number on x86-64, on ARM64)
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93),
    "gettimeofday": (96, 169), "getrusage": (98, 165), "times": (100, 153), "sigaltstack": (131, 132), "gettid": (186, 178),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "getrandom": (318, 278), "rseq": (334, 293),
}  # fmt: skip
"""What decoding needs once everything is loaded: descriptors that are open, memory, time, and the end."""


def stereo_matrix(names: list[str]) -> Samples:
    """(2, channels): each side is the mean of its group; centre channels count in both, the subwoofer in none.

    A mean, not the power-preserving 1/sqrt(2) of other tools, so that all decoders agree and nothing can clip.
    """
    sides = np.zeros((2, len(names)), np.float32)
    for column, name in enumerate(names):
        if name in UNHEARD and len(names) > 1:
            continue
        sides[0, column] = name not in RIGHT
        sides[1, column] = name not in LEFT
    return np.asarray(sides / np.maximum(sides.sum(axis=1, keepdims=True), 1), np.float32)


class Writer:
    """Checks, mixes down, resamples and writes blocks; keeps count of what really came."""

    def __init__(self, file: Any, rate: int, names: list[str], limits: dict[str, Any]) -> None:
        if not MIN_RATE <= rate <= MAX_RATE:
            raise Refused("rate", rate)
        if not 1 <= len(names) <= MAX_CHANNELS:
            raise Refused("channels", len(names))
        self.file, self.rate, self.channels = file, rate, len(names)
        self.matrix = stereo_matrix(names)
        self.max_frames = int(limits["max_seconds"] * rate)
        self.frames = 0
        wanted = limits.get("rate") or rate
        self.resampler = soxr.ResampleStream(rate, wanted, 2, dtype="float32") if rate != wanted else None

    def add(self, block: Samples) -> None:
        """block: (frames, channels), float32."""
        self.frames += len(block)
        if self.frames > self.max_frames:
            raise Refused("too_long", self.max_frames / self.rate)
        if not np.isfinite(block).all():
            raise Refused("not_finite")
        stereo = block if self.channels == 2 and self.matrix[0, 1] == 0 else block @ self.matrix.T
        self._write(self.resampler.resample_chunk(stereo, last=False) if self.resampler else stereo)

    def close(self) -> None:
        if self.resampler:
            self._write(self.resampler.resample_chunk(np.zeros((0, 2), np.float32), last=True))

    def answer(self, truncated: bool) -> dict[str, Any]:
        return {"frames": self.frames, "rate": self.rate, "channels": self.channels, "truncated": truncated}

    def _write(self, stereo: Samples) -> None:
        self.file.write(np.ascontiguousarray(stereo, np.float32).data)


def decode_soundfile(file: Any, out: Any, limits: dict[str, Any]) -> dict[str, Any]:
    """libsndfile, in blocks. A file that breaks off is kept up to there; the header's length is never trusted."""
    import soundfile

    try:
        sound = soundfile.SoundFile(file)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise Refused("unreadable", str(error)) from error
    if sound.format not in SOUNDFILE_FORMATS or not sound.subtype.startswith(SOUNDFILE_SUBTYPES):
        raise Refused("unreadable", f"{sound.format} {sound.subtype}")
    if sound.format == "OGG" and sound.channels > 2:
        raise Refused("unreadable", "the channels' order")  # Vorbis has one of its own, which FFmpeg knows
    names = WAVE_ORDER.get(sound.channels, [""] * sound.channels)
    writer = Writer(out, sound.samplerate, names, limits)
    broken = False
    while True:
        try:
            block = sound.read(BLOCK, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            broken = True
            break
        if not len(block):
            break
        writer.add(block)
    writer.close()
    missing = sound.frames - writer.frames
    broken = broken or (missing > max(writer.rate, 0.02 * sound.frames) and sound.frames < 1 << 62)
    return writer.answer(broken)


def decode_av(file: Any, out: Any, limits: dict[str, Any]) -> dict[str, Any]:
    """FFmpeg's libraries through PyAV: one fixed demuxer, no protocol at all, the first audio stream only."""
    import av

    options = {"protocol_whitelist": "", "format_whitelist": limits["format"], "enable_drefs": "0"}
    try:
        # not options=, which PyAV 16 copies for each stream into an array that it makes too small for FLV (a crash)
        container = av.open(
            file, format=limits["format"], container_options=options, metadata_errors="ignore"
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise Refused("unreadable", str(error)) from error
    if not container.streams.audio:
        raise Refused("no_audio")
    stream = container.streams.audio[0]
    stream.thread_type = "NONE"
    writer: Writer | None = None
    convert = av.AudioResampler(format="flt")  # interleaved: PyAV 16 cannot hand out eight planes
    packets = damaged = 0
    for packet in _packets(container, stream):
        if packet is None:
            damaged += 1
            break
        packets += 1
        try:
            frames = packet.decode()
            blocks = [piece for frame in frames for piece in convert.resample(frame)]
        except (av.error.FFmpegError, ValueError):
            damaged += 1
            if damaged > 50 and damaged * 2 > packets:
                break
            continue
        for frame in blocks:
            if writer is None:
                names = [channel.name for channel in frame.layout.channels]
                if not LEFT.intersection(names):  # the container does not say
                    names = WAVE_ORDER.get(len(names), names)
                writer = Writer(out, frame.sample_rate, names, limits)
            writer.add(frame.to_ndarray().reshape(-1, writer.channels))
    if writer is None:
        raise Refused("unreadable", "no frame could be decoded")
    writer.close()
    expected = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    short = expected - writer.frames / writer.rate > max(0.5, 0.02 * expected)
    return writer.answer(bool(damaged or short))


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of `stream`; None, then the end, where the container breaks off."""
    import av

    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, ValueError):
        yield None


def decode(file: Any, out: Any, limits: dict[str, Any]) -> dict[str, Any]:
    """Decode `file` to `out`; always answers, with `error` where nothing could be had."""
    try:
        answer = (decode_av if limits.get("format") else decode_soundfile)(file, out, limits)
    except Refused as refused:
        return {"error": refused.args[0], "detail": refused.args[1] if len(refused.args) > 1 else None}
    except MemoryError:
        return {"error": "memory", "detail": None}
    if answer["frames"] < answer["rate"]:
        return {"error": "too_short", "detail": answer["frames"] / answer["rate"]}
    return answer


ENCODINGS = ("latin-1", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso8859-2", "iso8859-15", "koi8-r")
"""Those that files name, and those of Windows; Python loads each when it is first asked for."""


def do_task(limits: dict[str, Any]) -> None:
    """Answer with what 'module:function' returns for standard input, as JSON, or what the sandbox lacks; and end.

    Whatever is raised ends the process without an answer.
    """
    sys.path.insert(0, limits["code"])
    for encoding in (*ENCODINGS, *(f"cp125{number}" for number in range(9))):
        codecs.lookup(encoding)
    module, _, name = limits["task"].partition(":")
    read = getattr(importlib.import_module(module), name) if name else None
    missing = give_up_rights(limits)
    answer = read(os.fdopen(0, "rb", closefd=False)) if read else missing
    with os.fdopen(1, "wb", closefd=False) as out:
        out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
    os._exit(0)


def import_all_of_av() -> None:
    """PyAV imports some of its modules only when a stream of their kind turns up; then it is too late."""
    import importlib
    import pkgutil

    import av

    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith(("__main__", "datasets")):
            importlib.import_module(module.name)


def main() -> None:
    limits = json.loads(sys.argv[1])
    if "task" in limits:
        do_task(limits)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up between the samples
    if limits.get("format"):
        import_all_of_av()
        file: Any = os.fdopen(0, "rb", closefd=False)
    else:
        import soundfile  # noqa: F401 - before the process loses the right to open files

        file = 0
    give_up_rights(limits)
    try:
        answer = json.dumps(decode(file, out, limits)).encode()
        out.write(answer + len(answer).to_bytes(8, "little"))
        out.flush()
    except OSError as error:
        os._exit(DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1)
    os._exit(0)  # nothing to clean up, and no destructor of a half-open decoder to trust


if __name__ == "__main__":
    main()
