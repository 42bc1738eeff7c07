"""The database: durable, one writer at a time, migrated step by step."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from core.errors import UserError
from core.library import schema
from core.library.backup import restore
from core.library.database import Database
from core.library.schema import available_migrations, open_database, split_statements
from tests.refusals import refusal

NEWEST = max(available_migrations())


def tables_of(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(
            connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        )


LANDED = {100: "001d6e8303eb1ed8"}
"""Of each migration the beginning of its SHA-256; a new one is added after its landing."""


def test_migrations_that_have_landed_are_never_edited() -> None:
    """A database that has run one would not run it again: write the next number instead."""
    digests = {
        number: hashlib.sha256(script.encode()).hexdigest()[:16]
        for number, script in available_migrations().items()
        if number in LANDED
    }
    assert digests == LANDED


@pytest.mark.parametrize("version", [1, 24])
async def test_a_database_of_a_pre_release_is_refused_in_one_sentence(tmp_path: Path, version: int) -> None:
    path = tmp_path / "moodstem.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE track (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
        old.execute("INSERT INTO track (title) VALUES ('Kept')")
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
    before = tables_of(path)
    refused = f"pre-release of Moodstem .schema {version}.*: move it aside and index your music again"
    with refusal(refused):
        await open_database(path)
    with refusal(refused):
        restore(path, tmp_path / "new" / "moodstem.db")
    done = subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; main()", "--data", str(tmp_path), "db", "migrate"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and re.search(refused, done.stderr) and len(done.stderr.splitlines()) == 1
    assert tables_of(path) == before
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("SELECT title FROM track").fetchall() == [("Kept",)]


async def test_ids_that_buttons_name_are_never_used_again(tmp_path: Path) -> None:
    rows = {
        "track": "(content_hash, path, origin, title, duration_s) VALUES ('h', 'p', 'upload', 'T', 1)",
        "folder": "(path) VALUES ('p')",
        "search": "(user_id, asked) VALUES (1, '{}')",
        "job": "(kind, spec, user_id, cost, virtual_start, run_at, created_at) VALUES ('k', '{}', 1, 1, 0, 0, 0)",
        "recommendation": "(user_id, tracks) VALUES (1, '[]')",
        "journey": "(user_id, asked, steps, drawn) VALUES (1, '{}', '[]', '{}')",
        "party": "(user_id, count) VALUES (1, 5)",
        "playlist": "(user_id, name, folded) VALUES (1, 'N', 'n')",
        "rule_change": "(guild_id, user_id, rule) VALUES (1, 1, 'r')",
        "audit": "(guild_id, user_id, action) VALUES (1, 1, 'a')",
        "play": "(user_id, track_id) SELECT 1, id FROM track",
        "playlist_entry": "(playlist_id, position, content_hash, title, duration_s)"
        " SELECT id, 1, 'h', 'T', 1 FROM playlist",
    }
    async with await open_database(tmp_path / "x.db") as database:
        for table, values in rows.items():
            [[first]] = await database.write(f"INSERT INTO {table} {values} RETURNING id")
            await database.write(f"DELETE FROM {table}")
            [[second]] = await database.write(f"INSERT INTO {table} {values} RETURNING id")
            assert second > first, table


async def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    opened = await asyncio.gather(*(open_database(tmp_path / "x.db") for _ in range(4)))
    for database in opened:
        assert (await database.fetch("PRAGMA user_version"))[0][0] == NEWEST
        await database.close()


async def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = available_migrations() | {
        NEWEST + 1: "CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1);\n"
    }
    async with await open_database(tmp_path / "x.db"):
        pass
    before = tables_of(tmp_path / "x.db")
    monkeypatch.setattr(schema, "available_migrations", lambda: broken)
    with refusal("nowhere"):
        await open_database(tmp_path / "x.db")
    assert tables_of(tmp_path / "x.db") == before
    monkeypatch.undo()
    async with await open_database(tmp_path / "x.db") as database:
        assert (await database.fetch("PRAGMA user_version"))[0][0] == NEWEST


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        await database.write(f"PRAGMA user_version = {NEWEST + 1}")
    with refusal("update Moodstem"):
        await open_database(tmp_path / "x.db")


async def test_before_a_migration_a_copy_is_made_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The copy opens with the Moodstem of before; the migrated database tells that one where it is."""
    path = tmp_path / "moodstem.db"
    async with await open_database(path) as database:
        await database.write("INSERT INTO command_sync VALUES ('before', 'h')")
    assert not (tmp_path / "backups").exists(), "a new database has nothing to copy"
    more = available_migrations() | {NEWEST + 1: "DROP TABLE command_sync;\n"}
    monkeypatch.setattr(schema, "available_migrations", lambda: more)
    async with await Database.connect(path, readonly=True) as database:
        assert await schema.schema_version(database) == NEWEST
    opened = await asyncio.gather(*(open_database(path) for _ in range(3)))
    for database in opened:
        assert await schema.schema_version(database) == NEWEST + 1
        await database.close()
    copies = sorted((tmp_path / "backups").iterdir())
    assert len(copies) == 1 and copies[0].name.startswith(f"schema-{NEWEST}-"), "one of the three made it"
    assert [one for one in caplog.messages if str(copies[0]) in one] == caplog.messages
    monkeypatch.undo()
    with refusal(f"schema {NEWEST + 1}.*update Moodstem, or go back .* `moodstem db restore {copies[-1]}`"):
        await open_database(path)
    restore(copies[-1], path)
    async with await open_database(path) as database:
        assert [row[0] for row in await database.fetch("SELECT scope FROM command_sync")] == ["before"]


async def test_without_a_copy_nothing_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await open_database(tmp_path / "x.db"):
        pass
    (tmp_path / "backups").touch()  # nothing can be written there
    before = tables_of(tmp_path / "x.db")
    more = available_migrations() | {NEWEST + 1: "DROP TABLE command_sync;\n"}
    monkeypatch.setattr(schema, "available_migrations", lambda: more)
    with refusal("backup could not be written"):
        await open_database(tmp_path / "x.db")
    assert tables_of(tmp_path / "x.db") == before


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is a text, and a long enough one to be looked at" * 50)
    with refusal("not a usable Moodstem database"):
        await open_database(tmp_path / "x.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(UserError):
        await open_database(tmp_path / "folder.db")


async def test_an_exception_rolls_back(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        with pytest.raises(RuntimeError):
            async with database.transaction() as transaction:
                await transaction.run("UPDATE counter SET value = 99")
                raise RuntimeError
        assert (await database.fetch("SELECT max(value) FROM counter"))[0][0] == 0
        await database.write("UPDATE counter SET value = 5")


async def test_transactions_of_coroutines_do_not_mix(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:

        async def add() -> None:
            async with database.transaction() as transaction:
                [row] = await transaction.run("SELECT value FROM counter WHERE name = 'job'")
                await asyncio.sleep(0)
                await transaction.run("UPDATE counter SET value = ? WHERE name = 'job'", [row[0] + 1])

        await asyncio.gather(*(add() for _ in range(50)))
        assert (await database.fetch("SELECT value FROM counter WHERE name = 'job'"))[0][0] == 50


async def test_cancelling_at_any_moment_leaves_no_open_transaction(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        for patience in range(12):
            task = asyncio.create_task(database.write("UPDATE counter SET value = value + 1"))
            for _ in range(patience):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await database.write("UPDATE counter SET value = 0")


async def test_several_processes_wait_for_each_other(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as one, await open_database(tmp_path / "x.db") as two:

        async def add(database: Database) -> None:
            for _ in range(25):
                await database.write("UPDATE counter SET value = value + 1 WHERE name = 'job'")

        await asyncio.gather(add(one), add(two))
        assert (await one.fetch("SELECT value FROM counter WHERE name = 'job'"))[0][0] == 50


def test_statements_are_split_with_their_triggers() -> None:
    script = "-- a; b\nCREATE TABLE x (a);\nCREATE TRIGGER t AFTER INSERT ON x BEGIN\n DELETE FROM x;\nEND;\n-- end\n"
    assert [statement.split()[-1] for statement in split_statements(script)] == ["(a);", "END;"]
    with pytest.raises(AssertionError):
        split_statements("CREATE TABLE x (a")


async def test_upkeep_gives_room_back(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with await open_database(path) as database:
        [[mode]] = await database.fetch("PRAGMA auto_vacuum")
        assert mode == 2, "a new database can give single pages back"
        await database.write("CREATE TABLE ballast (data BLOB)")
        for _ in range(50):
            await database.write("INSERT INTO ballast VALUES (randomblob(100000))")
        await database.maintain()
        full = path.stat().st_size
        await database.write("DELETE FROM ballast")
        await database.maintain()
        assert path.stat().st_size < full - 4_000_000
        assert path.with_name("x.db-wal").stat().st_size == 0
        assert (await database.fetch("PRAGMA integrity_check"))[0][0] == "ok"


async def test_upkeep_waits_for_an_open_transaction(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        async with database.transaction() as transaction:
            upkeep = asyncio.create_task(database.maintain())
            for _ in range(20):
                await asyncio.sleep(0)
                await transaction.run("UPDATE counter SET value = value + 1")
            assert not upkeep.done()
        await upkeep
        assert (await database.fetch("SELECT min(value) FROM counter"))[0][0] == 20


async def test_writes_that_come_together_share_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[Counted] = []

    class Counted(sqlite3.Connection):
        def commit(self) -> None:
            commits.append(self)
            super().commit()

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Counted))
    async with await open_database(tmp_path / "x.db") as database:
        single = "UPDATE counter SET value = value + 1 WHERE name = 'job'"
        commits.clear()
        await asyncio.gather(*(database.write(single) for _ in range(60)))
        assert 1 <= len(commits) < 30, "each of the sixty would flush the disk by itself"
        with closing(sqlite3.connect(tmp_path / "x.db")) as other:
            assert other.execute("SELECT value FROM counter WHERE name = 'job'").fetchone() == (60,)


async def test_reads_see_only_what_is_committed(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        async with database.transaction() as transaction:
            await transaction.run("UPDATE counter SET value = 7")
            assert (await database.fetch("SELECT max(value) FROM counter"))[0][0] == 0
        assert (await database.fetch("SELECT min(value) FROM counter"))[0][0] == 7
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await database.fetch("UPDATE counter SET value = 8")


async def test_one_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:

        async def block(number: int) -> None:
            async with database.transaction() as transaction:
                await transaction.run("INSERT INTO command_sync VALUES (?, 'h')", [f"block {number}"])
                if number % 3 == 0:
                    raise RuntimeError

        async def single(number: int) -> None:
            await database.write("INSERT INTO command_sync VALUES (?, 'h')", [f"single {number % 5}"])

        ended = await asyncio.gather(
            *(block(number) for number in range(9)),
            *(single(number) for number in range(9)),
            return_exceptions=True,
        )
        assert [type(one) for one in ended[:9]].count(RuntimeError) == 3
        assert [type(one) for one in ended[9:]] == [type(None)] * 5 + [sqlite3.IntegrityError] * 4
        kept = {row[0] for row in await database.fetch("SELECT scope FROM command_sync")}
        assert kept == {f"block {n}" for n in range(9) if n % 3} | {f"single {n}" for n in range(5)}


async def test_cancelling_one_of_many_leaves_the_others_whole(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        for patience in range(25):

            async def block() -> None:
                async with database.transaction() as transaction:
                    await transaction.run("UPDATE counter SET value = value + 1 WHERE name = 'job'")
                    await transaction.run("UPDATE counter SET value = value + 1 WHERE name = 'library'")

            await database.write("UPDATE counter SET value = 0")
            tasks = [asyncio.create_task(block()) for _ in range(6)]
            for _ in range(patience):
                await asyncio.sleep(0)
            for victim in (1, 2, 5):
                tasks[victim].cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
            job, library = [row[0] for row in await database.fetch("SELECT value FROM counter ORDER BY name")]
            assert job == library and 3 <= job <= 6
            with closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")  # nobody left a transaction open


async def test_a_commit_that_fails_is_told_to_all_of_its_members(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        statement = "UPDATE counter SET value = value + 1"

        async def block() -> None:
            async with database.transaction() as transaction:
                await transaction.run(statement)

        nowhere = (
            "INSERT INTO feedback (user_id, track_id, liked) VALUES (1, 99999, 1)"  # there is no such track
        )
        ended = await asyncio.gather(
            *(database.write(statement) for _ in range(5)),
            database.write_all(("PRAGMA defer_foreign_keys = ON", ()), (nowhere, ())),
            return_exceptions=True,
        )
        assert all(isinstance(one, sqlite3.IntegrityError) for one in ended), ended
        await asyncio.gather(block(), database.write(statement))
        assert [row[0] for row in await database.fetch("SELECT value FROM counter")] == [2, 2]
        with closing(sqlite3.connect(tmp_path / "x.db")) as other:
            assert other.execute("SELECT value FROM counter").fetchall() == [(2,), (2,)]


async def test_a_full_disk_is_told_to_those_whose_writes_it_took(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        [[pages]] = await database.fetch("PRAGMA page_count")
        await database.write(f"PRAGMA max_page_count = {pages + 20}")
        ended = await asyncio.gather(
            *(
                database.write(
                    "INSERT INTO command_sync VALUES (?, hex(randomblob(?)))",
                    (str(number), 10**6 if number == 3 else 9),
                )
                for number in range(6)
            ),
            return_exceptions=True,
        )
        assert isinstance(ended[3], sqlite3.OperationalError) and "full" in str(ended[3])
        told = {str(number) for number, one in enumerate(ended) if not isinstance(one, Exception)}
        with closing(sqlite3.connect(tmp_path / "x.db")) as other:
            assert {row[0] for row in other.execute("SELECT scope FROM command_sync")} == told
        await database.write("INSERT INTO command_sync VALUES ('after', 'h')")


async def test_statements_that_belong_together_are_all_written_or_none(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        add = "INSERT INTO command_sync VALUES (?, 'h') RETURNING scope"
        ended = await asyncio.gather(
            database.write_all((add, ("a",)), (add, ("b",))),
            database.write_all((add, ("c",)), (add, ("a",))),
            database.write_all((add, ("c",)), ("SELECT no_such_function()", ())),
            database.write_all((add, ("d",)), (add, ("e", "too many"))),
            database.write_all((add, ("d",)), (add, ("f",))),
            return_exceptions=True,
        )
        assert [[row[0] for [row] in one] if isinstance(one, list) else type(one) for one in ended] == [
            ["a", "b"],
            sqlite3.IntegrityError,
            sqlite3.OperationalError,
            sqlite3.ProgrammingError,
            ["d", "f"],
        ]
        kept = await database.fetch("SELECT scope FROM command_sync ORDER BY scope")
        assert [row[0] for row in kept] == ["a", "b", "d", "f"]


async def test_a_read_that_fails_or_is_cancelled_leaves_the_others_alone(tmp_path: Path) -> None:
    async with await open_database(tmp_path / "x.db") as database:
        cancelled = asyncio.create_task(database.fetch("SELECT 'nobody waits'"))
        reads = [asyncio.create_task(database.fetch_one("SELECT ?", (number,))) for number in range(50)]
        wrong = asyncio.create_task(database.fetch("SELECT nothing"))
        await asyncio.sleep(0)
        cancelled.cancel()
        rows = await asyncio.gather(*reads)
        assert [row[0] for row in rows if row] == list(range(50))
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            await wrong
    with pytest.raises(RuntimeError, match="closed"):
        await database.fetch("SELECT 1")
    with pytest.raises(RuntimeError, match="closed"):
        await database.write("UPDATE counter SET value = 1")


def test_the_end_of_the_event_loop_leaves_nobody_waiting(tmp_path: Path) -> None:
    """asyncio.run cancels all tasks, and some write once more while they end."""
    ended: list[str] = []

    async def member(database: Database, name: str) -> None:
        try:
            while True:
                await database.fetch("SELECT 1")
                await database.write("UPDATE counter SET value = value + 1")
        finally:
            await database.write("INSERT INTO command_sync VALUES (?, 'h')", (name,))
            await database.fetch("SELECT 1")
            ended.append(name)

    async def bot(turns: int) -> None:
        database = await open_database(tmp_path / "x.db")
        connections.append(database)
        tasks = [asyncio.create_task(member(database, f"{turns} {number}")) for number in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        assert tasks

    for turns in range(1, 12):
        connections: list[Database] = []
        asyncio.run(asyncio.wait_for(bot(turns), 20))
    assert len(ended) == 44
    with closing(sqlite3.connect(tmp_path / "x.db")) as other:
        assert other.execute("SELECT count(*) FROM command_sync").fetchone() == (44,)
