"""A SQLite connection in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

Row = sqlite3.Row
Parameters = Sequence[Any] | dict[str, Any]
ExecuteSQL = Callable[[str, Any], Awaitable[list[Row]]]
"""Runs one statement: `Database.fetch`, `Database.write` or `Transaction.run`."""

BUSY_S = 10.0
"""How long a write waits for other processes."""

_Work = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]
_Outcome = tuple[asyncio.Future[Any], Any, Exception | None]


class Connection:
    """A SQLite connection and the thread that does all of its work, in the order of asking."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._asked: SimpleQueue[_Work] = SimpleQueue()
        self._closed = False
        Thread(target=_work, args=(connection, self._asked), name="sqlite", daemon=True).start()

    @classmethod
    async def open(cls, path: Path, *, readonly: bool = False) -> Connection:
        """Open or create a database in WAL mode, or look at one that is there. Raises sqlite3.Error."""
        return cls(await asyncio.to_thread(_open_readonly if readonly else _open, path))

    def run(self, work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Have `work(connection, *args)` done; a future that is cancelled before its turn drops it."""
        if self._closed:
            raise RuntimeError("The database is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._asked.put((future, work, args))
        return future

    def fetch(self, sql: str, parameters: Parameters = ()) -> asyncio.Future[list[Row]]:
        """Execute one statement and return its rows."""
        return self.run(fetch, sql, parameters)

    async def close(self) -> None:
        """Close the connection after all that was asked for; its thread ends."""
        closed = self.run(sqlite3.Connection.close)
        self._closed = True
        await closed


def fetch(connection: sqlite3.Connection, sql: str, parameters: Parameters = ()) -> list[Row]:
    """Execute one statement and return its rows."""
    return connection.execute(sql, parameters).fetchall()


def resolve(outcomes: Sequence[_Outcome]) -> None:
    """Hand each value, or error, to whoever still waits."""
    for future, value, error in outcomes:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)


def _work(connection: sqlite3.Connection, asked: SimpleQueue[_Work]) -> None:
    """Do what is asked for until the connection is closed.

    What was asked for meanwhile is one turn, whose outcomes are handed out together: waking the event loop takes longer
    than most statements.
    """
    closed = False
    while not closed:
        turn = [asked.get()]
        turn += [asked.get() for _ in range(asked.qsize())]
        outcomes: list[_Outcome] = []
        for future, work, args in turn:
            if not future.cancelled():
                try:
                    outcomes.append((future, work(connection, *args), None))
                except Exception as error:
                    outcomes.append((future, None, error))
            closed = closed or work is sqlite3.Connection.close
        with suppress(RuntimeError):  # the event loop has ended, and nobody waits
            turn[0][0].get_loop().call_soon_threadsafe(resolve, outcomes)


def _open_readonly(path: Path) -> sqlite3.Connection:
    """While nobody has it open there is no log, and none is made: then the file stays as it is."""
    unused = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    uri = f"{path.absolute().as_uri()}?mode=ro{unused}"
    connection = sqlite3.connect(uri, timeout=BUSY_S, uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only a new file takes it, and only before WAL
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # While another process does the same to a new file, SQLite says so at once, whatever the timeout.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "journal_size_limit=67108864",
        "secure_delete=ON",  # what members erase is overwritten, not only let go
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection
