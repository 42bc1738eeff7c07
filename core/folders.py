"""Folders: what lies where below the data folder, and whether one can be read or written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from core.errors import UserError


def whoever() -> str:
    """Who runs this, by number: in a container that user has another name outside, or none."""
    return f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"


def access_to(folder: Path) -> Literal["open", "closed", "inside a closed one", "missing"]:
    """Whether we may list and enter it: mounted from elsewhere or into a container, a folder may be there and closed."""
    try:
        if not folder.is_dir():
            return "missing"
    except PermissionError:
        return "inside a closed one"
    return "open" if os.access(folder, os.R_OK | os.X_OK) else "closed"


def advice_on(folder: Path) -> str:
    """Return what an operator must do before we can list and enter a folder; "" if we can."""
    return {
        "open": "",
        "closed": f"let {whoever()} read it",
        "inside a closed one": f"let {whoever()} into what it lies in",
        "missing": "it is not there",
    }[access_to(folder)]


def make_folder(folder: Path) -> None:
    """Make the data folder where it is absent, for its owner alone. Raises UserError if it cannot be made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The data folder {folder} cannot be made ({error.strerror}): let {whoever()} write to what it lies in, or name"
            " another one by --data or MOODSTEM_DATA."
        ) from error


def writable(folder: Path) -> str:
    """Return how an operator makes a data folder writable for us, and what is in it."""
    return (
        f"make it writable for {whoever()}, by `chown -R {os.getuid()} {folder.absolute()}` if it is theirs"
    )


def replace_file(file: Path, text: str, mode: int) -> None:
    """Write all of a file or nothing, with these permissions from the start. Raises OSError."""
    file = file.resolve()
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, suffix=".part", delete=False, encoding="utf-8"
    ) as opened:  # only its owner can read it
        part = Path(opened.name)
        try:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
            part.chmod(mode)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


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
