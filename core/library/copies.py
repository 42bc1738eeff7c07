"""Copies of the database in the folder of backups: how one is written, and those that no backup run made.

`replaced-<UTC time>.db` is what a restore put aside, `schema-<number>-<UTC time>.db` what was there before a migration.
They go when the oldest backup that is kept is younger than they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from core.errors import UserError


def stamp(now: float | None = None) -> str:
    """Return the time as names of copies end with it."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))


def other_copies(folder: Path) -> list[Path]:
    """Return the copies in the folder that are no backups, oldest first; those that were cut off, too."""
    found = [path for pattern in ("replaced-*.db", "schema-*.db", "*.part") for path in folder.glob(pattern)]
    return sorted(found, key=stamp_of)


def stamp_of(path: Path) -> str:
    """Return the time in the name of a backup or copy; "" where there is none."""
    found = re.search(r"\d{8}-\d{6}", path.name)
    return found[0] if found else ""


def write_copy(source: Path, target: Path, check: Callable[[Path], None] = lambda part: None) -> None:
    """Write a copy while others go on writing; it appears under its name only when it is complete, on disk, and `check`
    raised nothing. Raises UserError when it cannot be written."""
    part = target.with_suffix(f".{uuid4().hex}.part")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(source, timeout=10)) as connection:
            connection.execute("VACUUM INTO ?", [str(part)])  # a plain copy of the file would miss the log
        check(part)
        sync(part)
        part.replace(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise UserError(
            f"The backup could not be written to {target.parent} ({error}): check its space and permissions."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def copy_from_before(database: Path, version: int) -> Path | None:
    """Return the youngest copy of the database that a Moodstem which knows this schema can use."""
    found = [path for path in other_copies(database.parent / "backups") if path.match("schema-*.db")]
    return next((path for path in found[::-1] if int(path.name.split("-")[1]) <= version), None)


def sync(path: Path) -> None:
    """Have a file, or a folder's entries, on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
