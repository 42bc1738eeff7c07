"""The SQLite database: connections, transactions and upkeep. It knows no schema; schema.py has that.

The log is written ahead (WAL) with synchronous=FULL, so that a committed write survives a power cut. All writes of a
process go through one connection, one transaction at a time: coroutines that share a connection would share its
transaction. Transactions are BEGIN IMMEDIATE, because a deferred one fails at once with SQLITE_BUSY_SNAPSHOT, whatever
the busy timeout. Single writes that wait at the same time share one commit (group commit: DeWitt et al. 1984), since
flushing the disk is what takes long. Reads have a connection of their own, so that they never wait for a commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosqlite

Row = sqlite3.Row
Parameters = Sequence[Any] | dict[str, Any]

_VACUUM_STEP = 500  # pages


class Transaction:
    """The statements of one open write transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Execute one statement and return its rows."""
        return list(await self._connection.execute_fetchall(sql, parameters))

    async def run_many(self, sql: str, parameters: Iterable[dict[str, Any] | Iterable[Any]]) -> None:
        """Execute one statement for each set of parameters."""
        await self._connection.executemany(sql, parameters)


class _PendingWrite:
    """Statements that somebody waits for; `rows` are those of each."""

    def __init__(self, statements: Sequence[tuple[str, Parameters]]) -> None:
        self.statements = statements
        self.rows: list[list[Row]] = []
        self.error: sqlite3.Error | None = None
        self.written: asyncio.Future[list[list[Row]]] = asyncio.get_running_loop().create_future()

    async def execute(self, connection: aiosqlite.Connection) -> None:
        """Execute the statements inside the open transaction, all or none of them.

        Raises sqlite3.Error only where SQLite gave up the whole transaction (a full disk, say).
        """
        several = len(self.statements) > 1  # SQLite itself undoes a single statement that fails
        if several:
            await connection.execute_fetchall("SAVEPOINT pending")
        try:
            self.rows = [list(await connection.execute_fetchall(*one)) for one in self.statements]
        except sqlite3.Error as error:
            if not connection.in_transaction:
                raise
            self.error = error
            if several:
                await connection.execute_fetchall("ROLLBACK TO pending")
        if several:
            await connection.execute_fetchall("RELEASE pending")

    def resolve(self, error: BaseException | None) -> None:
        """Hand the rows, or the error, to whoever waits."""
        error = error or self.error
        if self.written.done():
            return  # cancelled meanwhile
        if isinstance(error, asyncio.CancelledError):
            self.written.cancel()
        elif error is not None:
            self.written.set_exception(error)
        else:
            self.written.set_result(self.rows)


class Database:
    """One Moodstem database as one process uses it."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._write_lock = asyncio.Lock()
        self._pending: list[_PendingWrite] = []

    @classmethod
    async def connect(cls, path: Path) -> Database:
        """Open or create the file as it is; `schema.open_database` also brings it up to date. Raises sqlite3.Error."""
        writer = await aiosqlite.connect(path, isolation_level=None)
        reader = None
        try:
            await writer.execute_fetchall("PRAGMA auto_vacuum=INCREMENTAL")  # a new file takes it, before WAL
            await _to_wal(writer)
            reader = await aiosqlite.connect(path, isolation_level=None)
            for connection in (writer, reader):
                connection.row_factory = sqlite3.Row
                for pragma in (
                    "busy_timeout=10000",
                    "synchronous=FULL",
                    "foreign_keys=ON",
                    "temp_store=MEMORY",
                    "journal_size_limit=67108864",
                ):
                    await connection.execute_fetchall(f"PRAGMA {pragma}")
            await reader.execute_fetchall("PRAGMA query_only=ON")
        except BaseException:
            for opened in (writer, reader):
                if opened is not None:
                    await opened.close()
            raise
        return cls(path, writer, reader)

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query over what has been committed."""
        return list(await self._reader.execute_fetchall(sql, parameters))

    async def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, if there is one."""
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a write transaction, which is committed when the block ends; any exception, cancellation included,
        rolls it back."""
        async with self._write_lock:
            try:
                await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                yield Transaction(self._writer)
                await self._writer.commit()
            except BaseException:
                # Also when BEGIN was cancelled (its thread runs on) or the disk was full.
                await asyncio.shield(self._writer.rollback())
                raise

    async def write(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Commit one statement and return its rows. If cancelled, the write may or may not have been committed."""
        [rows] = await self.write_all((sql, parameters))
        return rows

    async def write_all(self, *statements: tuple[str, Parameters]) -> list[list[Row]]:
        """Commit all of the statements or none, and return the rows of each. If cancelled, as `write`."""
        pending = _PendingWrite(statements)
        self._pending.append(pending)
        if len(self._pending) == 1:
            self._start_writing()
        return await pending.written

    def _start_writing(self, ended: asyncio.Task[None] | None = None) -> None:
        """Start a task for what is pending; again where the end of the event loop cancelled it before its first step."""
        if self._pending and (ended is None or ended.cancelled()):
            asyncio.create_task(self._write_pending()).add_done_callback(self._start_writing)

    async def _write_pending(self) -> None:
        """Write in one transaction what is pending by the time of the lock."""
        async with self._write_lock:
            batch, self._pending = [one for one in self._pending if not one.written.done()], []
            failed: BaseException | None = None
            try:
                await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                for one in batch:
                    await one.execute(self._writer)
                await self._writer.commit()
            except BaseException as error:
                failed = error
                with suppress(ValueError):  # closed meanwhile, which rolls back too
                    await asyncio.shield(self._writer.rollback())
            finally:
                for one in batch:
                    one.resolve(failed)

    async def maintain(self) -> None:
        """Gather statistics for the query planner, give free pages back to the file system, and empty the log.

        In short steps, between which others write.
        """
        async with self._write_lock:
            await self._writer.execute_fetchall("PRAGMA optimize")
        [[free]] = await self.fetch("PRAGMA freelist_count")
        for _ in range(free // _VACUUM_STEP + 1):
            async with self._write_lock:
                # One page for each step of the statement, and only a script is stepped to its end.
                await self._writer.executescript(f"PRAGMA incremental_vacuum({_VACUUM_STEP})")
        async with self._write_lock:
            await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")


async def _to_wal(connection: aiosqlite.Connection) -> None:
    """Switch to write-ahead logging. While another process does the same to a new database, SQLite answers "locked" at
    once, since waiting could be a deadlock; so the patience is ours."""
    deadline = time.monotonic() + 10
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.01)
