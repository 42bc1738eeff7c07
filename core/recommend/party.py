"""One playlist for several people: nobody is left far below the rest.

The mean of everybody's scores serves those who agree and lets the others sit through the evening; the worst score
alone lets one person's dislike rule (Masthoff 2004 compares both with what groups really choose). Here tracks are
chosen one after the other, each for the most good while whoever has had least so far counts most: the sum over
members of -exp(-FAIRNESS x satisfaction so far) is raised as far as possible, as in sequences that are balanced over
time (Masthoff 2004; Xiao et al. 2017 on fairness in group recommendation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.library.catalog import Catalog
from core.library.parties import Guest, Heard
from core.moods.profile import Profile
from core.recommend.explain import in_short
from core.recommend.rules import Recommendation, explain_tracks, topic_weights
from core.recommend.topic_scores import prepare

FAIRNESS = 4.0
"""How much more those count who have had less: someone at .5 of their own best weighs e^(4 x .3) = 3.3 times as much
as someone at .8."""

POOL = 200
"""Candidates: this many of the best for each member and for their mean."""

REASONS = 3
"""Reasons kept for each member and track."""

SAME_ARTIST = 0.1
"""Satisfaction that a track must bring more for each earlier one by the same artist."""


@dataclass(frozen=True)
class Shared:
    """A track of the playlist, with each member's own score and reasons."""

    members: Mapping[int, Recommendation]

    @property
    def track_id(self) -> int:
        return next(iter(self.members.values())).track.id

    @property
    def happiest(self) -> int:
        """The member whom this track suits best."""
        return max(self.members, key=lambda member: (self.members[member].score, -member))


@dataclass(frozen=True)
class Party:
    """`better_than`: for each member, the share of the library that suits them less than the playlist's tracks do, as a
    mean over these; .5 would be a random choice."""

    tracks: list[Shared]
    better_than: dict[int, float]


def party(
    catalog: Catalog, profiles: Mapping[int, Profile], occasion: str | None = None, count: int = 10
) -> Party:
    """A playlist of `count` tracks for the members {user id: profile}, in the order in which they were chosen.

    Deterministic; equal choices go to the lower track id. Raises UserError for fewer than one member or an unknown
    occasion.
    """
    if not profiles:
        raise Refusal("party-empty")
    count = min(count, len(catalog))
    if count < 1:
        return Party([], dict.fromkeys(profiles, 0.5))
    shares = satisfactions(catalog, profiles, occasion, count)
    rows = balanced(catalog, shares, count)
    found = {
        member: explain_tracks(catalog, profile, occasion, [catalog.tracks[row].id for row in rows])
        for member, profile in profiles.items()
    }
    tracks = [Shared({member: found[member][place] for member in profiles}) for place in range(len(rows))]
    ranks = [float((member[:, None] < member[rows]).mean()) for member in shares]
    return Party(tracks, dict(zip(profiles, ranks, strict=True)))


def satisfactions(
    catalog: Catalog, profiles: Mapping[int, Profile], occasion: str | None, count: int
) -> NDArray[np.float32]:
    """(members, tracks): each score on a scale where 0 is the member's mean over the library and 1 the mean of the
    member's own best `count`, so that people who differ in how strongly they feel count the same."""
    prepared = prepare(catalog)
    table = np.empty((len(profiles), len(catalog)), dtype=np.float32)
    for number, profile in enumerate(profiles.values()):
        scores = prepared.scores(topic_weights(profile, occasion))
        best = np.partition(scores, len(scores) - count)[len(scores) - count :].mean()
        spread = float(best - scores.mean())
        table[number] = (scores - scores.mean()) / spread if spread > 1e-6 else 0.0
    return table


def balanced(catalog: Catalog, shares: NDArray[np.float32], count: int) -> list[int]:
    """The rows of `count` tracks, chosen greedily from `shares` (members, tracks)."""
    pool = {int(row) for member in shares for row in catalog.best_first(member, POOL)}
    pool |= {int(row) for row in catalog.best_first(shares.mean(axis=0), POOL)}
    rows = np.array(sorted(pool, key=lambda row: catalog.tracks[row].id))
    so_far = np.zeros((len(shares), 1))
    artists: dict[str, int] = {}
    repeats = np.zeros(len(rows))
    free = np.ones(len(rows), dtype=bool)
    chosen: list[int] = []
    for place in range(1, min(count, len(rows)) + 1):
        reached = (so_far + shares[:, rows] - SAME_ARTIST * repeats) / place
        worth = np.where(free, -np.exp(-FAIRNESS * reached).sum(axis=0), -np.inf)
        best = int(np.argmax(worth))  # the first of equals, which has the lowest track id
        chosen.append(int(rows[best]))
        free[best] = False
        so_far += shares[:, rows[best], None]
        artist = catalog.tracks[rows[best]].artist
        if artist:
            artists[artist] = artists.get(artist, 0) + 1
            repeats = np.array([artists.get(catalog.tracks[row].artist or "", 0) for row in rows])
    return chosen


def tracks_of(made: Party) -> list[dict[str, Any]]:
    """Return what is kept of each track: track_id, title, artist and genre."""
    found = (next(iter(shared.members.values())).track for shared in made.tracks)
    return [
        {"track_id": one.id, "title": one.title, "artist": one.artist, "genre": one.genre} for one in found
    ]


def guests_of(made: Party) -> list[Guest]:
    """Return what is kept for each member."""
    return [Guest(user_id, better, _heard(made, user_id)) for user_id, better in made.better_than.items()]


def _heard(made: Party, user_id: int) -> list[Heard]:
    """What each track holds for one member. The first reason stands on the card where the track suits them best: it says
    something that did not stand there before, if that counts for nearly as much."""
    found, said = [], set[str]()
    for shared in made.tracks:
        one = shared.members[user_id]
        first = in_short(one, 1, said if shared.happiest == user_id else set(said))
        reasons = [*first, *(reason for reason in one.reasons if reason not in first)]
        found.append(Heard(one.score, reasons[:REASONS]))
    return found
