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
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

Row = sqlite3.Row
Parameters = Sequence[Any] | dict[str, Any]

_BUSY_S = 10.0  # so long, a write waits for other processes
_VACUUM_STEP = 500  # pages


class _Connection:
    """A SQLite connection and the thread that does all of its work, in the order of asking."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    def run(self, work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Have `work(connection, *args)` done; a future that is cancelled before its turn drops it."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work, self._connection, *args)

    async def close(self) -> None:
        await self.run(sqlite3.Connection.close)
        self._executor.shutdown()


class Transaction:
    """The statements of one open write transaction."""

    def __init__(self, writer: _Connection) -> None:
        self._writer = writer

    async def run(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Execute one statement and return its rows."""
        return await self._writer.run(_fetch, sql, parameters)

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
        connection.execute("SAVEPOINT pending")
        try:
            self.rows = [_fetch(connection, *statement) for statement in self.statements]
        except Exception as error:
            if not connection.in_transaction:
                raise
            self.error = error
            connection.execute("ROLLBACK TO pending")
        connection.execute("RELEASE pending")


class Database:
    """One database as one process uses it."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        self.path = path
        self._writer = _Connection(writer)
        self._reader = _Connection(reader)
        self._write_lock = asyncio.Lock()
        self._pending: deque[_PendingWrite] = deque()

    @classmethod
    async def connect(cls, path: Path) -> Database:
        """Open or create the file as it is; `schema.open_database` also brings it up to date. Raises sqlite3.Error."""
        writer, reader = [await asyncio.to_thread(_open, path) for _ in range(2)]
        reader.execute("PRAGMA query_only=ON")
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
        return await self._reader.run(_fetch, sql, parameters)

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
                await self._writer.run(_fetch, "BEGIN IMMEDIATE")
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
        self._writer.run(_write_together, self._pending).add_done_callback(_resolve)

    async def maintain(self) -> None:
        """Gather statistics for the query planner, give free pages back to the file system, and empty the log.

        In short steps, between which others write.
        """
        [[free]] = await self.fetch("PRAGMA freelist_count")
        # Freeing takes one page for each step of the statement, and only a script is stepped to its end.
        free_some = f"PRAGMA incremental_vacuum({_VACUUM_STEP})"
        for script in (
            "PRAGMA optimize",
            *[free_some] * (free // _VACUUM_STEP + 1),
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            async with self._write_lock:
                await self._writer.run(sqlite3.Connection.executescript, script)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only a new file takes it, and only before WAL
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # While another process does the same to a new file, SQLite says so at once, whatever the timeout.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "journal_size_limit=67108864"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _fetch(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> list[Row]:
    return connection.execute(sql, parameters).fetchall()


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


def _resolve(written: asyncio.Future[list[_PendingWrite]]) -> None:
    """Hand the rows, or the errors, to those who wait."""
    for one in written.result():
        if one.error is not None and not one.written.done():
            one.written.set_exception(one.error)
        elif not one.written.done():  # not cancelled meanwhile
            one.written.set_result(one.rows)
