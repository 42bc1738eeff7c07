"""Copies of the database that are known to be good, and the way back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from core.errors import UserError
from core.library.copies import other_copies, stamp, stamp_of, sync, write_copy
from core.library.database import Database
from core.library.schema import check_version, open_database

log = logging.getLogger(__name__)

_PATTERN = "moodstem-*.db"
_BY_HAND = "-manual.db"


async def backup(
    database: Database, folder: Path, *, keep: int = 7, by_hand: bool = False, now: float | None = None
) -> Path:
    """Write `folder`/moodstem-<UTC time>.db while others go on writing, check it, and keep the newest `keep`.

    Backups made by hand (moodstem-<UTC time>-manual.db) and those of the schedule are counted apart: neither kind
    displaces the other. The file appears under its name only when it is complete, sound and on disk. Raises UserError
    when it cannot be written.
    """
    now = time.time() if now is None else now
    return await asyncio.to_thread(_backup, database.path, folder, keep, by_hand, now)


def _backup(source: Path, folder: Path, keep: int, by_hand: bool, now: float) -> Path:
    began = time.monotonic()
    target = folder / f"moodstem-{stamp(now)}{_BY_HAND if by_hand else '.db'}"
    write_copy(source, target, check)
    alike = [one for one in backups(folder) if one.name.endswith(_BY_HAND) == by_hand]
    kept, old = alike[:keep], alike[keep:]
    if len(kept) == keep and not by_hand:
        old += [copy for copy in other_copies(folder) if stamp_of(copy) < stamp_of(kept[-1])]
    for path in old:
        path.unlink(missing_ok=True)
    log.info("Backup %s: %.1f MB, %.1f s", target.name, target.stat().st_size / 1e6, time.monotonic() - began)
    return target


def backups(folder: Path) -> list[Path]:
    """Return the backups in `folder`, newest first."""
    return sorted(folder.glob(_PATTERN), key=lambda path: path.name, reverse=True)


def check(path: Path) -> None:
    """Raises UserError unless the file is a sound database that this Moodstem can use."""
    if not path.is_file():
        raise UserError(f"There is no backup {path}: `moodstem db backup` makes one.")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            verdict = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            strays = connection.execute("PRAGMA foreign_key_check").fetchall()
            [version] = connection.execute("PRAGMA user_version").fetchone()
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            }
    except sqlite3.Error as error:
        raise UserError(f"{path.name} is not a usable backup ({error}): take an older one.") from error
    if verdict != ["ok"] or strays or "track" not in tables:
        raise UserError(f"{path.name} is damaged: take an older backup.")
    check_version(path, version)


async def quick_check(database: Database) -> str:
    """Return "ok", or the first damage that SQLite's quick check finds."""
    [row, *_] = await database.fetch("PRAGMA quick_check")
    return str(row[0])


async def rehearse(path: Path) -> dict[str, int]:
    """Restore the backup into a temporary folder and open it as the program would, migrations included.

    Returns the number of rows of each table. Raises UserError when it would not work.
    """
    with tempfile.TemporaryDirectory(prefix="moodstem-rehearsal-") as folder:
        copy = Path(folder) / "moodstem.db"
        await asyncio.to_thread(restore, path, copy)
        async with await open_database(copy) as database:
            tables = await database.fetch(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            )
            return {
                table["name"]: (await database.fetch(f'SELECT count(*) FROM "{table["name"]}"'))[0][0]
                for table in tables
            }


def restore(path: Path, database: Path) -> Path | None:
    """Put the backup in the place of `database`; what was there is kept beside the backups, and its
    path returned.

    Raises UserError when the backup is damaged or some process still has the database open.
    """
    check(path)
    database.parent.mkdir(parents=True, exist_ok=True)
    part = database.with_suffix(".restoring")
    shutil.copyfile(path, part)
    sync(part)
    aside = None
    if database.exists():
        _close_log(database)
        aside = database.parent / "backups" / f"replaced-{stamp()}.db"
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.move(database, aside)
    for rest in ("-wal", "-shm"):
        database.with_name(database.name + rest).unlink(missing_ok=True)
    part.replace(database)
    sync(database.parent)
    return aside


def _close_log(database: Path) -> None:
    """Leave WAL mode, which moves everything into the one file and which only the last connection may do."""
    with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
        try:
            [mode] = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        except sqlite3.OperationalError:
            mode = "wal"
        except sqlite3.DatabaseError:
            return  # damaged: that is why somebody restores a backup
    if mode != "delete":
        raise UserError("The database is in use: stop the bot and its workers, then restore again.")
