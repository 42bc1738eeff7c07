"""What all tests share: where real data lies, and folders of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# librosa's compiled functions are cached on disk; in a new environment two test processes that write the same cache
# file at once leave one that crashes every later reader.
NUMBA_CACHE = tempfile.mkdtemp(prefix="moodstem-numba-")
os.environ["NUMBA_CACHE_DIR"] = NUMBA_CACHE
atexit.register(shutil.rmtree, NUMBA_CACHE, ignore_errors=True)

ROOT = Path(__file__).resolve().parent.parent


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
