"""Who agreed that something is kept about them."""

from __future__ import annotations

from collections.abc import Iterable

from core.library.database import Database
from core.library.uploads import GONE

WORDING = 1
"""Raise it when more is kept than members agreed to: all are asked once more."""


async def agreed(database: Database, user_id: int) -> bool:
    """Return whether the member agreed to the present wording."""
    row = await database.fetch_one("SELECT wording FROM consent WHERE user_id = ?", [user_id])
    return row is not None and row["wording"] >= WORDING


async def agree(database: Database, user_id: int) -> None:
    """Record that the member agreed to the present wording."""
    await database.write(
        "INSERT INTO consent (user_id, wording) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET"
        " wording = excluded.wording, at = unixepoch()",
        [user_id, WORDING],
    )


NO_CONSENT, NO_TRACK = "no-consent", "no-track"
"""What sqlite3.IntegrityError says of a write that `guard_writes` refused."""

_NAMES_TRACKS = (
    ("INSERT", "recommendation", "tracks", "$"),
    ("INSERT", "journey", "steps", "$.pick"),
    ("UPDATE OF tracks", "party", "tracks", "$"),
)


async def guard_writes(database: Database, tables: Iterable[str]) -> None:
    """Have SQLite refuse what this process would store too late, since a member erased something while it was fetched or
    computed: rows of these tables about a member without consent, and answers that name a track which is gone.

    Raises sqlite3.IntegrityError where it refuses: at the write itself, so that no handler can forget to ask again.
    """
    for table in tables:
        await database.write(
            f"CREATE TEMP TRIGGER {table}_consent BEFORE INSERT ON main.{table} WHEN new.user_id <> 0"
            f" AND new.user_id NOT IN (SELECT user_id FROM consent)"
            f" BEGIN SELECT RAISE(ABORT, '{NO_CONSENT}'); END"
        )
    for event, table, column, pick in _NAMES_TRACKS:
        await database.write(
            f"CREATE TEMP TRIGGER {table}_tracks BEFORE {event} ON main.{table} WHEN EXISTS"
            f" (SELECT 1 FROM json_each(new.{column}) WHERE json_extract(value, '{pick}.title') <> '{GONE}'"
            f" AND json_extract(value, '{pick}.track_id') NOT IN (SELECT id FROM track))"
            f" BEGIN SELECT RAISE(ABORT, '{NO_TRACK}'); END"
        )
