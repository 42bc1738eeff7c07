"""What would have ranked higher: true when it is tried."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from bot.words.explain import why
from bot.words.ranking import ranks_higher
from bot.words.reasons import reason_text
from core.errors import fact
from core.library.catalog import Catalog
from core.moods.profile import MOODS, Profile
from core.recommend.counterfactual import smallest_change
from core.recommend.diversity import Share
from core.recommend.rules import Recommendation, recommend, topic_weights
from tests.core.recommend.worlds import catalog, random_catalog


def with_value(world: Catalog, track_id: int, feature: str, value: float) -> Catalog:
    matrix = np.array(world.features)
    matrix[world.index(track_id), world.names.index(feature)] = value
    return Catalog(world.tracks, world.separators, world.names, matrix)


def asked(world: Catalog, mood: str, **more: object) -> tuple[dict[str, float], list[Recommendation]]:
    found = recommend(world, Profile({mood: 1}), "study", 8, all_reasons=True, **more)  # type: ignore[arg-type]
    return topic_weights(Profile({mood: 1}), "study", more.get("steers", ())), found  # type: ignore[arg-type]


def test_a_track_with_the_value_that_it_needs_is_first() -> None:
    """With the one value changed, the track does take the lead; with less than half the change it does not."""
    world = random_catalog(400, seed=3)
    tried = halved = 0
    for mood in MOODS:
        topics, found = asked(world, mood)
        for one in found[1:4]:
            gap = found[0].score - (one.score - one.parts.get("diversity", 0.0))
            needed = smallest_change(world, topics, one, gap)
            if needed is None:
                continue
            tried += 1
            feature = f"{needed.source}.{needed.descriptor}"
            changed = with_value(world, one.track.id, feature, needed.value)
            again = recommend(changed, Profile({mood: 1}), "study", 8)
            [moved] = [other for other in again if other.track.id == one.track.id]
            # Moving one track of 400 moves the others' percentiles by a 430th at most.
            assert again[0].score - (moved.score - moved.parts.get("diversity", 0.0)) < 0.01
            if gap < 0.03:  # what the others' percentiles move by may close it
                continue
            halved += 1
            less = needed.instead_of + 0.4 * (needed.value - needed.instead_of)
            with_less = with_value(world, one.track.id, feature, less)
            assert recommend(with_less, Profile({mood: 1}), "study", 1)[0].track.id != one.track.id
    assert tried >= 8 and halved >= 4


def test_the_smallest_change_is_told() -> None:
    world = catalog({"mix.tempo": [150.0, 140.0, 90.0, 60.0], "mix.loudness": [-20.0, -20.0, -20.0, -20.0]})
    ask = Profile({"peacefulness": 1})
    found = recommend(world, ask, None, 4, all_reasons=True)
    assert [one.track.id for one in found] == [4, 3, 2, 1]
    [above, first] = ranks_higher(world, topic_weights(ask), found, 1)
    assert above.startswith("“Track 4” ranks above it (") and "60 beats a minute, here 90" in above
    value = re.fullmatch(r"With (\d+) beats a minute instead of 90 it would be 1st\.", first)
    loudness = re.fullmatch(r"With a loudness of (−[\d.]+) .*instead of −20.0 it would be 1st\.", first)
    assert (value and int(value[1]) < 90) or (loudness and float(loudness[1].replace("−", "-")) < -20)


def test_the_first_is_compared_with_the_next() -> None:
    ask = Profile({"peacefulness": 1})
    for next_tempo, level in ((120.0, False), (90.0, True)):
        world = catalog({"mix.tempo": [150.0, 60.0, next_tempo]})
        found = recommend(world, ask, None, 3, all_reasons=True)
        gap = found[0].score - found[1].score
        assert (gap < 0.005) == level
        behind = "next to level" if level else f"{gap:.2f} behind"
        [line] = ranks_higher(world, topic_weights(ask), found, 0)
        assert line.startswith(f"Nothing that I could pick ranks higher. The next, “Track 3”, is {behind}: ")
        assert "here 60" in line
    assert ranks_higher(world, topic_weights(ask), found[:1], 0) == []


def test_other_terms_are_named() -> None:
    world = catalog({"mix.tempo": [60.0, 90.0, 150.0]})
    ask = Profile({"peacefulness": 1})
    found = recommend(world, ask, None, 3, all_reasons=True, recent={1: 0.1})
    place = [one.track.id for one in found].index(1)
    lines = ranks_higher(world, topic_weights(ask), found, place)
    assert "You were shown this one today".lower() in lines[0].lower()
    assert lines[1] == "Had you not been shown it lately, it would be 1st."
    alike = catalog({"mix.tempo": [60.0, 60.0, 62.0]}, artists=["Ada", "Ada", "Ben"])
    found = recommend(alike, ask, None, 3, all_reasons=True)
    [last] = [i for i, one in enumerate(found) if one.track.id == 2]
    assert any(
        "so much like one above" in line for line in ranks_higher(alike, topic_weights(ask), found, last)
    )


class Liked:
    """A term that only one track has."""

    def __init__(self, row: int) -> None:
        self.row = row

    def add_to(self, scores: Any) -> None:
        scores[self.row] += 0.5

    def at(self, row: int) -> tuple[Share, ...]:
        return (
            (
                Share(
                    "taste.sound",
                    0.5,
                    1.0,
                    "cosine",
                    fact("plain", sentence="It sounds like what you liked."),
                ),
            )
            if row == self.row
            else ()
        )


def test_what_another_track_gains_is_named() -> None:
    world = catalog({"mix.tempo": [60.0, 90.0]})
    ask = Profile({"peacefulness": 1})
    found = recommend(world, ask, None, 2, all_reasons=True, terms=[Liked(1)])
    assert [one.track.id for one in found] == [2, 1]
    first, second = (ranks_higher(world, topic_weights(ask), found, place) for place in (0, 1))
    assert "this one gains 0.50 (it sounds like what you liked)." in first[0]
    assert second[0].startswith("“Track 2” ranks above it (") and "it gains 0.50" in second[0]
    assert "It sounds like what you liked." in [reason_text(reason) for reason in why(found[0]).reasons]


def test_every_place_has_an_answer() -> None:
    world = random_catalog(80, seed=5, separators=("unet", "htdemucs_6s", "none"))
    for mood in MOODS[:4]:
        for more in ({}, {"steers": ["calmer", "surprise"], "seed": 7}, {"recent": {5: 1.0, 6: 2.0}}):
            topics, found = asked(world, mood, **more)
            for place in range(len(found)):
                lines = ranks_higher(world, topics, found, place)
                assert 1 <= len(lines) <= 2 and all(line.endswith(".") and len(line) < 300 for line in lines)
