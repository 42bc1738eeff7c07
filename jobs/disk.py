"""Measure the disk space of the data folder and keep it within its budgets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.folders import DataFolder
from core.library.backup import backups
from core.library.database import Database
from core.library.sources import MEMBER_OWNED_SQL
from jobs.files import files_in_use

log = logging.getLogger(__name__)

FOLDERS = ("uploads", "pictures", "previews", "stems", "backups")
"""The folders that the budgets count, the last one by itself; not the database, of which nothing may be deleted to save space."""

LIBRARY = 0
"""Holds what was made of the library's own tracks."""

RESERVE_BYTES = 2_000_000_000
"""What must be left on the disk for the database, backups and uploads that arrive."""

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
    database: Database, data: Path, budget: int, backup_budget: int, *, now: float | None = None
) -> dict[str, int]:
    """Remove files until at most `backup_budget` bytes of backups and `budget` bytes of all else are left; return the
    bytes removed from each folder.

    First go files that belong to nobody, then always the oldest of whoever holds most, so that one member's uploads push
    out nobody else's. What a waiting or running job needs stays, so do the newest backup and what is just arriving.
    """
    now = time.time() if now is None else now
    found = await asyncio.to_thread(lambda: {name: _files(data / name) for name in FOLDERS})
    copies, newest = found.pop("backups"), backups(data / "backups")[:1]
    removed = await asyncio.to_thread(
        _remove, (file for file in _oldest(copies, now) if file.path not in newest), copies, backup_budget
    )
    files = [file for folder in found.values() for file in folder]
    if sum(file.size for file in files) > budget:
        order = _in_order(
            files, await _holders(database), await files_in_use(database, DataFolder(data)), now
        )
        removed |= await asyncio.to_thread(_remove, order, files, budget)
    return removed


def _remove(order: Iterable[_File], files: Sequence[_File], budget: int) -> dict[str, int]:
    """Remove in this order until the files fit into the budget."""
    total = sum(file.size for file in files)
    removed: Counter[str] = Counter()
    for file in order:
        if total <= budget:
            break
        with contextlib.suppress(OSError):
            file.path.unlink()
            total -= file.size
            removed[file.path.parent.name] += file.size
    if total > budget:
        log.warning(
            "%.1f GB are in use and needed, the budget is %.1f GB: raise disk_gb or backups_gb in [retention]",
            total / 1e9,
            budget / 1e9,
        )
    return dict(removed)


def _oldest(files: Iterable[_File], now: float) -> list[_File]:
    """Oldest first, without what is just arriving; what is dated later than now was written before the clock jumped back."""
    fitting = (file for file in files if not 0 <= now - file.changed_at < ARRIVING_S)
    return sorted(fitting, key=lambda file: file.changed_at)


async def _holders(database: Database) -> dict[str, list[int]]:
    """Return who holds the files of which name, or of which recording: members, or LIBRARY."""
    rows = await database.fetch(
        f"SELECT content_hash, path, origin IN {MEMBER_OWNED_SQL} AS uploaded, (SELECT group_concat(user_id)"
        " FROM upload_owner WHERE track_id = track.id) AS owners FROM track"
    )
    found = {}
    for row in rows:
        holders = [int(one) for one in (row["owners"] or "").split(",") if one] or [LIBRARY]
        found[row["content_hash"][:32]] = holders
        if row["uploaded"]:
            found[Path(row["path"]).name] = holders
    return found


def _in_order(
    files: Sequence[_File], holders: Mapping[str, list[int]], needed: set[Path], now: float
) -> Iterator[_File]:
    """Yield what may go: what belongs to nobody, then always the oldest of whoever holds most.

    What several members hold counts with each, and goes with the one who holds least.
    """
    whose = {file: holders.get(file.path.name) or holders.get(_recording(file), []) for file in files}
    totals = Counter[int]()
    for file, members in whose.items():
        totals.update(dict.fromkeys(members, file.size))
    yield from (file for file in _oldest(files, now) if not whose[file] and file.path not in needed)
    held: dict[int, deque[_File]] = {}
    for file in sorted(files, key=lambda file: file.changed_at):
        if whose[file] and file.path not in needed:
            held.setdefault(min(whose[file], key=lambda one: totals[one]), deque()).append(file)
    while any(held.values()):
        most = max((one for one in held if held[one]), key=lambda one: totals[one])
        totals[most] -= held[most][0].size
        yield held[most].popleft()


def _recording(file: _File) -> str:
    """The recording that a picture, a preview or an archive of stems is of, by its name."""
    return re.split("[-.]", file.path.name)[0][:32]


def _files(folder: Path) -> list[_File]:
    found = []
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):  # it has just been removed
            if path.is_file() and not path.is_symlink():
                facts = path.stat()
                found.append(_File(path, facts.st_blocks * 512, facts.st_mtime))
    return found
