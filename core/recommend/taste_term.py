"""What a member thinks of tracks, and the term that it adds to every score.

Explicit opinions (👍 👎) count fully; what one saved, played again, played or skipped counts less (KINDS) and fades sooner.
A track gains by sounding like what was liked and loses by sounding like what was not (Rocchio 1971, on standardised
timbre), and gains when those who liked the same tracks liked it, too, and when members with the same taste like it
(core.recommend.community). Who has said nothing has no term at all: mood and occasion decide alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.errors import fact
from core.library.catalog import Catalog
from core.library.feedback import Feedback
from core.recommend.community import ITEMS, USERS, Community, community
from core.recommend.diversity import Share
from core.recommend.similar import timbre_vectors

LIKE, DISLIKE = 1.0, -1.0
SAVED, REPLAYED, PLAYED, SKIPPED = 0.6, 0.4, 0.2, -0.3
KINDS = {"saved": SAVED, "replayed": REPLAYED, "played": PLAYED, "skipped": SKIPPED}
"""What counts without a word: saved in a playlist, played again, played, left within SKIP_S (core.library.history)."""

HALF_LIFE_DAYS, IMPLICIT_HALF_LIFE_DAYS = 180.0, 60.0
"""After which an opinion, and what was only played or saved, counts half: tastes change over seasons, not weeks."""

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

    `explicit` are the tracks that the member judged, `kinds` says of the others why they count (KINDS); `others` are the
    item-item weights of the community, with the track ids of its rows and columns, or None where too few have said
    anything; `neighbours` what members with the same taste think: {track id: (mean, how many)}.
    """

    weights: Mapping[int, float]
    explicit: frozenset[int] = frozenset()
    others: tuple[tuple[int, ...], NDArray[np.float32]] | None = None
    kinds: Mapping[int, str] = field(default_factory=dict)
    neighbours: Mapping[int, tuple[float, int]] = field(default_factory=dict)


class TasteTerm:
    """The term of `core.recommend.diversity.Term` for one member."""

    def __init__(self, catalog: Catalog, opinions: Opinions) -> None:
        self.catalog = catalog
        known = [(track_id, weight) for track_id, weight in opinions.weights.items() if track_id in catalog]
        self.rows = [catalog.index(track_id) for track_id, _ in known]
        self.weights = np.array([weight for _, weight in known], dtype=np.float32)
        self.said = [
            (opinions.kinds.get(track_id) or ("liked" if weight > 0 else "disliked"), abs(weight))
            for track_id, weight in known
        ]
        self.weights /= max(float(np.abs(self.weights).sum()) + SHRINKAGE, 1e-9)
        self.refused = {
            catalog.index(track_id)
            for track_id, weight in known
            if weight < 0 and track_id in opinions.explicit
        }
        self.vectors = timbre_vectors(catalog)
        self.community = self._community(opinions)
        self.neighbours = {
            catalog.index(track_id): (OTHERS * USERS * mean, count)
            for track_id, (mean, count) in opinions.neighbours.items()
            if track_id in catalog and track_id not in opinions.weights and mean
        }

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
            scale = OTHERS * ITEMS * math.tanh(total) / total if abs(total) > 1e-6 else 0.0
            if scale:
                found[self.catalog.index(track_id)] = [(row, gain * scale) for row, gain in parts]
        return found

    def add_to(self, scores: NDArray[np.float32]) -> None:
        if not self.rows:
            return
        scores += SOUND * (self.vectors @ (self.weights @ self.vectors[self.rows]))
        for row, parts in self.community.items():
            scores[row] += sum(gain for _, gain in parts)
        for row, (gain, _) in self.neighbours.items():
            scores[row] += gain
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
        kind, weight = self.said[strongest]
        which = "it" if self.rows[strongest] == row else "like" if alike[strongest] > 0 else "unlike"
        told = fact(f"{which}-{kind}", title=title, weight=weight)
        shares = [Share("taste.sound", value, float(alike[strongest]), "cosine", told)]
        if row in self.community:
            gains = self.community[row]
            total = sum(gain for _, gain in gains)
            first = self.catalog.tracks[max(gains, key=lambda one: one[1] * np.sign(total))[0]].title
            told = fact("others-like" if total > 0 else "others-rarely-like", title=first)
            shares.append(Share("taste.others", total, total, "score", told))
        if row in self.neighbours:
            gain, count = self.neighbours[row]
            told = fact("neighbours-like" if gain > 0 else "neighbours-dislike", count=count)
            shares.append(Share("taste.neighbours", gain, float(count), "members", told))
        if row in self.refused:
            shares.append(Share("taste.no", -REFUSED, 1.0, "opinion", fact("refused")))
        return shares


class Tastes:
    """What members think, as terms of scores; the community's part is put together once for all of them."""

    def __init__(self, feedback: Feedback) -> None:
        self._feedback = feedback
        self._others: tuple[int, Community | None] | None = None

    async def opinions(self, user_id: int, at: float | None = None) -> Opinions:
        """What the member said, saved and played until `at` (now), the explicit word above all, and what the community
        adds."""
        now = time.time() if at is None else at
        weights: dict[int, float] = {}
        kinds: dict[int, str] = {}
        for track_id, since, kind in await self._feedback.kinds(user_id, now):
            half = IMPLICIT_HALF_LIFE_DAYS if kind in KINDS else HALF_LIFE_DAYS
            faded = 0.5 ** (max(now - since, 0) / 86_400 / half)
            weights[track_id] = faded * KINDS.get(kind, LIKE if kind == "liked" else DISLIKE)
            kinds[track_id] = kind
        explicit = frozenset(track_id for track_id, kind in kinds.items() if kind not in KINDS)
        known = await self._community() if weights else None
        return Opinions(
            weights,
            explicit,
            (known.tracks, known.table) if known else None,
            kinds,
            known.of(user_id) if known else {},
        )

    async def terms(self, user_id: int, catalog: Catalog, at: float | None = None) -> list[TasteTerm]:
        """What the member's taste adds to every score, as it stood at `at` (now); nothing of who has said nothing."""
        opinions = await self.opinions(user_id, at)
        return [TasteTerm(catalog, opinions)] if opinions.weights else []

    async def _community(self) -> Community | None:
        """Everybody's explicit opinions, put together again when one has changed; None while too few have one."""
        members, version = await self._feedback.state()
        if self._others is not None and self._others[0] == version:
            return self._others[1]
        found = None
        if members >= FEWEST_MEMBERS:
            said = await self._feedback.everybodys()
            found = community((user, track, LIKE if liked else DISLIKE) for user, track, liked in said)
        self._others = version, found
        return found
