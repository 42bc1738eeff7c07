"""The SQLite database: connections, transactions and upkeep. It knows no schema; schema.py has that.

The log is written ahead (WAL) with synchronous=FULL, so that a committed write survives a power cut. All writes of a
process go through one connection in a thread of its own, one transaction at a time. Transactions are BEGIN IMMEDIATE,
because a deferred one fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout. Single writes that wait at
the same time are one turn of the thread and one commit (group commit: DeWitt et al. 1984), since flushing the disk is
what takes long. Reads have another connection, so that they never wait for a commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.library.connection import Connection, Parameters, Row, fetch, resolve

_VACUUM_STEP = 500  # pages


class Transaction:
    """The statements of one open write transaction."""

    def __init__(self, writer: Connection) -> None:
        self._writer = writer

    async def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Execute one statement and return its rows."""
        return await self._writer.fetch(sql, parameters)

    async def run_many(self, sql: str, parameters: Iterable[Parameters]) -> None:
        """Execute one statement for each set of parameters."""
        await self._writer.run(sqlite3.Connection.executemany, sql, parameters)


@dataclass(eq=False)
class _PendingWrite:
    """Statements that somebody waits for, and what became of them."""

    statements: Sequence[tuple[str, Parameters]]
    written: asyncio.Future[list[list[Row]]]
    rows: list[list[Row]] = field(default_factory=list)
    error: Exception | None = None

    def execute(self, connection: sqlite3.Connection) -> None:
        """Execute all of the statements or none. Raises only where SQLite gave up the whole transaction (a full disk)."""
        several = len(self.statements) > 1  # SQLite itself undoes a single statement that fails
        if several:
            connection.execute("SAVEPOINT pending")
        try:
            self.rows = [fetch(connection, *statement) for statement in self.statements]
        except Exception as error:
            if not connection.in_transaction:
                raise
            self.error = error
            if several:
                connection.execute("ROLLBACK TO pending")
        if several:
            connection.execute("RELEASE pending")


class Database:
    """One database as one process uses it."""

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._write_lock = asyncio.Lock()
        self._pending: deque[_PendingWrite] = deque()

    @classmethod
    async def connect(cls, path: Path, *, readonly: bool = False) -> Database:
        """Open or create the file as it is; `schema.open_database` also brings it up to date. Raises sqlite3.Error.

        With `readonly`, nothing is created or changed.
        """
        writer, reader = [await Connection.open(path, readonly=readonly) for _ in range(2)]
        await reader.fetch("PRAGMA query_only=ON")
        return cls(path, writer, reader)

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query over what is committed."""
        return await self._reader.fetch(sql, parameters)

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
                await self._writer.fetch("BEGIN IMMEDIATE")
                yield Transaction(self._writer)
                await self._writer.run(sqlite3.Connection.commit)
            except BaseException:
                # Also when BEGIN was cancelled (its thread runs on) or the disk was full.
                await asyncio.shield(self._writer.run(sqlite3.Connection.rollback))
                raise
            finally:
                self._write_pending()

    async def write(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Commit one statement and return its rows. If cancelled, the write may or may not have been committed."""
        [rows] = await self.write_all((sql, parameters))
        return rows

    async def write_all(self, *statements: tuple[str, Parameters]) -> list[list[Row]]:
        """Commit all of the statements or none, and return the rows of each. If cancelled, as `write`."""
        pending = _PendingWrite(statements, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._write_pending()
        return await pending.written

    def _write_pending(self) -> None:
        """Have the thread write all that is pending when its turn comes."""
        self._writer.run(_write_together, self._pending).add_done_callback(_hand_out)

    async def maintain(self) -> None:
        """Gather statistics for the query planner, give free pages back to the file system, and empty the log.

        In short steps, between which others write.
        """
        [[free]] = await self.fetch("PRAGMA freelist_count")
        # Freeing takes one page for each step of the statement, and only a script is stepped to its end.
        free_some = f"PRAGMA incremental_vacuum({_VACUUM_STEP})"
        for script in ("PRAGMA optimize", *[free_some] * (free // _VACUUM_STEP + 1)):
            async with self._write_lock:
                await self._writer.run(sqlite3.Connection.executescript, script)
        await self.empty_log()

    async def empty_log(self) -> None:
        """Move what the log holds into the database and cut it off, unless another process is reading."""
        async with self._write_lock:
            await self._writer.fetch("PRAGMA wal_checkpoint(TRUNCATE)")


def _write_together(connection: sqlite3.Connection, pending: deque[_PendingWrite]) -> list[_PendingWrite]:
    """Write all that is pending in one transaction; nothing while another one is open, whose end asks again."""
    if connection.in_transaction:
        return []
    batch = [pending.popleft() for _ in range(len(pending))]
    waiting = [one for one in batch if not one.written.cancelled()]
    if not waiting:
        return []  # written together with one that came before
    try:
        connection.execute("BEGIN IMMEDIATE")
        for one in waiting:
            one.execute(connection)
        connection.commit()
    except Exception as error:
        connection.rollback()
        for one in waiting:
            one.error = error
    return waiting


def _hand_out(written: asyncio.Future[list[_PendingWrite]]) -> None:
    resolve([(one.written, one.rows, one.error) for one in written.result()])
