"""What was recommended to whom and why: buttons of old cards go on working, and picks are not repeated at once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from core.errors import Fact, Refusal
from core.library.connection import Row
from core.library.database import Database
from core.moods.aim import aimed
from core.moods.profile import Profile

FRESHNESS_DAYS = 7.0
"""For so long a track counts as shown."""

DAY = 86400.0


@dataclass(slots=True)
class Reason:
    """One term of a score. `percentile` is None for terms that no rule gives (diversity, freshness, surprise)."""

    rule: str
    mood: str | None
    occasion: str | None
    preference: str | None
    source: str
    descriptor: str
    value: float
    unit: str
    percentile: float | None
    contribution: float
    fact: Fact
    citation: str
    steer: str | None = None

    @property
    def topic(self) -> str:
        """What the term belongs to: a mood, an occasion, 'preference.vocals', 'steer.calmer', 'freshness' ..."""
        if self.steer:
            return f"steer.{self.steer}"
        if self.preference:
            return f"preference.{self.preference}"
        return self.mood or self.occasion or self.rule.partition(".")[0]


@dataclass(frozen=True)
class RecommendationQuery:
    """The parameters of one recommendation: enough to make it again, steered or not.

    `profile` is the listener's own mood, whatever the aim; `chosen` is a mood that was named with the command instead.
    `others` asks for nothing that was shown just before, `without` (track ids) for nothing that was skipped since.
    """

    profile: Profile = field(default_factory=Profile)
    occasion: str | None = None
    aim: str = "match"
    steers: tuple[str, ...] = ()
    seed: int = 0
    count: int = 5
    chosen: str | None = None
    others: bool = False
    without: tuple[int, ...] = ()

    @property
    def target(self) -> Profile:
        """The profile to choose music for."""
        return aimed(self.profile, self.aim)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "profile": self.profile.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RecommendationQuery:
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        known["profile"] = Profile.from_json(data.get("profile", {}))
        return cls(**{**known, **{name: tuple(data.get(name, ())) for name in ("steers", "without")}})


@dataclass(frozen=True)
class Pick:
    """One recommended track with its reasons as they were when it was shown."""

    track_id: int
    title: str
    artist: str | None
    genre: str | None
    score: float
    reasons: list[Reason]
    against: list[Reason]
    missing: list[str] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)
    separator: str = ""


@dataclass(frozen=True)
class Recommended:
    """One answer to /recommend. `root_id` is its own id unless it was steered from another, its `parent_id`."""

    id: int
    user_id: int
    picks: list[Pick]
    query: RecommendationQuery
    root_id: int
    parent_id: int | None = None
    changed: Fact | None = None
    """What the last tap changed (core.recommend.steer.change)."""


class Recommendations:
    """Reads and writes recommendations as they were shown, with their reasons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self,
        user_id: int,
        query: RecommendationQuery,
        picks: list[Pick],
        *,
        parent: Recommended | None = None,
        root_id: int | None = None,
        changed: Fact | None = None,
        at: int | None = None,
    ) -> Recommended:
        """`at` (Unix time) is when the question was asked, where that matters (see `shown_before`)."""
        parent_id = parent.id if parent else None
        [row] = await self._database.write(
            "INSERT INTO recommendation (user_id, occasion, tracks, query, root_id, parent_id, changed, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, coalesce(?, unixepoch())) RETURNING id",
            (
                user_id, query.occasion, json.dumps(picks, default=fields_of, allow_nan=False),
                json.dumps(query.to_json(), allow_nan=False), root_id, parent_id, changed and json.dumps(changed), at,
            ),
        )  # fmt: skip
        return Recommended(row["id"], user_id, picks, query, root_id or row["id"], parent_id, changed)

    async def get(self, recommendation_id: int) -> Recommended:
        """Raises UserError when it is no longer kept."""
        row = await self._database.fetch_one("SELECT * FROM recommendation WHERE id=?", (recommendation_id,))
        if row is None:
            raise Refusal("picks-gone")
        return _recommended(row)

    async def latest_with(self, user_id: int, track_id: int) -> Recommended | None:
        """Return the member's latest recommendation if it contains this track."""
        row = await self._database.fetch_one(
            "SELECT * FROM recommendation WHERE user_id=? ORDER BY id DESC LIMIT 1", (user_id,)
        )
        made = _recommended(row) if row else None
        return made if made and track_id in [pick.track_id for pick in made.picks] else None

    async def latest_track_ids(self, user_id: int, limit: int) -> list[int]:
        """Return the first `limit` tracks of the member's latest picks, best first."""
        rows = await self._database.fetch(
            "SELECT json_extract(pick.value, '$.track_id') AS id FROM recommendation, json_each(tracks) AS pick"
            " WHERE recommendation.id = (SELECT max(id) FROM recommendation WHERE user_id = ?) LIMIT ?",
            (user_id, limit),
        )
        return [row["id"] for row in rows]

    async def asked_at(self, recommendation_id: int) -> int | None:
        """Return when the recommendation was made, in Unix time."""
        row = await self._database.fetch_one(
            "SELECT made_at FROM recommendation WHERE id=?", (recommendation_id,)
        )
        return int(row["made_at"]) if row else None

    async def shown_before(
        self, user_id: int, root_id: int | None = None, *, at: int | None = None
    ) -> dict[int, float]:
        """Return {track id: days since this member was shown it}, of the last FRESHNESS_DAYS before `at` (now).

        `root_id` asks for how things stood when that recommendation was made, so that what was steered from it sees
        the same.
        """
        rows = await self._database.fetch(
            "WITH now AS (SELECT coalesce((SELECT made_at FROM recommendation WHERE id=:root), :at, unixepoch()) AS at)"
            " SELECT json_extract(pick.value, '$.track_id') AS track_id, min(now.at - made_at) AS age"
            " FROM now, recommendation, json_each(tracks) AS pick"
            " WHERE user_id=:user AND (:root IS NULL OR recommendation.id < :root) AND made_at > now.at - :span"
            " GROUP BY 1",
            {"user": user_id, "root": root_id, "at": at, "span": int(FRESHNESS_DAYS * DAY)},
        )
        return {row["track_id"]: max(row["age"], 0) / DAY for row in rows}


def _recommended(row: Row) -> Recommended:
    return Recommended(
        row["id"],
        row["user_id"],
        [pick_from_json(pick) for pick in json.loads(row["tracks"])],
        RecommendationQuery.from_json(json.loads(row["query"])),
        row["root_id"] or row["id"],
        row["parent_id"],
        json.loads(row["changed"]) if row["changed"] else None,
    )


def pick_from_json(data: dict[str, Any]) -> Pick:
    """Return a pick from its JSON; `data` is changed."""
    for side in ("reasons", "against"):
        data[side] = [Reason(**reason) for reason in data[side]]
    return Pick(**data)


def fields_of(one: Any) -> dict[str, Any]:
    """Return a dataclass' fields for JSON; dataclasses.asdict copies everything in depth, which takes ten times as long."""
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
