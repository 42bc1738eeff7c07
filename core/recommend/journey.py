"""A journey: music that meets the present mood and leads to another one, step by step.

The iso principle of music therapy begins with music that matches the mood and changes it gradually (Altshuler 1948, as
traced by Heiderscheit & Madson 2015, Music Therapy Perspectives 33(1), 45-52); sad listeners who heard sad music first and happy music then felt better than
those who heard only one of them (Starcke, Mayr & von Georgi 2021). That the way in between is straight, and how much a
detour costs, is our choice. Paths between two ends of a collection: Flexer, Schnitzer, Gasser & Widmer (2008).

Step k of n aims at t = k / (n - 1) of the way: the present moods' weights times 1 - t and the wished ones' times t. A
track's score there is the sum of
- the rules' terms for these moods, and what the member's taste adds,
- its place: rules are linear, so the best for a mixture is often a track at one of the ends; what lies as far along the
  way as the step asks loses nothing, what lies at the wrong end loses PLACE,
- the step from the track before, by tempo, key and energy (core.recommend.transitions), and earlier tracks by the same artist.
The path with the highest sum is looked for with a beam of WIDTH paths; no track comes twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal, fact
from core.library.catalog import Catalog
from core.library.journeys import Stop
from core.moods.profile import MOODS, Profile
from core.recommend.affect import plane, ranked
from core.recommend.diversity import ARTIST_PENALTY, Share, Term
from core.recommend.picks import pick_of
from core.recommend.rules import Recommendation, explain_rows, topic_weights
from core.recommend.topic_scores import prepare
from core.recommend.transitions import flow

PLACE = 0.5
WIDTH, CANDIDATES = 24, 60
SHORTEST, LONGEST = 3, 40
"""Tracks of a journey."""

SIMILAR = 0.98
"""Cosine of the moods' weights from which on the way is no way."""


@dataclass(frozen=True)
class Step:
    """One track: `aim` the moods that were aimed at, together 1; `asked` how far along the way the step is, `at` where the
    track lies, both 0..1."""

    recommendation: Recommendation
    aim: dict[str, float]
    asked: float
    at: float


@dataclass(frozen=True)
class Journey:
    """From one mood to another; `seconds` is the length of all tracks, 0 where lengths are unknown."""

    start: Profile
    goal: Profile
    steps: list[Step]
    seconds: float


def journey(
    catalog: Catalog,
    start: Profile,
    goal: Profile,
    count: int = 8,
    *,
    minutes: float | None = None,
    exclude: Collection[int] = (),
    terms: Sequence[Term] = (),
    all_reasons: bool = False,
) -> Journey:
    """`count` tracks, or as many as come nearest to `minutes`, from `start` to `goal`. Deterministic.

    `exclude` (track ids) never appear, unless too few are left. Raises UserError when there is no mood at an end, when
    both ends are the same, and when the library has fewer than SHORTEST tracks.
    """
    ends = _ends(start, goal)
    free = [row for row, track in enumerate(catalog.tracks) if track.id not in exclude]
    if len(free) < max(SHORTEST, min(count, len(catalog))):
        free = list(range(len(catalog)))
    if len(free) < SHORTEST:
        raise Refusal("journey-too-few", fewest=SHORTEST)
    lengths = np.array([getattr(track, "duration_s", 0.0) for track in catalog.tracks])
    if minutes is not None:
        count = round(60 * minutes / max(float(np.median(lengths[free])), 1.0))
    longest = min(LONGEST, len(free))
    count = min(max(count, SHORTEST), longest)
    way = _Way(catalog, ends, start, free, terms)
    rows = way.rows(count)
    if minutes is not None:  # tracks differ in length: one more or less may come nearer
        tried = {count: rows}
        while True:
            off = 60 * minutes - float(lengths[rows].sum())
            other = min(max(count + (1 if off > 0 else -1), SHORTEST), longest)
            if other in tried:
                break
            tried[other] = way.rows(other)
            if abs(60 * minutes - float(lengths[tried[other]].sum())) >= abs(off):
                break
            count, rows = other, tried[other]
    return Journey(start, goal, way.steps(rows, all_reasons), float(lengths[rows].sum()))


def _ends(start: Profile, goal: Profile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ends = []
    for profile in (start, goal):
        weights = np.array([profile.moods.get(mood, 0.0) for mood in MOODS])
        if not weights.sum() > 0:
            raise Refusal("journey-without-mood")
        ends.append(weights / weights.sum())
    cosine = float(ends[0] @ ends[1] / np.linalg.norm(ends[0]) / np.linalg.norm(ends[1]))
    if cosine > SIMILAR:
        raise Refusal("journey-no-way")
    return ends[0], ends[1]


class _Way:
    """What choosing needs of one question."""

    def __init__(
        self,
        catalog: Catalog,
        ends: tuple[NDArray[np.float64], NDArray[np.float64]],
        start: Profile,
        free: Sequence[int],
        terms: Sequence[Term],
    ) -> None:
        self.catalog, self.ends, self.preferences, self.terms = catalog, ends, start.preferences, terms
        self.free = np.array(free, dtype=np.intp)
        self.prepared = prepare(catalog)
        first, last = (self.prepared.scores(topic_weights(self.profile(t))) for t in (0.0, 1.0))
        self.at = ranked(last - first)
        self.flow = flow(catalog)
        names, self.artist = np.unique(
            [(track.artist or "").casefold() for track in catalog.tracks], return_inverse=True
        )
        self.nameless = 0 if names[0] == "" else -1

    def profile(self, t: float) -> Profile:
        weights = (1 - t) * self.ends[0] + t * self.ends[1]
        return Profile(
            {mood: float(weight) for mood, weight in zip(MOODS, weights, strict=True) if weight > 0},
            preferences=self.preferences,
        )

    def rows(self, count: int) -> list[int]:
        """The best path that the beam finds."""
        beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        for k in range(count):
            t = k / (count - 1)
            scores = self.prepared.scores(topic_weights(self.profile(t)))
            for term in self.terms:
                term.add_to(scores)
            worth = np.full(len(scores), -np.inf, dtype=np.float32)
            worth[self.free] = (scores - PLACE * np.abs(self.at - t))[self.free]
            # Enough that a path never runs out, whatever it has used.
            rows = self.catalog.best_first(worth, CANDIDATES + count)
            found = []
            lasts = np.array([path[-1] for _, path in beam if path], dtype=np.intp)
            costs = self.flow.costs(lasts, rows) if len(lasts) else np.zeros((1, len(rows)))
            for number, (total, path) in enumerate(beam):
                values = total + worth[rows].astype(np.float64) - costs[number]
                for used in path:
                    values[rows == used] = -np.inf
                    if self.artist[used] != self.nameless:
                        values[self.artist[rows] == self.artist[used]] -= ARTIST_PENALTY
                found += [
                    (float(values[best]), (*path, int(rows[best])))
                    for best in np.argsort(-values, kind="stable")[:WIDTH]
                    if values[best] > -np.inf
                ]
            found.sort(key=lambda one: (-one[0], one[1]))
            beam = found[:WIDTH]
        return list(beam[0][1])

    def steps(self, rows: Sequence[int], all_reasons: bool) -> list[Step]:
        """The path with every term that made it."""
        found = []
        for k, row in enumerate(rows):
            t = k / (len(rows) - 1)
            profile = self.profile(t)
            off = abs(float(self.at[row]) - t)
            at = float(self.at[row])
            told = fact(
                "journey-place", at=at, asked=t, start=_moods(self.ends[0]), goal=_moods(self.ends[1])
            )
            shares = [Share("journey.place", -PLACE * off, at, "share", told)]
            if k:
                shares += self.flow.shares(rows[k - 1], row)
            before = [one for one in rows[:k] if self.artist[one] == self.artist[row] != self.nameless]
            if before:
                told = fact("journey-same-artist", count=len(before))
                shares.append(
                    Share(
                        "diversity.artist", -ARTIST_PENALTY * len(before), float(len(before)), "tracks", told
                    )
                )
            [recommendation] = explain_rows(
                self.catalog, topic_weights(profile), [(row, shares)], self.terms, all_reasons=all_reasons
            )
            found.append(Step(recommendation, profile.moods, t, float(self.at[row])))
        return found


def _named(weights: NDArray[np.float64]) -> list[int]:
    """The strongest mood, and a second one where it counts about as much, as places in MOODS."""
    order = sorted(range(len(MOODS)), key=lambda i: -weights[i])
    return order[: 2 if weights[order[1]] > 0.6 * weights[order[0]] else 1]


def _moods(weights: NDArray[np.float64]) -> list[str]:
    return [MOODS[i] for i in _named(weights)]


def moods_at_ends(start: Profile, goal: Profile) -> tuple[list[str], list[str]]:
    """Return the one or two moods that name each end. Raises UserError as `journey` does."""
    first, last = _ends(start, goal)
    return _moods(first), _moods(last)


def stops(made: Journey) -> list[Stop]:
    """Return what is kept of each step."""
    return [Stop(pick_of(step.recommendation), step.asked, step.at) for step in made.steps]


def drawn(catalog: Catalog, made: Journey) -> dict[str, object]:
    """What core.pictures.journey needs, as plain data: places in the library, 0..1, of each track."""
    prepared = prepare(catalog)
    rows = [catalog.index(step.recommendation.track.id) for step in made.steps]
    first, last = made.steps[0].aim, made.steps[-1].aim
    # Those that the title names; a mood of many parts may have none that is more than a quarter of it.
    shown = {i for aim in (first, last) for i in _named(np.array([aim.get(mood, 0.0) for mood in MOODS]))}
    moods = [MOODS[i] for i in sorted(shown)]
    curves: Mapping[str, list[float]] = {
        mood: [float(value) for value in ranked(prepared.scores({mood: 1.0}))[rows]] for mood in moods
    }
    ends = []
    for aim in (first, last):
        best = catalog.best_first(prepared.scores(dict(aim)), 10)
        ends.append([float(value) for value in plane(catalog)[best].mean(axis=0)])
    return {
        "titles": [step.recommendation.track.title for step in made.steps],
        "ends": list(moods_at_ends(made.start, made.goal)),
        "curves": curves,
        "aims": {mood: [step.aim.get(mood, 0.0) for step in made.steps] for mood in moods},
        "plane": [[float(value) for value in plane(catalog)[row]] for row in rows],
        "plane_ends": ends,
        "seconds": made.seconds,
    }
