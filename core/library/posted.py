"""Messages for everybody in a channel that show something of members, so that they go when that is erased."""

from __future__ import annotations

import json
from collections.abc import Collection

from core.library.connection import ExecuteSQL, Row
from core.library.database import Database


async def put_posted(
    database: Database, message_id: int, channel_id: int, user_id: int, names: Collection[int], language: str
) -> None:
    """Remember a message of the user's in a language, and what it names: ids of tracks and, which are larger, of members.

    Raises sqlite3.IntegrityError where `guard_writes` refuses.
    """
    await database.write(
        "INSERT INTO posted (message_id, channel_id, user_id, names, language) VALUES (?, ?, ?, ?, ?)",
        [message_id, channel_id, user_id, json.dumps(list(names)), language],
    )


async def change_posted(database: Database, message_id: int, names: Collection[int]) -> None:
    """Remember what a message names that is edited, if it is one that was posted."""
    await database.write(
        "UPDATE posted SET names = ? WHERE message_id = ?", [json.dumps(list(names)), message_id]
    )


async def withdraw(execute: ExecuteSQL, user_id: int, tracks: Collection[int]) -> None:
    """Have the user's messages taken down, and those of others that name the user or these tracks."""
    await execute(
        "UPDATE posted SET user_id = nullif(user_id, :user), names = '[]', stale = 1 WHERE user_id = :user OR EXISTS"
        " (SELECT 1 FROM json_each(names) WHERE value IN (SELECT value FROM json_each(:erased)))",
        {"user": user_id, "erased": json.dumps([user_id, *tracks])},
    )


async def withdrawn(database: Database) -> list[Row]:
    """Return message_id, channel_id, language and user_id (None: an erased member's) of messages to take down."""
    return await database.fetch("SELECT * FROM posted WHERE stale")


async def drop_posted(database: Database, message_id: int) -> None:
    """Forget a message that was taken down."""
    await database.write("DELETE FROM posted WHERE message_id = ?", [message_id])
