"""One SQLite connection in a thread of its own, and the settings that every connection needs."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

Row = sqlite3.Row
Parameters = Sequence[Any] | dict[str, Any]

P = ParamSpec("P")
T = TypeVar("T")


class Connection:
    """A SQLite connection and the thread that does all of its work, in the order of asking."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises sqlite3.Error."""
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Have `work(connection, ...)` done; a future that is cancelled before its turn drops it."""
        return asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: work(self._connection, *args, **kwargs)
        )

    def fetch(self, sql: str, parameters: Parameters = ()) -> asyncio.Future[list[Row]]:
        """Execute one statement and return its rows."""
        return self.run(fetch, sql, parameters)

    async def close(self) -> None:
        await self.run(sqlite3.Connection.close)
        self._executor.shutdown()


def fetch(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> list[Row]:
    """Execute one statement and return its rows."""
    return connection.execute(sql, parameters).fetchall()


def prepare_writer(connection: sqlite3.Connection) -> None:
    """Set up the connection that writes.

    Waits up to ten seconds for other writers, also for one that switches a new file to WAL at the same time, to which
    SQLite answers "locked" at once, whatever the timeout.
    """
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only a new file takes it, and only before WAL
    deadline = time.monotonic() + 10
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA journal_size_limit=67108864")


def prepare_reader(connection: sqlite3.Connection) -> None:
    """Set up a connection that only reads."""
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA query_only=ON")
