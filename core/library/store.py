"""The SQLite database: connection and transactions; schema.py brings it up to date.

WAL with synchronous=FULL, so that what was confirmed survives a power cut; every write transaction is
BEGIN IMMEDIATE behind one lock, since coroutines that share a connection would share its transaction, and a
deferred one fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout says. Transactions that wait for the
lock together share one commit (group commit: DeWitt et al. 1984), since the disk's flush is what takes long; reads and
single writes that wait together share one trip to the connection's thread, since that takes longer than most statements.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite

from core.errors import UserError
from core.library import schema

Row = sqlite3.Row

_INCREMENTAL = 2  # what PRAGMA auto_vacuum answers then
_VACUUM_STEP = 500  # pages

Parameters = Sequence[Any] | dict[str, Any]

SHARE_S = 0.03
"""For so long, transactions that wait may join the one that is open, before all are committed."""


class Database:
    """One connection to one Moodstem database."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._write = asyncio.Lock()
        self._waiting = 0
        self._group: _Group | None = None
        self._reads: list[_Asked] = []
        self._writes: list[_Asked] = []

    @classmethod
    async def open(cls, path: Path, *, migrate: bool = True) -> Database:
        """Open or create the database at `path` and bring it up to date.

        Raises UserError when the file is not ours, newer than this program, or cannot be opened.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # what members said is not for others
        try:
            connection = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise UserError(
                f"The database {path} cannot be opened ({error}): check the folder's permissions."
            ) from error
        try:
            connection.row_factory = sqlite3.Row
            for pragma in (
                "busy_timeout=10000",
                "auto_vacuum=INCREMENTAL",  # only a new database takes it, and only before WAL
                "synchronous=FULL",
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "journal_size_limit=67108864",
            ):
                await connection.execute_fetchall(f"PRAGMA {pragma}")
            await _to_wal(connection)
            database = cls(connection, path)
            if migrate:
                await schema.migrate(database)
        except sqlite3.DatabaseError as error:
            await connection.close()
            raise UserError(
                f"{path} is not a usable Moodstem database ({error}): restore a backup or choose another data folder."
            ) from error
        except BaseException:
            await connection.close()
            raise
        return database

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a read. Never use it to write: it takes no lock."""
        asked = _Asked(((sql, parameters),))
        self._reads.append(asked)
        if len(self._reads) == 1:
            asyncio.get_running_loop().call_soon(self._send_reads)
        [rows] = await asked.answer
        return rows

    def _send_reads(self) -> None:
        """What was asked for in one turn of the event loop, in one trip to the connection's thread."""
        asked, self._reads = [one for one in self._reads if not one.answer.done()], []
        trip = asyncio.create_task(self._trip(_read, asked))
        trip.add_done_callback(lambda ended: _tell(asked, ended))

    async def _trip(self, work: Callable[..., None], *arguments: Any) -> None:
        """Run a function of SQLite's own connection in the thread of aiosqlite's, which has no public way to it."""
        await self._connection._execute(work, self._connection._conn, *arguments)  # type: ignore[no-untyped-call]

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A write transaction, on disk when the block has ended; any exception, cancellation included, undoes it."""
        await self._turn()
        try:
            first = self._group is None
            try:
                await self._connection.execute_fetchall("BEGIN IMMEDIATE" if first else "SAVEPOINT member")
                group = self._group = self._group or _Group()
                yield Transaction(self._connection)
                if not first:
                    await self._connection.execute_fetchall("RELEASE member")
            except BaseException:
                # Also when BEGIN was cancelled (its thread runs on) or the disk was full.
                await asyncio.shield(self._undo(first))
                raise
            finally:
                await asyncio.shield(self._commit_unless_others_wait())
        finally:
            self._write.release()
        await asyncio.shield(group.committed)

    async def write(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """One statement in a transaction of its own; returns the rows of a RETURNING clause.

        Whether it took effect is not known when the call is cancelled.
        """
        [rows] = await self.write_all((sql, parameters))
        return rows

    async def write_all(self, *statements: tuple[str, Parameters]) -> list[list[Row]]:
        """Statements that need nothing from each other, all or none; the rows of each. Otherwise as `write`."""
        asked = _Asked(statements)
        self._writes.append(asked)
        if len(self._writes) == 1:
            self._send_writes()
        return await asked.answer

    def _send_writes(self, ended: asyncio.Future[None] | None = None) -> None:
        """Once more where the end of the event loop cancelled the task before its turn: some write while they end."""
        if self._writes and (ended is None or ended.cancelled()):
            asyncio.create_task(self._write_asked()).add_done_callback(self._send_writes)

    async def _write_asked(self) -> None:
        """What was asked for until the lock was ours, in one trip to the connection's thread."""
        await self._turn()
        asked, self._writes = [one for one in self._writes if not one.answer.done()], []
        first, last = self._group is None, not self._waiting
        group = self._group = self._group or _Group()
        try:
            try:
                await self._trip(_write, asked, first, last)
                if last:
                    self._group = None
                    group.committed.set_result(None)
            except BaseException as error:
                self._group = None
                group.fail(error)
                with suppress(ValueError):  # closed meanwhile, which rolls back too
                    await asyncio.shield(self._connection.rollback())
            finally:
                await asyncio.shield(self._commit_unless_others_wait())
        finally:
            self._write.release()
            group.committed.add_done_callback(lambda committed: _tell(asked, committed))

    async def _turn(self) -> None:
        """Wait for the lock; who is cancelled meanwhile leaves nobody's commit undone."""
        self._waiting += 1
        try:
            await self._write.acquire()
        except BaseException:
            self._waiting -= 1
            if self._group is not None and not self._waiting and not self._write.locked():
                await asyncio.shield(self._commit_unless_others_wait())
            raise
        self._waiting -= 1

    async def _undo(self, first: bool) -> None:
        """Undo the transaction of this turn, and nobody else's unless SQLite itself gave up all of them."""
        if first or not self._connection.in_transaction:
            await self._connection.rollback()
            if self._group is not None:
                self._group.fail(sqlite3.OperationalError("the transaction was rolled back by SQLite"))
            self._group = None
        else:
            await self._connection.execute_fetchall("ROLLBACK TO member")
            await self._connection.execute_fetchall("RELEASE member")

    async def _commit_unless_others_wait(self) -> None:
        group = self._group
        if group is None or (self._waiting and time.monotonic() - group.began < SHARE_S):
            return  # nothing was written, or the next one commits for all
        await self._commit(group)

    async def _commit(self, group: _Group | None) -> None:
        self._group = None
        if group is None:
            return
        try:
            await self._connection.commit()
        except BaseException as error:
            await self._connection.rollback()
            group.fail(error)
        else:
            group.committed.set_result(None)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """With the lock, and outside of any transaction."""
        await self._turn()
        try:
            await asyncio.shield(self._commit(self._group))
            yield
        finally:
            self._write.release()

    async def maintain(self) -> None:
        """Upkeep: statistics for the query planner, free pages back to the file system, an empty log.

        In short steps, between which others write; a database from before incremental vacuum is rewritten once,
        when a quarter of it is free.
        """
        async with self._alone():
            await self.fetch("PRAGMA optimize")
            [[mode]] = await self.fetch("PRAGMA auto_vacuum")
            [[free]], [[pages]] = [
                await self.fetch(f"PRAGMA {name}") for name in ("freelist_count", "page_count")
            ]
            if mode != _INCREMENTAL and free > max(pages / 4, 1000):
                await self.fetch("PRAGMA auto_vacuum = INCREMENTAL")
                await self.fetch("VACUUM")
        for _ in range(free // _VACUUM_STEP + 1 if mode == _INCREMENTAL else 0):
            async with self._alone():
                # One page for each step of the statement, and only a script is stepped to its end.
                await self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_STEP})")
        async with self._alone():
            await self.fetch("PRAGMA wal_checkpoint(TRUNCATE)")


async def _to_wal(connection: aiosqlite.Connection) -> None:
    """Write-ahead logging, which stays. While another process does the same to a new database, SQLite answers
    "locked" at once, since waiting could be a deadlock; so the patience is ours."""
    deadline = time.monotonic() + 10
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.01)


class _Group:
    """Transactions that begin and commit together."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        self.committed.set_exception(error)
        self.committed.exception()  # seen, even when all of its members were cancelled


class _Asked:
    """Statements that somebody waits for."""

    def __init__(self, statements: Sequence[tuple[str, Parameters]]) -> None:
        self.statements = statements
        self.rows: list[list[Row]] = []
        self.error: Exception | None = None
        self.answer: asyncio.Future[list[list[Row]]] = asyncio.get_running_loop().create_future()

    def run(self, connection: sqlite3.Connection) -> None:
        self.rows = [connection.execute(*statement).fetchall() for statement in self.statements]


def _tell(asked: list[_Asked], ended: asyncio.Future[None]) -> None:
    """Those who wait what became of it: of all together, else of each."""
    for one in asked:
        error = None if ended.cancelled() else ended.exception() or one.error
        if one.answer.done():
            continue  # cancelled meanwhile
        if ended.cancelled():
            one.answer.cancel()
        elif error is not None:
            one.answer.set_exception(error)
        else:
            one.answer.set_result(one.rows)


def _read(connection: sqlite3.Connection, asked: list[_Asked]) -> None:
    for one in asked:
        try:
            one.run(connection)
        except Exception as error:
            one.error = error


def _write(connection: sqlite3.Connection, asked: list[_Asked], first: bool, last: bool) -> None:
    """In the open transaction, or the `first` to open one; the `last` commits. One that fails takes none with it, except
    where SQLite gives up the whole transaction (a full disk), which is raised."""
    if first:
        connection.execute("BEGIN IMMEDIATE")
    for one in asked:
        several = len(one.statements) > 1  # SQLite undoes a single statement that fails by itself
        if several:
            connection.execute("SAVEPOINT member")
        try:
            one.run(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise
            one.error = error
            if several:
                connection.execute("ROLLBACK TO member")
        if several:
            connection.execute("RELEASE member")
    if last:
        connection.commit()


class Transaction:
    """The statements of one open write transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return list(await self._connection.execute_fetchall(sql, parameters))

    async def run_many(self, sql: str, parameters: Iterable[dict[str, Any] | Iterable[Any]]) -> None:
        """One statement for each set of parameters, in one trip to the connection's thread."""
        await self._connection.executemany(sql, parameters)
