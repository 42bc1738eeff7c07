"""Which terms a recommendation names, for and against, and which stems it says were left out."""

from __future__ import annotations

import math

import pytest

from core.moods.profile import Profile
from core.recommend.diversity import FRESHNESS_PENALTY
from core.recommend.rule import Rule
from core.recommend.rules import WORTH_SAYING, explain_tracks, recommend
from core.recommend.table import trust
from tests.core.recommend.worlds import catalog, random_catalog

POWER = Profile({"power": 1.0})


def rule(feature: str, weight: float = 1.0, mood: str = "power") -> Rule:
    source, descriptor = feature.split(".")
    return Rule(
        f"{mood}.{feature}", mood, None, None, source, descriptor, "high", weight, "it suits", "Nobody 2000"
    )


def test_a_mood_without_a_rule_takes_nothing_away_and_is_not_named() -> None:
    world = catalog({"mix.tempo": [80.0, 100.0, 120.0]})
    mixed = Profile({"power": 0.5, "wonder": 0.5})
    [alone, both] = (recommend(world, ask, count=3, rules=[rule("mix.tempo")]) for ask in (POWER, mixed))
    assert [one.track.id for one in both] == [3, 2, 1] == [one.track.id for one in alone]
    assert list(both[0].parts) == ["power"]
    assert [one.score for one in both] == pytest.approx([one.score for one in alone])


def test_what_is_neither_high_nor_low_speaks_neither_for_a_track_nor_against_it() -> None:
    """Descriptors that no other library is known for, so that three equal values stand exactly in the middle."""
    world = catalog({"mix.same": [100.0] * 3, "mix.growing": [1.0, 2.0, 3.0]})
    rules = [rule("mix.same"), rule("mix.growing")]
    found = {one.track.id: one for one in recommend(world, POWER, count=3, rules=rules)}
    said = {
        number: ([term.rule for term in one.reasons], [term.rule for term in one.against])
        for number, one in found.items()
    }
    assert said == {1: ([], ["power.mix.growing"]), 2: ([], []), 3: (["power.mix.growing"], [])}
    for one in recommend(world, POWER, count=3, rules=rules, all_reasons=True):
        assert {term.rule: term.contribution for term in one.reasons}["power.mix.same"] == 0, "all is all"


def test_a_stem_that_the_separator_cannot_find_is_left_out_even_where_it_was_measured() -> None:
    columns = {"mix.tempo": [80.0, 120.0], "drums.activity": [0.9, 0.1]}
    rules = [rule("mix.tempo"), rule("drums.activity")]
    for separator, sources, missing in (("none", {"mix"}, ["drums"]), ("unet", {"mix", "drums"}, [])):
        assert (trust(separator, "drums", "activity") > 0) == (not missing)
        for one in recommend(catalog(columns, separator=separator), POWER, rules=rules, all_reasons=True):
            rated = {reason.source for reason in one.reasons if reason.percentile is not None}
            assert (rated, one.missing) == (sources, missing)


def test_only_stems_are_called_missing_not_what_was_not_measured_of_the_whole_track() -> None:
    world = catalog({"drums.activity": [0.9, math.nan]})
    rules = [rule("drums.activity"), rule("mix.tempo"), rule("bass.activity")]
    missing = {one.track.id: one.missing for one in recommend(world, POWER, rules=rules)}
    assert missing == {1: ["bass"], 2: ["drums", "bass"]}


@pytest.mark.parametrize(("others", "named"), [(18, True), (19, True), (20, False)])
def test_a_stem_is_called_missing_from_a_twentieth_of_the_request_on(others: int, named: bool) -> None:
    assert WORTH_SAYING == 1 / 20
    world = catalog({"mix.tempo": [80.0, 120.0]})
    rules = [rule("mix.tempo", weight=others), rule("piano.activity")]
    assert [one.missing for one in recommend(world, POWER, rules=rules)] == [["piano"] if named else []] * 2


def test_small_rules_of_one_stem_add_up_to_one_that_is_worth_saying() -> None:
    world = catalog({"mix.tempo": [80.0, 120.0]})
    small = [rule("piano.activity", 0.03), rule("piano.level_db", 0.03)]
    assert recommend(world, POWER, rules=[rule("mix.tempo", 0.94), *small])[0].missing == ["piano"]
    assert recommend(world, POWER, rules=[rule("mix.tempo", 0.94), *small[:1]])[0].missing == []


def test_parts_are_named_by_the_first_word_of_what_made_them() -> None:
    world = random_catalog(30)
    today = dict.fromkeys(range(1, 31), 0.0)
    found = recommend(world, POWER, "workout", 10, recent=today, steers=["surprise"], all_reasons=True)
    for one in found:
        assert one.parts["freshness"] == -FRESHNESS_PENALTY
        assert set(one.parts) <= {"power", "workout", "freshness", "surprise", "diversity"}
        assert one.parts.keys() == {reason.topic for reason in one.reasons}
    assert any("diversity" in one.parts for one in found)
    [alone] = explain_tracks(world, POWER, None, [found[0].track.id])
    assert list(alone.parts) == ["power"]
