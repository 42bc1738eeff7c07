"""Latent vectors of the library: how tracks are found that sound alike to the genre network."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_left
from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from core.errors import Fact, UserError, fact
from core.genre.neighbours import Vectors, neighbours, unit
from core.library.connection import Row
from core.library.database import Database

NONE = (
    "No track has a latent vector yet: `moodstem index FOLDER` makes them, with the model that `[jobs] genre_model` names"
    " or the bundled one."
)


@dataclass(frozen=True)
class Latents:
    """The vectors of one model: `vectors` (tracks, width) have length 1 and are float32, in the order of `ids`, which
    rise.

    A million of 128 numbers take 512 MB.
    """

    model: str
    ids: list[int]
    vectors: Vectors

    def near(
        self, query: Vectors, count: int, visible: Container[int], exclude: int | None = None
    ) -> list[tuple[int, float]]:
        """Return (track id, cosine) of the `count` visible tracks nearest to a vector of length 1, nearest first; exact."""
        wanted = count + 1
        while True:  # hardly ever more than once: looking at each id would take longer than the search
            rows, found = neighbours(self.vectors, query, wanted)
            near = [
                (self.ids[row], float(cosine))
                for row, cosine in zip(rows.tolist(), found, strict=True)
                if self.ids[row] != exclude and self.ids[row] in visible
            ]
            if len(near) >= count or wanted >= len(self.ids):
                return near[:count]
            wanted *= 4

    def of(self, track_id: int) -> Vectors | None:
        row = bisect_left(self.ids, track_id)
        return self.vectors[row] if row < len(self.ids) and self.ids[row] == track_id else None


async def model_of(database: Database, track_id: int) -> str | None:
    """Return the name of the model that made the track's vector, if it has one."""
    row = await database.fetch_one("SELECT model FROM latent WHERE track_id = ?", [track_id])
    return row["model"] if row else None


async def load_latents(database: Database, model: str | None = None) -> Latents:
    """Return all vectors of a model, by default of the one with most tracks. Raises UserError where there are none."""
    if model is None:
        row = await database.fetch_one(
            "SELECT model FROM latent GROUP BY model ORDER BY count(*) DESC, model LIMIT 1"
        )
        if row is None:
            raise UserError(NONE)
        model = str(row["model"])
    rows = await database.fetch(
        "SELECT track_id, vector FROM latent WHERE model = ? ORDER BY track_id", [model]
    )
    if not rows:
        raise UserError(NONE)
    return await asyncio.to_thread(_latents, model, rows)


def _latents(model: str, rows: list[Row]) -> Latents:
    matrix = np.frombuffer(b"".join(row["vector"] for row in rows), "<f4").reshape(len(rows), -1)
    return Latents(model, [row["track_id"] for row in rows], unit(matrix))


async def told(database: Database, track_id: int) -> dict[str, float]:
    """Return {genre: probability} as the network predicts for a track; empty where it has not run."""
    row = await database.fetch_one("SELECT genres FROM latent WHERE track_id = ?", [track_id])
    return dict(json.loads(row["genres"])) if row else {}


def common_genre(here: dict[str, float], there: dict[str, float]) -> list[Fact]:
    """Return what the network hears most in both, {genre: share} each, as a fact; nothing if they share no genre."""
    common = {name: min(share, there[name]) for name, share in here.items() if name in there}
    if not common:
        return []
    name = max(common, key=lambda one: common[one])
    return [fact("both-genre", here=here[name], there=there[name], genre=name)]
