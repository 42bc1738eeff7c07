"""Folders: what lies where below the data folder, and whether one can be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal


def access_to(folder: Path) -> Literal["open", "closed", "inside a closed one", "missing"]:
    """Whether we may list and enter it: mounted from elsewhere or into a container, a folder may be there and closed."""
    try:
        if not folder.is_dir():
            return "missing"
    except PermissionError:
        return "inside a closed one"
    return "open" if os.access(folder, os.R_OK | os.X_OK) else "closed"


class DataFolder:
    """Where things lie in the data folder. The settings inherit from it, and what a worker is told of them."""

    def __init__(self, data: Path) -> None:
        self.data = data

    @property
    def database(self) -> Path:
        return self.data / "moodstem.db"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def pictures(self) -> Path:
        return self.data / "pictures"

    @property
    def previews(self) -> Path:
        return self.data / "previews"

    @property
    def stems(self) -> Path:
        return self.data / "stems"

    @property
    def backups(self) -> Path:
        return self.data / "backups"
