"""Journeys that were made: their cards go on working after a restart, and show what they showed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.errors import Refusal
from core.library.connection import Row
from core.library.database import Database
from core.library.recommendations import Pick, fields_of, pick_from_json
from core.moods.profile import Profile


@dataclass(frozen=True)
class JourneyQuestion:
    """What was asked; `goal` a mood, `chosen` the present mood where it was named with the command."""

    start: Profile
    goal: str
    count: int
    minutes: int | None = None
    chosen: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "start": self.start.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JourneyQuestion:
        return cls(**{**data, "start": Profile.from_json(data["start"])})


@dataclass(frozen=True)
class Stop:
    """One track as it was shown: where the step was to be and where the track lies on the way, 0..1."""

    pick: Pick
    asked: float
    at: float


@dataclass(frozen=True)
class Made:
    """A journey as it was shown; `drawn` is what its picture shows (core.recommend.journey.drawn)."""

    id: int
    user_id: int
    question: JourneyQuestion
    stops: list[Stop]
    drawn: dict[str, Any]

    @property
    def ends(self) -> list[list[str]]:
        """The one or two moods that name each end."""
        return list(self.drawn["ends"])

    @property
    def seconds(self) -> float:
        return float(self.drawn["seconds"])


class Journeys:
    """Journeys as they were shown, so that their cards go on after a restart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, user_id: int, question: JourneyQuestion, stops: list[Stop], drawn: dict[str, Any]
    ) -> Made:
        [row] = await self._database.write(
            "INSERT INTO journey (user_id, asked, steps, drawn) VALUES (?, ?, ?, ?) RETURNING *",
            (
                user_id,
                json.dumps(question.to_json(), allow_nan=False),
                json.dumps(stops, default=fields_of, allow_nan=False),
                json.dumps(drawn, allow_nan=False),
            ),
        )
        return _made(row)

    async def own(self, journey_id: int, user_id: int) -> Made:
        """Raises UserError when it is no longer kept, and for everybody else."""
        row = await self._database.fetch_one("SELECT * FROM journey WHERE id = ?", (journey_id,))
        if row is None:
            raise Refusal("journey-gone")
        if row["user_id"] != user_id:
            raise Refusal("journey-not-yours")
        return _made(row)


def _made(row: Row) -> Made:
    return Made(
        row["id"],
        row["user_id"],
        JourneyQuestion.from_json(json.loads(row["asked"])),
        [Stop(pick_from_json(stop["pick"]), stop["asked"], stop["at"]) for stop in json.loads(row["steps"])],
        json.loads(row["drawn"]),
    )
