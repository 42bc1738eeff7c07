"""Parties that were opened, who joined, and what they got: cards go on working after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from core.library.database import Database
from core.library.recommendations import Reason, fields_of


@dataclass(frozen=True)
class Heard:
    """One track for one member."""

    score: float
    reasons: list[Reason]


@dataclass(frozen=True)
class Guest:
    """A member who joined; without a playlist yet, `better_than` is None and `heard` empty."""

    user_id: int
    better_than: float | None = None
    heard: list[Heard] = field(default_factory=list)


@dataclass(frozen=True)
class Opened:
    """A party as it stands. `tracks` are dicts of track_id, title, artist and genre, empty before it is made."""

    id: int
    host: int
    occasion: str | None
    count: int
    tracks: list[dict[str, Any]]
    guests: list[Guest]


class Parties:
    """Parties that were opened, who is in, and the playlist that came of each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, host: int, guild_id: int | None, occasion: str | None, count: int) -> Opened:
        [row] = await self._database.write(
            "INSERT INTO party (user_id, guild_id, occasion, count) VALUES (?, ?, ?, ?) RETURNING id",
            (host, guild_id, occasion, count),
        )
        return Opened(row["id"], host, occasion, count, [], [])

    async def get(self, party_id: int, guild_id: int | None) -> Opened | None:
        """A party of this server, None where it is no longer kept or another's."""
        row = await self._database.fetch_one(
            "SELECT * FROM party WHERE id=? AND guild_id IS ?", (party_id, guild_id)
        )
        if row is None:
            return None
        guests = await self._database.fetch(
            "SELECT * FROM party_member WHERE party_id=? ORDER BY joined_at, user_id", (party_id,)
        )
        found = [
            Guest(
                one["user_id"], one["better_than"], [_heard_of(heard) for heard in json.loads(one["reasons"])]
            )
            for one in guests
        ]
        tracks = json.loads(row["tracks"])
        return Opened(row["id"], row["user_id"], row["occasion"], row["count"], tracks, found)

    async def join(self, party_id: int, user_id: int) -> None:
        await self._database.write(
            "INSERT INTO party_member (party_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (party_id, user_id),
        )

    async def leave(self, party_id: int, user_id: int) -> None:
        await self._database.write(
            "DELETE FROM party_member WHERE party_id=? AND user_id=?", (party_id, user_id)
        )

    async def make(self, party_id: int, tracks: list[dict[str, Any]], guests: list[Guest]) -> None:
        """Keep a playlist and what it holds for each member who is still there; both or neither."""
        async with self._database.transaction() as transaction:
            await transaction.run("UPDATE party SET tracks=? WHERE id=?", (json.dumps(tracks), party_id))
            await transaction.run(
                "UPDATE party_member SET better_than=NULL, reasons='[]' WHERE party_id=?", (party_id,)
            )
            for guest in guests:
                heard = json.dumps(guest.heard, default=fields_of, allow_nan=False)
                await transaction.run(
                    "UPDATE party_member SET better_than=?, reasons=? WHERE party_id=? AND user_id=?",
                    (guest.better_than, heard, party_id, guest.user_id),
                )


def _heard_of(data: dict[str, Any]) -> Heard:
    return Heard(data["score"], [Reason(**reason) for reason in data["reasons"]])
