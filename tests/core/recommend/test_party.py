"""One playlist for several: fair, deterministic, and exact in what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.moods.profile import MOODS, Profile
from core.recommend.party import party, satisfactions
from core.recommend.rules import recommend, topic_weights
from core.recommend.topic_scores import prepare
from tests.core.recommend.worlds import random_catalog
from tests.refusals import refusal

WORLD = random_catalog(300, separators=("unet", "htdemucs_6s"))
CALM, WILD, SAD = Profile({"peacefulness": 1.0}), Profile({"power": 1.0}), Profile({"sadness": 1.0})
moods = st.dictionaries(st.sampled_from(MOODS), st.floats(0.1, 1), min_size=1, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(moods, min_size=2, max_size=6))
def test_nobody_is_left_far_below_the_rest(wishes: list[dict[str, float]]) -> None:
    """The worst-served member is never worse off than with the tracks that are best on average."""
    profiles = {number: Profile(wish) for number, wish in enumerate(wishes)}
    made = party(WORLD, profiles, None, 10)
    shares = satisfactions(WORLD, profiles, None, 10)
    average = np.argsort(-shares.mean(axis=0), kind="stable")[:10]
    rows = [WORLD.index(track.track_id) for track in made.tracks]
    assert shares[:, rows].mean(axis=1).min() >= shares[:, average].mean(axis=1).min() - 0.1
    assert len({track.track_id for track in made.tracks}) == 10


def test_opposites_are_served_alike_and_better_than_by_chance() -> None:
    made = party(WORLD, {1: CALM, 2: WILD, 3: SAD}, None, 12)
    assert all(served > 0.55 for served in made.better_than.values())
    assert max(made.better_than.values()) - min(made.better_than.values()) < 0.2
    assert {track.happiest for track in made.tracks} == {1, 2, 3}


def test_alone_it_is_nearly_the_list_of_ones_own() -> None:
    made = {track.track_id for track in party(WORLD, {7: CALM}, "study", 10).tracks}
    own = {one.track.id for one in recommend(WORLD, CALM, "study", 10)}
    assert len(made & own) >= 6


def test_scores_are_those_of_the_rules_and_repeat() -> None:
    profiles = {1: CALM, 2: WILD}
    made = party(WORLD, profiles, "workout", 8)
    assert made == party(WORLD, profiles, "workout", 8)
    for member, profile in profiles.items():
        scores = prepare(WORLD).scores(topic_weights(profile, "workout"))
        for track in made.tracks:
            assert track.members[member].score == pytest.approx(scores[WORLD.index(track.track_id)], abs=2e-6)


def test_small_libraries_and_no_guests() -> None:
    tiny = random_catalog(3)
    assert len(party(tiny, {1: CALM}, None, 10).tracks) == 3
    assert party(random_catalog(0), {1: CALM}, None, 10).tracks == []
    with refusal("Join"):
        party(tiny, {}, None, 10)
