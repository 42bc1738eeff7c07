from __future__ import annotations

import json

import pytest

from bot.words.moods import mood_label, profile_text
from core.errors import UserError
from core.moods.profile import MOODS, Profile
from core.spoken import speaking


def test_a_profile_survives_the_way_through_json() -> None:
    profile = Profile({"power": 0.7, "sadness": 0.1}, {"power": 0.2}, {"vocals": -0.5})
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
    assert Profile.from_json({}) == Profile()


def test_strongest_moods_come_first_and_ties_keep_their_order() -> None:
    profile = Profile({"sadness": 0.5, "wonder": 0.5, "power": 0.9, "tension": 0.0})
    assert profile.strongest(3) == [("power", 0.9), ("wonder", 0.5), ("sadness", 0.5)]
    assert profile.strongest(9) == profile.strongest(3)


@pytest.mark.parametrize(
    ("moods", "line"),
    [
        ({"peacefulness": 0.9, "nostalgia": 0.5}, "mostly calm and a little nostalgic"),
        ({"power": 1.0, "sadness": 0.1}, "mostly powerful"),
        ({"power": 0.1}, "open to any mood"),
        ({}, "open to any mood"),
    ],
)
def test_the_summary_is_one_human_line(moods: dict[str, float], line: str) -> None:
    assert profile_text(Profile(moods)) == line


def test_the_summary_speaks_other_languages() -> None:
    with speaking("de"):
        line = profile_text(Profile({"peacefulness": 0.9, "nostalgia": 0.5}))
    assert line == "vor allem ruhig und ein wenig nostalgisch"


@pytest.mark.parametrize(
    "wrong", [{"moods": {"hungry": 1}}, {"moods": {"power": 1.5}}, {"moods": {"power": float("nan")}}, {"preferences": {"vocals": -2}}]
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict[str, dict[str, float]]) -> None:
    with pytest.raises(UserError):
        Profile(**wrong)


def test_every_mood_has_a_label() -> None:
    assert all(mood_label(mood) for mood in MOODS) and mood_label("joyful_activation") == "Joyful activation"
    with speaking("de"):
        assert mood_label("joyful_activation") != "Joyful activation"
