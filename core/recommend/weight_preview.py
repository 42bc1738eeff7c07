"""What another weight of a rule would change, told before it is saved: the top ten of sample listeners, now and then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.library.catalog import Catalog, TrackLike
from core.moods.profile import MOODS, Profile
from core.recommend.rule import Rule
from core.recommend.rules import recommend
from core.recommend.table import occasions
from core.recommend.topic_scores import tuned

TOP = 10


@dataclass(frozen=True)
class Sample:
    """A listener with one mood, who may have an occasion or wish for more of something."""

    mood: str
    occasion: str | None = None
    preference: str | None = None

    @property
    def profile(self) -> Profile:
        return Profile({self.mood: 1.0}, preferences={self.preference: 1.0} if self.preference else {})


@dataclass(frozen=True)
class Place:
    """A track's place in the list to come, from 1, and in the list of now (None: it is new)."""

    track: TrackLike
    place: int
    before: int | None


@dataclass(frozen=True)
class Outcome:
    """A sample's top ten to come, and the tracks that would leave it."""

    sample: Sample
    places: list[Place]
    gone: list[TrackLike]

    @property
    def new(self) -> int:
        return sum(place.before is None for place in self.places)

    @property
    def moved(self) -> int:
        return sum(place.before not in (None, place.place) for place in self.places)


def samples(rule: Rule) -> list[Sample]:
    """Those whom the rule concerns, nine of each kind: its mood alone and for each occasion; its occasion, or the
    wish for more of it, with each mood. Nobody else's scores depend on it."""
    if rule.mood:
        return [Sample(rule.mood), *(Sample(rule.mood, occasion) for occasion in occasions())]
    return [Sample(mood, rule.occasion, rule.preference) for mood in MOODS]


def outcomes_of(catalog: Catalog, rule: Rule, weights: Mapping[str, float]) -> list[Outcome]:
    """What becomes of each sample's top ten when `weights` (see core.recommend.tuning) replace the catalog's own."""
    to_come = tuned(catalog, weights)
    return [_outcome(catalog, to_come, sample) for sample in samples(rule)]


def _outcome(now: Catalog, to_come: Catalog, sample: Sample) -> Outcome:
    before, after = (
        [one.track for one in recommend(catalog, sample.profile, sample.occasion, TOP)]
        for catalog in (now, to_come)
    )
    was = {track.id: place for place, track in enumerate(before, 1)}
    stays = {track.id for track in after}
    return Outcome(
        sample,
        [Place(track, place, was.get(track.id)) for place, track in enumerate(after, 1)],
        [track for track in before if track.id not in stays],
    )
