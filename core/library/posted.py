"""Messages for everybody in a channel that show something of members, so that they go when that is erased."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from core.library.connection import ExecuteSQL
from core.library.database import Database


@dataclass(frozen=True)
class Posted:
    """A message, whose it is, which tracks and members it names besides, and its language. `user_id` is None once its
    owner was erased."""

    message_id: int
    channel_id: int
    user_id: int | None
    tracks: Collection[int] = ()
    members: Collection[int] = ()
    language: str = "en"


async def put_posted(database: Database, one: Posted) -> None:
    """Remember a message, or what it names now. Raises sqlite3.IntegrityError where `guard_writes` refuses."""
    await database.write(
        "INSERT INTO posted (message_id, channel_id, user_id, tracks, members, language) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (message_id) DO UPDATE SET tracks = excluded.tracks, members = excluded.members",
        [
            one.message_id,
            one.channel_id,
            one.user_id,
            json.dumps(list(one.tracks)),
            json.dumps(list(one.members)),
            one.language,
        ],
    )


async def withdraw(execute: ExecuteSQL, user_id: int, tracks: Collection[int]) -> None:
    """Have the member's messages taken down, and those of others that name the member or these tracks."""
    await execute(
        "UPDATE posted SET user_id = nullif(user_id, :user), stale = 1, tracks = '[]', members = '[]' WHERE user_id = :user"
        " OR EXISTS (SELECT 1 FROM json_each(members) WHERE value = :user)"
        " OR EXISTS (SELECT 1 FROM json_each(tracks) WHERE value IN (SELECT value FROM json_each(:tracks)))",
        {"user": user_id, "tracks": json.dumps(list(tracks))},
    )


async def withdrawn(database: Database) -> list[Posted]:
    """Return the messages to take down."""
    rows = await database.fetch("SELECT message_id, channel_id, user_id, language FROM posted WHERE stale")
    return [Posted(row[0], row[1], row[2], language=row[3]) for row in rows]


async def drop_posted(database: Database, message_id: int) -> None:
    """Forget a message that was taken down."""
    await database.write("DELETE FROM posted WHERE message_id = ?", [message_id])
