"""While a file is decoded nothing else happens: nothing is opened, started, fetched or left behind."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from core.audio.decode import decode
from core.errors import UserError
from tests.core.audio.recordings import (
    refusal,
    write,
)


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


def _attempt_everything(folder: Path, answer: multiprocessing.connection.Connection) -> None:  # type: ignore[name-defined]
    """Give up all rights, then try what whoever took over a decoder would try; answer what was missing and what went well."""
    from core.audio import decoder_child

    libc = ctypes.CDLL(None, use_errno=True)
    x86, parent, database = os.uname().machine == "x86_64", os.getppid(), folder / "moodstem.db"

    def call(number: int, *arguments: object) -> None:
        if libc.syscall(number, *arguments) < 0:
            raise OSError(ctypes.get_errno(), "refused")

    attempts = {
        "open": lambda: database.read_text(),
        "write": lambda: (folder / "x").write_text("x"),
        "truncate": lambda: os.truncate(database, 0),
        "unlink": lambda: database.unlink(),
        "rename": lambda: database.rename(folder / "y"),
        "chmod": lambda: folder.chmod(0o777),
        "mkdir": lambda: (folder / "d").mkdir(),
        "symlink": lambda: (folder / "s").symlink_to("/etc"),
        "stat": lambda: database.stat(),
        "socket": lambda: socket.socket(),
        "pipe": lambda: os.pipe(),
        "fork": lambda: os.fork() or os._exit(0),
        "kill": lambda: os.kill(parent, 0),
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "ptrace": lambda: call(101 if x86 else 117, 16, parent, 0, 0),
        "readv": lambda: call(310 if x86 else 270, parent, 0, 0, 0, 0, 0),
    }
    missing = decoder_child.give_up_rights(
        {"memory_bytes": 1 << 40, "output_bytes": 1 << 20, "cpu_seconds": 10}
    )
    went_well = []
    for name, what in attempts.items():
        try:
            what()
            went_well.append(name)
        except OSError:
            continue
    answer.send((missing, went_well))


def test_the_child_can_do_nothing_but_compute(tmp_path: Path) -> None:
    """Whatever took over a decoder: it reaches no file, process, network or memory of others, also as root."""
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("the filter of system calls is written for x86-64 and ARM64")
    (tmp_path / "moodstem.db").write_text("everything")
    # A fork would inherit what other tests' libraries do at a fork.
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_attempt_everything, args=(tmp_path, send))
    child.start()
    assert receive.poll(60)
    missing, went_well = receive.recv()
    child.join()
    assert "seccomp" not in missing and went_well == []
    assert (tmp_path / "moodstem.db").read_text() == "everything"


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
