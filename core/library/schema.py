"""The schema: how a database is opened and brought up to date by numbered migrations (PRAGMA user_version)."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from importlib.resources import files
from pathlib import Path

from core.errors import UserError, is_disk_full
from core.folders import make_folder, writable
from core.library.copies import copy_from_before, stamp, write_copy
from core.library.database import Database
from core.library.sources import sources
from core.separation.registry import installed

log = logging.getLogger(__name__)


async def open_database(path: Path) -> Database:
    """Open or create the database at `path` and bring it up to date.

    Raises UserError when the file is not ours, of another age than this program, or cannot be opened.
    """
    make_folder(path.parent)
    try:
        database = await Database.connect(path)
        try:
            await migrate(database)
        except BaseException:
            await database.close()
            raise
    except sqlite3.DatabaseError as error:
        if is_disk_full(error):
            raise
        if error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise UserError(
                f"The database {path} cannot be opened ({error}): {writable(path.parent)}."
            ) from error
        raise UserError(
            f"{path} is not a usable Moodstem database ({error}): restore a backup or choose another data folder."
        ) from error
    return database


async def migrate(database: Database) -> None:
    """Run each missing migration in a transaction of its own. Raises UserError as `check_version`."""
    current = await schema_version(database)
    check_version(database.path, current)
    for number, script in available_migrations().items():
        if number <= current:
            continue
        async with database.transaction() as transaction:
            # A second process may have migrated while this one waited for the lock.
            [row] = await transaction.run("PRAGMA user_version")
            if row[0] >= number:
                continue
            if 0 < row[0] == current:
                copy = database.path.parent / "backups" / f"schema-{current}-{stamp()}.db"
                await asyncio.to_thread(write_copy, database.path, copy)
                log.warning("The database is brought up to date; a copy of schema %d is %s", current, copy)
            for statement in split_statements(script):
                await transaction.run(statement)
            await transaction.run(f"PRAGMA user_version={number}")
    await store_sources(database)
    await store_ranks(database)


async def store_sources(database: Database) -> None:
    """Store what SQL asks of the sources of music, where it has changed."""
    known = {origin: source.member_owned for origin, source in sources().items()}
    if dict(map(tuple, await database.fetch("SELECT origin, member_owned FROM source"))) == known:
        return
    async with database.transaction() as transaction:
        await transaction.run("DELETE FROM source")
        await transaction.run_many("INSERT INTO source VALUES (?, ?)", known.items())


async def store_ranks(database: Database) -> None:
    """Store the ranks of the installed separators, by which SQL picks one of several analyses of a track; where they have
    changed, pick again."""
    ranks = {info.name: info.rank for info in installed()}
    if dict(map(tuple, await database.fetch("SELECT separator, rank FROM separator_rank"))) == ranks:
        return
    async with database.transaction() as transaction:
        await transaction.run("DELETE FROM separator_rank")
        await transaction.run_many("INSERT INTO separator_rank VALUES (?, ?)", ranks.items())
        await transaction.run(
            "REPLACE INTO track_sound SELECT * FROM best_sound WHERE track_id IN"
            " (SELECT track_id FROM analysis GROUP BY track_id HAVING count(*) > 1)"
        )


async def schema_version(database: Database) -> int:
    """Return the number of the newest migration that the database has; 0 for a new one."""
    [row] = await database.fetch("PRAGMA user_version")
    return int(row[0])


def check_version(path: Path, version: int) -> None:
    """Raises UserError when this program can neither use nor migrate a database of this version."""
    oldest, newest = min(available_migrations()), max(available_migrations())
    if 0 < version < oldest:
        raise UserError(
            f"{path} was made by a pre-release of Moodstem (schema {version}), which this one cannot read:"
            " move it aside and index your music again."
        )
    if version > newest:
        copy = copy_from_before(path, newest)
        back = f", or go back to what was there before with `moodstem db restore {copy}`" if copy else ""
        raise UserError(
            f"{path} was made by a newer Moodstem (schema {version}, this one knows {newest}): update Moodstem{back}."
        )


def available_migrations() -> dict[int, str]:
    """Return {number: SQL} of every core/library/migrations/NNNN_name.sql, without gaps from the baseline on.

    The baseline's number tells databases apart that pre-releases made, whose numbers ended at 24.
    """
    found = sorted(
        (int(match[1]), entry.read_text("utf-8"))
        for entry in files("core.library").joinpath("migrations").iterdir()
        if (match := re.fullmatch(r"(\d{4})_\w+\.sql", entry.name))
    )
    numbers = [number for number, _ in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), (
        f"migrations are not numbered without gaps and only once: {numbers}"
    )
    return dict(found)


def split_statements(script: str) -> list[str]:
    """Return the single statements of an SQL script (sqlite3.executescript would commit the open transaction)."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    assert not pending.strip() or all(
        line.strip().startswith("--") or not line.strip() for line in pending.splitlines()
    ), f"an SQL statement does not end: {pending!r}"
    return statements
