"""What all tests share: folders of their own, and the order in which several processes run them."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent.parent
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "alone")


def in_memory() -> None:
    """Temporary files in memory, where there is room: seven hundred databases wait for the disk at each of their writes."""
    with contextlib.suppress(OSError):
        shm = os.statvfs("/dev/shm")
        if not shm.f_flag & os.ST_NOEXEC and shm.f_bavail * shm.f_frsize > 4e9:
            os.environ.setdefault("TMPDIR", "/dev/shm")
            tempfile.tempdir = None  # it is looked up again


in_memory()


def numba_cache() -> Path:
    """Where librosa's compiled functions are kept from run to run: a folder for each test process.

    Compiling them takes half a minute of processor time. Two processes that write the same new cache file at once leave one
    that crashes every later reader, so a folder that another run holds is not used.
    """
    folder = ROOT / ".pytest_cache" / f"numba-{PROCESS}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / "held").open("w")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        atexit.register(held.close)  # and until then it is held
        return folder
    own = Path(tempfile.mkdtemp(prefix="moodstem-numba-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


os.environ["NUMBA_CACHE_DIR"] = str(numba_cache())

# Tests start hundreds of processes and load the bot's cogs hundreds of times: read compiled, that takes half the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Several test processes share the cores: threads of one, waiting for each other, would take the others' time.
if PROCESS != "alone":
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class ByGroup(LoadScopeScheduling):
    """Test by test to whichever process is free, but for what belongs together (see `together`).

    pytest-xdist 3.8 writes the marks of `--dist loadgroup` into an attribute that pytest 9.2 no longer reads, so that they
    do nothing; this looks for them in the file.
    """

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid.partition("::")[0]) or nodeid


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several processes begin with what is slow, so that none is left alone with it at the end; all else comes in the
    random order that it has."""
    if PROCESS != "alone":
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@cache
def together(file: str) -> str | None:
    """What keeps the tests of a file in one process: its group, or what its module makes once (a trained model, analysed
    songs), which each process would make again."""
    text = (ROOT / file).read_text(encoding="utf-8")
    named = re.search(r'pytest\.mark\.xdist_group\("(\w+)"\)', text)
    if named:
        return named[1]
    return file if 'scope="module"' in text else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByGroup:
    return ByGroup(config, log)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with three megabytes, which fills up like any other."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system needs the right to mount one: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(folder: Path, spare: int = 0) -> Path:
    """Take the room that is left there, but for `spare` bytes; returns the file to remove again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    if spare:
        os.truncate(ballast, max(ballast.stat().st_size - spare, 0))
    return ballast
