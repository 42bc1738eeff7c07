"""What all tests share: where real data lies, and folders of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
