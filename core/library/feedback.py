"""What members said of tracks (👍 👎), and what else they did with them that says something, too."""

from __future__ import annotations

from core.library.database import Database

AGAIN_S = 60
"""Seconds within which two presses are not yet playing it again."""


class Feedback:
    """Members' opinions in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say(self, user_id: int, track_id: int, liked: bool | None) -> None:
        """Keep 👍 (True) or 👎 (False), or take it back (None)."""
        if liked is None:
            sql = "DELETE FROM feedback WHERE user_id=? AND track_id=?"
            await self._database.write(sql, (user_id, track_id))
            return
        await self._database.write(
            "INSERT INTO feedback (user_id, track_id, liked) VALUES (?, ?, ?) ON CONFLICT (user_id, track_id)"
            " DO UPDATE SET liked=excluded.liked, at=unixepoch()",
            (user_id, track_id, int(liked)),
        )

    async def said(self, user_id: int, track_id: int) -> bool | None:
        """Return what the member said of the track, as `say` was told it."""
        row = await self._database.fetch_one(
            "SELECT liked FROM feedback WHERE user_id=? AND track_id=?", (user_id, track_id)
        )
        return None if row is None else bool(row["liked"])

    async def kinds(self, user_id: int, at: float) -> list[tuple[int, float, str]]:
        """Return (track id, Unix time, 'played', 'replayed', 'skipped', 'saved', 'liked' or 'disliked') until `at`.

        Of several of one track, the last one counts: the explicit word above all.
        """
        rows = await self._database.fetch(_KINDS, {"user": user_id, "now": at, "again": AGAIN_S})
        return [(row["track_id"], row["at"], row["kind"]) for row in rows]

    async def state(self) -> tuple[int, int]:
        """Return how many members have said something, and a number that changes with what they said."""
        [row] = await self._database.fetch(
            "SELECT count(*) AS number, coalesce(max(at), 0) AS latest, coalesce(sum(liked), 0) AS likes,"
            " count(DISTINCT user_id) AS members FROM feedback"
        )
        return row["members"], hash((row["number"], row["latest"], row["likes"]))

    async def everybodys(self) -> list[tuple[int, int, bool]]:
        """Return (user id, track id, liked) of all that was said, oldest first."""
        rows = await self._database.fetch("SELECT user_id, track_id, liked FROM feedback ORDER BY at")
        return [(row["user_id"], row["track_id"], bool(row["liked"])) for row in rows]


# What was skipped last counts as skipped, whatever was before; presses within AGAIN_S are one.
_KINDS = """
SELECT track_id, at, CASE WHEN skipped THEN 'skipped' WHEN times > 1 THEN 'replayed' ELSE 'played' END AS kind FROM (
    SELECT track_id, max(at) AS at, count(DISTINCT at / :again) FILTER (WHERE heard) AS times, coalesce(skipped_at <= :now, 0) AS skipped
    FROM play WHERE user_id = :user AND at <= :now GROUP BY track_id
)
UNION ALL
SELECT entry.track_id, playlist.changed_at, 'saved' FROM playlist_entry AS entry
JOIN playlist ON playlist.id = entry.playlist_id
WHERE playlist.user_id = :user AND entry.track_id IS NOT NULL AND playlist.changed_at <= :now
UNION ALL
SELECT track_id, at, CASE liked WHEN 1 THEN 'liked' ELSE 'disliked' END FROM feedback
WHERE user_id = :user AND at <= :now
"""
