"""Match, lift, settle: weights move as the table says, and the music follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words.moods import aim_sentence
from core.library.catalog import Catalog
from core.moods.aim import AIMS, aim_emoji, aimed
from core.moods.profile import MOODS, Profile, tables
from core.recommend.rules import recommend
from core.recommend.topic_scores import prepare
from core.spoken import LANGUAGES
from tests.core.recommend.worlds import random_catalog
from tests.refusals import refusal

moods = st.dictionaries(st.sampled_from(MOODS), st.floats(0.01, 1), min_size=1)
WORLD: Catalog = random_catalog(200, seed=2)


def test_the_table_is_well_formed_and_cited() -> None:
    table = tables("aims")
    assert set(table["aim"]) == set(AIMS)
    for aim, row in table["aim"].items():
        assert row["citation"] in table["references"] and row["text"] and aim_emoji(aim)
        assert set(LANGUAGES) <= set(row["label"])
        assert set(row.get("stays", {})) <= set(MOODS) and set(row.get("towards", {})) <= set(MOODS)
        assert all(0.4 <= share < 1 for share in row.get("stays", {}).values()), "two fifths stay"
        assert not set(row.get("stays", {})) & set(row.get("towards", {}))
        assert sum(row.get("towards", {}).values()) == pytest.approx(1 if aim != "match" else 0)


@given(weights=moods, aim=st.sampled_from(AIMS))
def test_a_target_is_a_profile_of_the_same_size(weights: dict[str, float], aim: str) -> None:
    ask = Profile(weights, preferences={"vocals": -0.5})
    target = aimed(ask, aim)
    assert target.preferences == ask.preferences
    whole, before = sum(target.moods.values()), sum(weights.values())
    assert whole == pytest.approx(before) or (
        whole < before and max(target.moods.values()) == pytest.approx(1)
    )
    assert aim_sentence(ask, aim).endswith(".")


def test_lifting_sadness_keeps_some_of_it() -> None:
    target = aimed(Profile({"sadness": 1.0}), "lift").moods
    assert target == pytest.approx(
        {"sadness": 0.4, "joyful_activation": 0.3, "wonder": 0.15, "power": 0.15}, abs=1e-9
    )
    assert aimed(Profile({"sadness": 1.0}), "match").moods == {"sadness": 1.0}
    said = aim_sentence(Profile({"sadness": 1.0, "tension": 0.4}), "lift")
    assert said.startswith("Lift: from sad and tense towards joyful and ") and "iso principle" in said
    assert "already" in aim_sentence(Profile({"joyful_activation": 1.0}), "lift")


@pytest.mark.parametrize(
    ("start", "aim", "goal"),
    [
        ("sadness", "lift", "joyful_activation"),
        ("tension", "settle", "peacefulness"),
        ("power", "settle", "peacefulness"),
    ],
)
def test_the_music_stands_between_the_mood_and_the_goal(start: str, aim: str, goal: str) -> None:
    prepared = prepare(WORLD)

    def mean(profile: Profile, topic: str) -> float:
        rows = [WORLD.index(one.track.id) for one in recommend(WORLD, profile, None, 10)]
        return float(prepared.column(topic)[rows].mean())

    here, moved, there = Profile({start: 1}), aimed(Profile({start: 1}), aim), Profile({goal: 1})
    assert mean(here, goal) < mean(moved, goal) < mean(there, goal)
    assert mean(here, start) > mean(moved, start) > mean(there, start)


def test_wrong_aims_say_what_to_do() -> None:
    with refusal("choose from match, lift, settle"):
        aimed(Profile({"power": 1}), "excite")
    with refusal("where you start"):
        aimed(Profile(), "lift")
