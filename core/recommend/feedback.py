"""What a member thinks of tracks, and the term that it adds to every score.

Explicit opinions (👍 👎) count fully, what one saved or played counts less; all fade with time. A track gains by sounding
like what was liked and loses by sounding like what was not (Rocchio 1971, on standardised timbre), and gains when
those who liked the same tracks liked it, too (core.recommend.taste). Who has said nothing has no term at all: mood and
occasion decide alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.i18n import tr
from core.library.catalog import Catalog
from core.library.store import Database
from core.recommend.sequence import Share
from core.recommend.similarity import timbre_vectors
from core.recommend.taste import Interactions, Parameters, item_weights, strengths

LIKE, DISLIKE = 1.0, -1.0
SAVED, PLAYED = 0.6, 0.2
HALF_LIFE_DAYS = 180.0
"""After which an opinion counts half: tastes change over seasons, not weeks."""

SOUND = 0.15
"""What a track gains that sounds exactly like everything one likes: as much as the strongest preference."""

OTHERS = 0.10
"""What a track gains at most that those with the same taste like."""

REFUSED = 0.5
"""What a track loses that the member said no to: enough that it does not come back by itself."""

SHRINKAGE = 2.0
"""Opinions that everybody is taken to have had without an effect: one like does not turn the list over."""

FEWEST_MEMBERS = 5
"""With fewer who said something, nothing is told from one to the other, and nobody's opinion can be guessed."""


@dataclass(frozen=True)
class Opinions:
    """One member's view: {track id: weight}, negative for dislikes, and what the community adds by item.

    `explicit` are the tracks that the member judged; `others` are the item-item weights of the community, with the track
    ids of its rows and columns, or None where too few have said anything.
    """

    weights: Mapping[int, float]
    explicit: frozenset[int] = frozenset()
    others: tuple[tuple[int, ...], NDArray[np.float32]] | None = None


class TasteTerm:
    """The term of `core.recommend.sequence.Term` for one member."""

    def __init__(self, catalog: Catalog, opinions: Opinions) -> None:
        self.catalog = catalog
        known = [(track_id, weight) for track_id, weight in opinions.weights.items() if track_id in catalog]
        self.rows = [catalog.index(track_id) for track_id, _ in known]
        self.weights = np.array([weight for _, weight in known], dtype=np.float32)
        self.weights /= max(float(np.abs(self.weights).sum()) + SHRINKAGE, 1e-9)
        self.refused = {
            catalog.index(track_id)
            for track_id, weight in known
            if weight < 0 and track_id in opinions.explicit
        }
        self.vectors = timbre_vectors(catalog)
        self.community = self._community(opinions)

    def _community(self, opinions: Opinions) -> dict[int, list[tuple[int, float]]]:
        """{row: what each of the member's tracks adds, [(row of it, gain)]}, for tracks that the community knows."""
        if opinions.others is None:
            return {}
        ids, table = opinions.others
        place = {track_id: number for number, track_id in enumerate(ids)}
        own = [
            (place[track_id], self.catalog.index(track_id), weight)
            for track_id, weight in opinions.weights.items()
            if track_id in place and track_id in self.catalog
        ]
        found: dict[int, list[tuple[int, float]]] = {}
        for track_id, column in place.items():
            if track_id not in self.catalog or not own:
                continue
            parts = [(row, float(weight * table[number, column])) for number, row, weight in own]
            total = sum(gain for _, gain in parts)
            scale = OTHERS * math.tanh(total) / total if abs(total) > 1e-6 else 0.0
            if scale:
                found[self.catalog.index(track_id)] = [(row, gain * scale) for row, gain in parts]
        return found

    def add_to(self, scores: NDArray[np.float32]) -> None:
        if not self.rows:
            return
        scores += SOUND * (self.vectors @ (self.weights @ self.vectors[self.rows]))
        for row, parts in self.community.items():
            scores[row] += sum(gain for _, gain in parts)
        for row in self.refused:
            scores[row] -= REFUSED

    def at(self, row: int) -> list[Share]:
        """What taste adds to one track: by its sound, by others, by a no."""
        if not self.rows:
            return []
        alike = self.vectors[self.rows] @ self.vectors[row]
        parts = SOUND * self.weights * alike
        value = float(parts.sum())
        strongest = int(np.argmax(parts if value >= 0 else -parts))
        title = self.catalog.tracks[self.rows[strongest]].title
        liked = self.weights[strongest] > 0
        if self.rows[strongest] == row:
            text = tr("You like this one.") if liked else tr("You did not like this one.")
        elif alike[strongest] > 0:
            text = (
                tr("It sounds like “{title}”, which you like.", title=title)
                if liked
                else tr("It sounds like “{title}”, which you did not like.", title=title)
            )
        else:
            text = (
                tr("It sounds unlike “{title}”, which you like.", title=title)
                if liked
                else tr("It sounds unlike “{title}”, which you did not like.", title=title)
            )
        shares = [Share("taste.sound", value, float(alike[strongest]), "cosine", text)]
        if row in self.community:
            gains = self.community[row]
            total = sum(gain for _, gain in gains)
            first = self.catalog.tracks[max(gains, key=lambda one: one[1] * np.sign(total))[0]].title
            text = (
                tr("Others who like “{title}” like it, too.", title=first)
                if total > 0
                else tr("Others who like “{title}” rarely like it.", title=first)
            )
            shares.append(Share("taste.others", total, total, "score", text))
        if row in self.refused:
            shares.append(Share("taste.no", -REFUSED, 1.0, "opinion", tr("You said no to this one.")))
        return shares


class Feedback:
    """Members' opinions in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._others: tuple[int, tuple[tuple[int, ...], NDArray[np.float32]] | None] | None = None

    async def say(self, user_id: int, track_id: int, liked: bool | None) -> None:
        """Keep 👍 (True) or 👎 (False), or take it back (None)."""
        if liked is None:
            await self._database.write(
                "DELETE FROM feedback WHERE user_id=? AND track_id=?", (user_id, track_id)
            )
            return
        await self._database.write(
            "INSERT INTO feedback (user_id, track_id, liked) VALUES (?, ?, ?) ON CONFLICT (user_id, track_id)"
            " DO UPDATE SET liked=excluded.liked, at=unixepoch()",
            (user_id, track_id, int(liked)),
        )

    async def said(self, user_id: int, track_id: int) -> bool | None:
        row = await self._database.fetch_one(
            "SELECT liked FROM feedback WHERE user_id=? AND track_id=?", (user_id, track_id)
        )
        return None if row is None else bool(row["liked"])

    async def opinions(self, user_id: int, at: float | None = None) -> Opinions:
        """What the member said, saved and played until `at` (now), the explicit word above all, and what the community
        adds."""
        now = time.time() if at is None else at
        rows = await self._database.fetch(_OPINIONS, {"user": user_id, "now": now})
        weights: dict[int, float] = {}
        explicit: set[int] = set()
        for row in rows:  # the weakest first
            faded = 0.5 ** (max(now - row["at"], 0) / 86_400 / HALF_LIFE_DAYS)
            weights[row["track_id"]] = faded * row["weight"]
            if row["said"]:
                explicit.add(row["track_id"])
        return Opinions(weights, frozenset(explicit), await self._community() if weights else None)

    async def _community(self) -> tuple[tuple[int, ...], NDArray[np.float32]] | None:
        """Item-item weights of everybody's explicit opinions, made again when one has changed."""
        [row] = await self._database.fetch(
            "SELECT count(*) AS number, coalesce(max(at), 0) AS latest, coalesce(sum(liked), 0) AS likes,"
            " count(DISTINCT user_id) AS members FROM feedback"
        )
        version = hash((row["number"], row["latest"], row["likes"]))
        if self._others is not None and self._others[0] == version:
            return self._others[1]
        found = None
        if row["members"] >= FEWEST_MEMBERS:
            rows = await self._database.fetch("SELECT user_id, track_id, liked FROM feedback ORDER BY at")
            users, user = np.unique([one["user_id"] for one in rows], return_inverse=True)
            items, item = np.unique([one["track_id"] for one in rows], return_inverse=True)
            value = np.array([LIKE if one["liked"] else DISLIKE for one in rows])
            names = tuple(map(str, users.tolist())), tuple(map(str, items.tolist()))
            data = Interactions(*names, user, item, value, None)
            table = item_weights(strengths(data, Parameters(power=1.0)), ridge=max(5.0, len(users) / 4))
            found = tuple(int(one) for one in items), table
        self._others = version, found
        return found


_OPINIONS = f"""
SELECT track_id, {PLAYED} AS weight, max(at) AS at, 0 AS said FROM play
WHERE user_id = :user AND at <= :now GROUP BY track_id
UNION ALL
SELECT entry.track_id, {SAVED}, playlist.changed_at, 0 FROM playlist_entry AS entry
JOIN playlist ON playlist.id = entry.playlist_id
WHERE playlist.user_id = :user AND entry.track_id IS NOT NULL AND playlist.changed_at <= :now
UNION ALL
SELECT track_id, CASE liked WHEN 1 THEN {LIKE} ELSE {DISLIKE} END, at, 1 FROM feedback
WHERE user_id = :user AND at <= :now
"""
