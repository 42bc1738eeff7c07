"""What all tests share: where real data lies, and folders of their own."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# librosa's compiled functions are cached on disk; in a new environment two test processes that write the same cache
# file at once leave one that crashes every later reader.
NUMBA_CACHE = tempfile.mkdtemp(prefix="moodstem-numba-")
os.environ["NUMBA_CACHE_DIR"] = NUMBA_CACHE
atexit.register(shutil.rmtree, NUMBA_CACHE, ignore_errors=True)

ROOT = Path(__file__).resolve().parent.parent


class ByGroup(LoadScopeScheduling):
    """Test by test to whichever process is free, but for what belongs together (see `together`).

    pytest-xdist 3.8 writes the marks of `--dist loadgroup` into an attribute that pytest 9.2 no longer reads, so that they
    do nothing; this looks for them in the file.
    """

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid.partition("::")[0]) or nodeid


@cache
def together(file: str) -> str | None:
    """What keeps the tests of a file in one process: its group, or what its module makes once (a trained model, analysed
    songs), which each process would make again."""
    text = (ROOT / file).read_text(encoding="utf-8")
    named = re.search(r'pytestmark = pytest.mark.xdist_group\("(\w+)"\)', text)
    if named:
        return named[1]
    return file if 'scope="module"' in text else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByGroup:
    return ByGroup(config, log)


def shared_folder() -> Path | None:
    """Real music for development and CI; users do not have it."""
    folder = Path(os.environ.get("MOODSTEM_SHARED", ROOT.parent / "shared"))
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = shared_folder()
    if folder is None:
        pytest.skip("real recordings are not here: set MOODSTEM_SHARED to the folder that holds data/")
    return folder / "data"


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
