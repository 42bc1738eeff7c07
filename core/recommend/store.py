"""What was recommended to whom and why: buttons of old cards go on working, and picks are not repeated at once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from core.library.store import Database, Row

FOR, AGAINST = 6, 3  # reasons kept for each track; all of them can be had again at any time


@dataclass(frozen=True)
class Pick:
    """One recommended track as it was shown: the numbers stay what they were."""

    track_id: int
    title: str
    artist: str | None
    genre: str | None
    score: float
    reasons: list[dict[str, Any]]
    against: list[dict[str, Any]]


@dataclass(frozen=True)
class Recommended:
    """One answer to /recommend."""

    id: int
    user_id: int
    occasion: str | None
    picks: list[Pick]


class Recommendations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, user_id: int, occasion: str | None, picks: list[Pick]) -> Recommended:
        [row] = await self._database.write(
            "INSERT INTO recommendation (user_id, occasion, tracks) VALUES (?, ?, ?) RETURNING *",
            (user_id, occasion, json.dumps([asdict(pick) for pick in picks], allow_nan=False)),
        )
        return _recommended(row)

    async def get(self, recommendation_id: int) -> Recommended | None:
        row = await self._database.fetch_one("SELECT * FROM recommendation WHERE id=?", (recommendation_id,))
        return _recommended(row) if row else None

    async def shown_lately(self, user_id: int, seconds: int = 3600) -> set[int]:
        """Track ids that this member was shown within the last `seconds`."""
        rows = await self._database.fetch(
            "SELECT tracks FROM recommendation WHERE user_id=? AND made_at > unixepoch() - ?",
            (user_id, seconds),
        )
        return {pick["track_id"] for row in rows for pick in json.loads(row["tracks"])}


def _recommended(row: Row) -> Recommended:
    return Recommended(
        row["id"], row["user_id"], row["occasion"], [Pick(**pick) for pick in json.loads(row["tracks"])]
    )
