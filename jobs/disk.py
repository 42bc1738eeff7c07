"""Measure the disk space of the data folder and keep it within a budget."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from core.folders import DataFolder
from core.library.backup import backups
from core.library.database import Database
from jobs.files import files_in_use

log = logging.getLogger(__name__)

FOLDERS = ("uploads", "pictures", "previews", "stems", "backups")
"""The folders that the budget counts; not the database, of which nothing may be deleted to save space."""

ARRIVING_S = 900.0
"""Files younger than this are kept: the row that names them may not be written yet."""


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    changed_at: float


def usage(data: Path) -> dict[str, int]:
    """Return the bytes that each folder takes on disk."""
    return {name: sum(file.size for file in _files(data / name)) for name in FOLDERS}


async def keep_within(
    database: Database, data: Path, budget: int, *, now: float | None = None
) -> dict[str, int]:
    """Remove the oldest files until at most `budget` bytes are left; return the bytes removed from each folder.

    Files of waiting and running jobs, new files and the newest backup stay.
    """
    needed = await files_in_use(database, DataFolder(data))
    return await asyncio.to_thread(_keep_within, data, budget, needed, time.time() if now is None else now)


def _keep_within(data: Path, budget: int, needed: set[Path], now: float) -> dict[str, int]:
    files = [(name, file) for name in FOLDERS for file in _files(data / name)]
    total = sum(file.size for _, file in files)
    kept = needed | set(backups(data / "backups")[:1])
    removed: dict[str, int] = {}
    for name, file in sorted(files, key=lambda entry: entry[1].changed_at):
        if total <= budget:
            break
        # What is dated later than now was written before the clock jumped back.
        if file.path in kept or 0 <= now - file.changed_at < ARRIVING_S:
            continue
        with contextlib.suppress(OSError):
            file.path.unlink()
            total -= file.size
            removed[name] = removed.get(name, 0) + file.size
            if file.path.parent != data / name:
                file.path.parent.rmdir()  # refused while something is in it
    if total > budget:
        log.warning(
            "%.1f GB are in use and needed, the budget is %.1f GB: raise [retention] disk_gb",
            total / 1e9,
            budget / 1e9,
        )
    return removed


def _files(folder: Path) -> list[_File]:
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it has just been removed
            if path.is_file() and not path.is_symlink():
                facts = path.stat()
                found.append(_File(path, facts.st_blocks * 512, facts.st_mtime))
    return found
