"""What a member searched for, listened to and was recommended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.library.database import Database

SKIP_S = 10
"""Who goes on within this time did not want to hear it; a preview has thirty seconds, and Discord takes some to show it."""

NAMED = 3
"""Titles that an entry about a recommendation names."""


@dataclass(frozen=True)
class Moment:
    """One event at `at` (Unix seconds): a track was played, or tracks were recommended.

    `kind` is 'played' (id and title of the track) or 'recommended' (id of the recommendation, the first titles, the
    occasion, and how many tracks it has).
    """

    kind: str
    id: int
    at: int
    titles: list[str]
    artist: str | None = None
    occasion: str | None = None
    count: int = 1


_MOMENTS = """
SELECT 'played' AS kind, track_id AS id, at, title, artist, NULL AS occasion, NULL AS tracks, play.id AS nth
FROM play JOIN track ON track.id = track_id WHERE user_id = :user AND heard AND :kind IN ('', 'played')
UNION ALL
SELECT 'recommended', id, made_at, NULL, NULL, occasion, tracks, id
FROM recommendation WHERE user_id = :user AND :kind IN ('', 'recommended')
  AND id IN (  -- what was steered several times shows as it ended
    SELECT max(id) FROM recommendation WHERE user_id = :user GROUP BY coalesce(root_id, id)
  )
"""


class History:
    """Reads and writes events; rows are deleted with the member and after their time (jobs.retention)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def played(self, user_id: int, track_id: int) -> None:
        """Record that the member listened to the track, if the track still exists."""
        await self._database.write(
            "INSERT INTO play (user_id, track_id) SELECT ?, id FROM track WHERE id = ?", [user_id, track_id]
        )

    async def skipped(self, user_id: int, track_id: int) -> None:
        """Record that the member left the preview within SKIP_S; later than that, it counts as heard."""
        await self._database.write(
            "UPDATE play SET skipped_at = unixepoch() WHERE id = (SELECT max(id) FROM play WHERE user_id = ? AND track_id = ?)"
            " AND at > unixepoch() - ?",
            [user_id, track_id, SKIP_S],
        )

    async def passed_over(self, user_id: int, track_id: int) -> None:
        """Record that the member skipped the track where it was only shown, if the track still exists."""
        await self._database.write(
            "INSERT INTO play (user_id, track_id, skipped_at, heard) SELECT ?, id, unixepoch(), 0 FROM track WHERE id = ?",
            [user_id, track_id],
        )

    async def moments(
        self, user_id: int, kind: str = "", *, limit: int = 8, offset: int = 0
    ) -> tuple[list[Moment], int]:
        """Return a page of events, latest first, and the total number; `kind` as in Moment, '' for all."""
        parameters = {"user": user_id, "kind": kind, "limit": limit, "offset": offset}
        rows = await self._database.fetch(
            f"{_MOMENTS} ORDER BY at DESC, nth DESC LIMIT :limit OFFSET :offset", parameters
        )
        [count] = await self._database.fetch(f"SELECT count(*) FROM ({_MOMENTS})", parameters)
        found = []
        for row in rows:
            picks = json.loads(row["tracks"]) if row["tracks"] else []
            found.append(
                Moment(
                    row["kind"],
                    row["id"],
                    row["at"],
                    [pick["title"] for pick in picks[:NAMED]] or [row["title"] or ""],
                    row["artist"],
                    row["occasion"],
                    len(picks) or 1,
                )
            )
        return found, count[0]

    async def searched(self, user_id: int, asked: dict[str, Any]) -> int:
        """Store a search for the buttons of its answer, and return its id."""
        [row] = await self._database.write(
            "INSERT INTO search (user_id, asked) VALUES (?, ?) RETURNING id",
            [user_id, json.dumps(asked, allow_nan=False)],
        )
        return int(row["id"])

    async def search(self, search_id: int) -> tuple[int, dict[str, Any]] | None:
        """Return the user and the query of a search, or None when it is no longer kept."""
        row = await self._database.fetch_one("SELECT user_id, asked FROM search WHERE id = ?", [search_id])
        return (row["user_id"], json.loads(row["asked"])) if row else None
