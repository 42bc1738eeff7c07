"""Backups: complete while others write, checked, and restored for real."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import UserError
from core.library.backup import backup, backups, rehearse, restore
from core.library.copies import stamp, write_copy
from core.library.database import Database
from core.library.schema import open_database
from core.library.tracks import Library
from jobs.disk import usage
from tests.make import upsert_track

DAY = 86400.0


async def add(database: Database, count: int) -> None:
    library = Library(database)
    before = (await library.counts())["total"]
    for number in range(before, before + count):
        await upsert_track(
            library, content_hash=str(number), path="p", origin="folder", title=f"T{number}", duration_s=1
        )


async def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "moodstem.db"
    async with await open_database(path) as database:
        await add(database, 5)
        kept = await backup(database, tmp_path / "backups")
        await add(database, 2)
        assert (await rehearse(kept))["track"] == 5
        with pytest.raises(UserError, match="in use"):
            restore(kept, path)
        assert (await Library(database).counts())["total"] == 7
    aside = restore(kept, path)
    assert aside is not None
    async with await open_database(path) as database:
        assert (await Library(database).counts())["total"] == 5
    async with await open_database(aside) as database:
        assert (await Library(database).counts())["total"] == 7


async def test_others_may_write_meanwhile(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "moodstem.db") as database:
        await add(database, 3)
        kept, _ = await asyncio.gather(backup(database, tmp_path / "backups"), add(database, 20))
        assert 3 <= (await rehearse(kept))["track"] <= 23


async def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "moodstem.db") as database:
        made = [await backup(database, tmp_path / "b", keep=3, now=day * DAY) for day in range(1, 6)]
    assert backups(tmp_path / "b") == made[:1:-1]
    assert sorted((tmp_path / "b").iterdir()) == made[2:]


async def test_other_copies_go_with_the_backups_of_their_time(tmp_path: Path) -> None:
    """What a restore put aside and what was there before a migration are older than all backups that are kept."""
    path, folder = tmp_path / "moodstem.db", tmp_path / "backups"
    async with await open_database(path) as database:
        first = await backup(database, folder, keep=2, now=time.time() - DAY)
    aside = restore(first, path)
    assert aside is not None and aside.parent == folder and not [*tmp_path.glob("*replaced*")]
    before = folder / f"schema-100-{stamp()}.db"
    write_copy(path, before)
    assert usage(tmp_path)["backups"] > 3 * first.stat().st_size * 0.9
    async with await open_database(path) as database:
        second = await backup(database, folder, keep=2, now=time.time() + DAY)
        assert aside.is_file() and before.is_file() and first.is_file(), "one backup is older than they are"
        third = await backup(database, folder, keep=2, now=time.time() + 2 * DAY)
    assert sorted(folder.iterdir()) == [second, third]


async def test_a_damaged_backup_is_refused_and_nothing_touched(tmp_path: Path) -> None:
    path = tmp_path / "moodstem.db"
    async with await open_database(path) as database:
        await add(database, 300)
        kept = await backup(database, tmp_path / "b")
    data = bytearray(kept.read_bytes())
    data[8192:20000] = b"\xaa" * (20000 - 8192)
    kept.write_bytes(data)
    with pytest.raises(UserError, match="older"):
        restore(kept, path)
    with pytest.raises(UserError, match="older"):
        await rehearse(kept)
    async with await open_database(path) as database:
        assert (await Library(database).counts())["total"] == 300


async def test_another_programs_database_is_no_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE x (a)")
    with pytest.raises(UserError):
        restore(tmp_path / "other.db", tmp_path / "moodstem.db")


async def test_a_damaged_database_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "moodstem.db"
    async with await open_database(path) as database:
        await add(database, 2)
        kept = await backup(database, tmp_path / "b")
    path.write_bytes(b"no database at all" * 500)
    restore(kept, path)
    async with await open_database(path) as database:
        assert (await Library(database).counts())["total"] == 2


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with await open_database(tmp_path / "moodstem.db") as database:
        with pytest.raises(UserError, match="backup could not be written"):
            await backup(database, tmp_path / "file" / "b")
