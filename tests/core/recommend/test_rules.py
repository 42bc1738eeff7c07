"""Scores: additive, exact, deterministic, monotone; and the order that a listener would expect."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words.explain import why
from bot.words.reasons import reason_text
from bot.words.say import say
from core.errors import UserError
from core.moods.profile import MOODS, PREFERENCES, Profile, tables
from core.recommend.diversity import FRESHNESS_PENALTY
from core.recommend.rule import Rule
from core.recommend.rules import PREFERENCE_WEIGHT, explain_rows, explain_tracks, recommend, topic_weights
from core.recommend.steer import steer_topics, steers
from core.recommend.table import load_rules, occasions, trust
from core.recommend.topic_scores import prepare
from tests.core.recommend.worlds import catalog, random_catalog
from tests.fakes.separator_plugin import installed_plugin, write_plugin
from tests.refusals import refusal

profiles = st.builds(
    Profile,
    moods=st.dictionaries(st.sampled_from(MOODS), st.floats(0, 1), max_size=9),
    preferences=st.dictionaries(st.sampled_from(PREFERENCES), st.floats(-1, 1), max_size=4),
)
WORLD = random_catalog(60, separators=("unet", "htdemucs_6s", "none"))


@settings(max_examples=40, deadline=None)
@given(
    profile=profiles,
    occasion=st.sampled_from([None, *occasions()]),
    seed=st.integers(0, 3),
    steers=st.lists(st.sampled_from(steers()), max_size=4),
)
def test_all_reasons_add_up_to_the_score(
    profile: Profile, occasion: str | None, seed: int, steers: list[str]
) -> None:
    """With every kind of term: moods, occasion, preferences, steers, freshness, surprise, diversity."""
    recent = {1: 0.0, 2: 3.0, 3: 6.9, 4: 9.0}
    found = recommend(WORLD, profile, occasion, 8, steers=steers, recent=recent, seed=seed, all_reasons=True)
    assert len(found) == 8
    for one in found:
        assert math.isclose(sum(reason.contribution for reason in one.reasons), one.score, abs_tol=1e-9)
        assert math.isclose(sum(one.parts.values()), one.score, abs_tol=1e-9)
        assert all(
            math.isclose(
                sum(reason.contribution for reason in one.reasons if reason.topic == topic),
                part,
                abs_tol=1e-9,
            )
            for topic, part in one.parts.items()
        )
        assert -1.8 < one.score <= 1.2
    scores = [one.score for one in found]
    assert all(a >= b - 1e-6 for a, b in pairwise(scores))


@settings(max_examples=20, deadline=None)
@given(profile=profiles, occasion=st.sampled_from([None, *occasions()]))
def test_the_fast_matrix_and_the_reasons_agree(profile: Profile, occasion: str | None) -> None:
    fast = prepare(WORLD).scores(topic_weights(profile, occasion))
    for one in recommend(WORLD, profile, occasion, 60, all_reasons=True):
        rules_only = sum(reason.contribution for reason in one.reasons if reason.percentile is not None)
        assert fast[WORLD.index(one.track.id)] == pytest.approx(rules_only, abs=2e-6)


def test_the_same_question_gets_the_same_answer() -> None:
    ask = Profile({"power": 1, "tension": 0.4})
    assert recommend(WORLD, ask, "workout", 10) == recommend(WORLD, ask, "workout", 10)
    lists = [
        [recommend(WORLD, ask, "workout", 10, steers=["surprise"], seed=seed) for seed in range(5)]
        for _ in range(2)
    ]
    assert lists[0] == lists[1]
    assert len({tuple(one.track.id for one in found) for found in lists[0]}) > 1


def test_equal_scores_are_ordered_by_track_id() -> None:
    world = catalog({"mix.tempo": [100.0] * 5})
    assert [one.track.id for one in recommend(world, Profile({"power": 1}), None, 5)] == [1, 2, 3, 4, 5]


def test_excluded_tracks_never_appear_and_recent_ones_step_back() -> None:
    ask = Profile({"sadness": 1})
    [best] = recommend(WORLD, ask, None, 1)
    assert best.track.id not in [
        one.track.id for one in recommend(WORLD, ask, None, 59, exclude=[best.track.id, 999])
    ]
    later = recommend(WORLD, ask, None, 60, recent={best.track.id: 0.0}, all_reasons=True)
    [stepped] = [one for one in later if one.track.id == best.track.id]
    assert later[0].track.id != best.track.id
    [term] = [reason for reason in stepped.reasons if reason.rule == "freshness"]
    assert term.contribution == -FRESHNESS_PENALTY and "today" in reason_text(term)


def test_freshness_fades_within_a_week() -> None:
    ask = Profile({"sadness": 1})
    lost = []
    for days in (0.0, 1.2, 3.5, 6.9):
        found = recommend(WORLD, ask, None, 60, recent={1: days}, all_reasons=True)
        [term] = [reason for one in found for reason in one.reasons if reason.rule == "freshness"]
        assert term.unit == "days" and term.value == days
        lost.append(term.contribution)
    assert lost == sorted(lost) and -0.01 < lost[-1] < 0
    for recent in ({}, {1: 7.0}, {999: 0.0}):
        found = recommend(WORLD, ask, None, 60, recent=recent, all_reasons=True)
        assert not any(reason.rule == "freshness" for one in found for reason in one.reasons)


def test_everything_excluded_gives_nothing() -> None:
    world = catalog({"mix.tempo": [80.0, 90.0]})
    assert recommend(world, Profile({"power": 1}), None, 5, exclude=[1, 2]) == []
    assert recommend(world, Profile({"power": 1}), None, 0) == []


def test_a_calm_and_a_powerful_listener_get_opposite_answers() -> None:
    """Track 1 is a lullaby, track 2 a march, track 3 something between."""
    world = catalog(
        {
            "mix.tempo": [66.0, 132.0, 100.0],
            "mix.loudness": [-28.0, -9.0, -16.0],
            "mix.spectral_centroid": [700.0, 3200.0, 1600.0],
            "mix.percussive_ratio": [0.1, 0.7, 0.4],
            "drums.activity": [0.0, 0.95, 0.5],
            "drums.level_db": [-60.0, -4.0, -15.0],
        }
    )
    calm = recommend(world, Profile({"peacefulness": 1}), "relaxation", 3)
    strong = recommend(world, Profile({"power": 1}), "workout", 3)
    assert [one.track.id for one in calm] == [1, 3, 2]
    assert [one.track.id for one in strong] == [2, 3, 1]
    assert calm[0].score > 0.3 > 0 > calm[-1].score
    text = " ".join(reason_text(reason) for reason in why(calm[0], 6).reasons)
    assert "66 beats a minute" in text and "drums" in text
    assert any("132 beats" in reason_text(reason) for reason in why(calm[-1]).against)


def test_study_music_has_few_vocals() -> None:
    world = catalog({"vocals.activity": [0.9, 0.0, 0.5], "vocals.level_db": [-3.0, -80.0, -9.0]})
    found = recommend(world, Profile(), "study", 3)
    assert [one.track.id for one in found] == [2, 3, 1]
    said = reason_text(found[0].reasons[0])
    assert said.startswith("The voice cannot be heard (sounding 0% of the time); lyrics disturb reading")


def test_preferences_shift_the_order_both_ways() -> None:
    world = catalog({"vocals.activity": [0.1, 0.9], "mix.tempo": [90.0, 90.0]})
    more = recommend(world, Profile({"wonder": 1}, preferences={"vocals": 1.0}), None, 2, all_reasons=True)
    less = recommend(world, Profile({"wonder": 1}, preferences={"vocals": -1.0}), None, 2)
    assert [one.track.id for one in more] == [2, 1] and [one.track.id for one in less] == [1, 2]
    assert any(reason.preference == "vocals" for reason in more[0].reasons)
    assert [reason_text(reason) for reason in more[0].reasons if reason.preference == "vocals"] == [
        "The voice can be heard 90% of the time, more than in most tracks; you asked for more singing."
    ]
    [wished] = [reason_text(reason) for reason in less[0].reasons if reason.preference == "vocals"]
    assert wished.endswith("; you asked for less singing.")


def test_a_rule_counts_as_much_as_its_stem_can_be_trusted() -> None:
    assert trust("htdemucs_6s", "drums") > trust("unet", "drums") > trust("none", "drums") == 0
    assert trust("htdemucs_6s", "drums") > trust("htdemucs_6s", "piano")
    assert trust("unet", "mix") == trust("none", "mix") == 1 and 0 < trust("somebody's plug-in", "drums") < 1


def test_missing_stems_leave_their_rules_out_and_the_explanation_says_so() -> None:
    columns = {"mix.tempo": [70.0, 140.0], "mix.loudness": [-25.0, -10.0]}
    [one, _] = recommend(catalog(columns, separator="none"), Profile({"power": 1}), None, 2, all_reasons=True)
    assert "drums" in one.missing and all(reason.source == "mix" for reason in one.reasons)
    left_out, separator = why(one).notes
    assert "Left out of the sum" in left_out and "the drums" in left_out
    assert "No instruments were told apart" in separator


def test_scores_do_not_depend_on_how_strong_the_profile_is_as_a_whole() -> None:
    strong = recommend(WORLD, Profile({"power": 1.0, "tension": 0.5}), None, 5)
    weak = recommend(WORLD, Profile({"power": 0.2, "tension": 0.1}), None, 5)
    assert [one.track.id for one in strong] == [one.track.id for one in weak]
    assert [one.score for one in strong] == pytest.approx([one.score for one in weak])


def test_more_of_what_a_rule_asks_for_never_lowers_the_score() -> None:
    rule = next(rule for rule in load_rules() if rule.direction == "high")
    slow = next(rule for rule in load_rules() if rule.direction == "low")
    grid = np.linspace(0, 1, 50, dtype=np.float32)
    assert np.all(np.diff(rule.fit(grid, grid)) >= 0) and np.all(np.diff(slow.fit(grid, grid)) <= 0)
    assert rule.fit(grid, grid)[[0, -1]].tolist() == [-1, 1] == slow.fit(grid, grid)[[-1, 0]].tolist()


def test_a_range_fits_inside_and_falls_off_on_both_sides() -> None:
    rule = Rule("x", None, "workout", None, "mix", "tempo", "range", 1, "", "", (120, 140), 30)
    tempi = np.array([60, 105, 120, 130, 140, 155, 200, np.nan], dtype=np.float32)
    fit = rule.fit(tempi, np.full(8, 0.5, dtype=np.float32))
    assert fit[:7].tolist() == [-1, 0, 1, 1, 1, 0, -1] and np.isnan(fit[7])


def test_diversity_is_a_visible_term() -> None:
    columns = {"mix.loudness": [-8.0, -9.0, -10.0, -20.0, -30.0], "mix.mfcc_2": [5.0, 5.0, 4.0, 1.0, 0.0]}
    world = catalog(columns, artists=["Ada", "ada", "Ada", "Ben", "Cleo"])
    found = recommend(world, Profile({"power": 1}), None, 5, all_reasons=True)
    named = {one.track.id: {reason.rule for reason in one.reasons} for one in found}
    assert found[0].track.id == 1 and not named[1] & {"diversity.artist", "diversity.similar"}
    assert "diversity.artist" in named[2] and "diversity.similar" in named[2]
    assert all(reason_text(reason) for one in found for reason in one.reasons)


def test_unknown_names_are_refused() -> None:
    with refusal("choose from relaxation, workout"):
        recommend(WORLD, Profile({"power": 1}), "surfing", 3)


def test_an_empty_library_gives_an_empty_answer() -> None:
    world = random_catalog(1)
    assert len(recommend(world, Profile({"power": 1}), None, 3)) == 1
    assert recommend(world, Profile({"power": 1}), None, 3, exclude=[1]) == []


def test_nobody_says_that_a_stem_is_silent_which_the_separator_cannot_find(
    tmp_path: Path,
) -> None:
    """A piano that went into another stem must not be reported as absent."""
    with installed_plugin(write_plugin(tmp_path, reliability={"piano": 0.1, "drums": 0.5})):
        assert trust("halves", "piano", "activity") == 0 < trust("halves", "piano", "spectral_centroid")
        assert trust("halves", "drums", "activity") > 0
        assert trust("halves", "guitar") == 0


def test_a_reason_says_what_its_rule_and_the_catalog_say(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {rule.id: rule for rule in load_rules()}
    units = {feature: f"unit of {feature}" for feature in WORLD.names}
    monkeypatch.setattr(WORLD, "units", units)
    for one in recommend(WORLD, Profile({"power": 1, "tension": 0.5}), "workout", 3, all_reasons=True):
        row = WORLD.index(one.track.id)
        named = [reason for reason in one.reasons if reason.percentile is not None]
        assert named
        for reason in named:
            rule = rules[reason.rule]
            assert (reason.mood, reason.occasion, reason.preference) == (
                rule.mood,
                rule.occasion,
                rule.preference,
            )
            assert (reason.source, reason.descriptor, reason.citation) == (
                rule.source,
                rule.descriptor,
                rule.citation,
            )
            assert reason.value == pytest.approx(float(WORLD.values(rule.feature)[row]))
            assert reason.percentile == pytest.approx(float(WORLD.percentiles(rule.feature)[row]), abs=1e-6)
            assert reason.unit == units[rule.feature]


def test_the_strongest_reasons_on_both_sides_and_no_more() -> None:
    ask = Profile({"power": 1, "wonder": 0.7, "sadness": 0.3})
    few = recommend(WORLD, ask, "study", 5, reasons=2)
    every = recommend(WORLD, ask, "study", 5, all_reasons=True)
    assert [one.track.id for one in few] == [one.track.id for one in every]
    for short, long in zip(few, every, strict=True):
        for_it = sorted((one.contribution for one in long.reasons if one.contribution > 0), reverse=True)
        against = sorted(one.contribution for one in long.reasons if one.contribution < 0)
        assert [one.contribution for one in short.reasons] == for_it[:2]
        assert [one.contribution for one in short.against] == against[:4]


def test_other_rules_give_other_scores() -> None:
    only = tuple(rule for rule in load_rules() if rule.mood == "power")[:1]
    for one in recommend(WORLD, Profile({"power": 1}), None, 4, rules=only, all_reasons=True):
        assert {reason.rule for reason in one.reasons} <= {only[0].id, "diversity"}


def test_topics_weigh_what_was_asked() -> None:
    asked = Profile({"power": 1.0, "sadness": 0.5}, preferences={"vocals": -0.5, "rhythm": 0.0})
    topics = topic_weights(asked, "study")
    assert topics == {
        "power": pytest.approx(2 / 3),
        "sadness": pytest.approx(1 / 3),
        "study": tables("occasions")["study"]["weight"],
        "preference.vocals": pytest.approx(-0.5 * PREFERENCE_WEIGHT),
    }
    steered = topic_weights(asked, "study", ["calmer"])
    assert topics.items() <= steered.items() and len(steered) > len(topics)
    assert steered == topics | steer_topics(["calmer"], sum(map(abs, topics.values())))
    with pytest.raises(UserError) as refused:
        topic_weights(asked, "sleeping")
    assert say(refused.value) == f"There is no occasion 'sleeping': choose from {', '.join(occasions())}."


def test_ten_are_recommended_unless_another_number_is_asked_for() -> None:
    ask = Profile({"power": 1})
    assert len(recommend(WORLD, ask)) == 10
    assert len(recommend(WORLD, ask, count=3)) == 3 and recommend(WORLD, ask, count=0) == []
    few = [track.id for track in WORLD.tracks[4:]]
    assert len(recommend(WORLD, ask, exclude=few)) == 4
    plain, steered = (
        {one.track.id: one.score for one in recommend(WORLD, ask, count=60, steers=steers)}
        for steers in ((), ("calmer",))
    )
    assert plain.keys() == steered.keys() and plain != steered


def test_what_no_rule_says_is_said_of_the_whole_track() -> None:
    recent = {track.id: 1.0 for track in WORLD.tracks}
    found = recommend(
        WORLD, Profile({"power": 1}), None, 8, steers=["surprise"], recent=recent, all_reasons=True
    )
    others = [reason for one in found for reason in one.reasons if reason.percentile is None]
    assert {reason.rule.split(".")[0] for reason in others} >= {"diversity", "freshness", "surprise"}
    for reason in others:
        assert (reason.source, reason.citation) == ("mix", "") and reason_text(reason)
        assert reason.descriptor == reason.rule.split(".")[-1]


def test_the_spread_of_a_descriptor_has_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    spread = next(rule for rule in load_rules() if rule.descriptor.endswith(".std") and rule.mood)
    monkeypatch.setattr(WORLD, "units", {spread.feature.removesuffix(".std"): "furlongs"})
    found = recommend(WORLD, Profile({str(spread.mood): 1}), count=20, all_reasons=True)
    units = {
        reason.rule: reason.unit for one in found for reason in one.reasons if reason.percentile is not None
    }
    assert units.pop(spread.id) == "furlongs"
    assert "" in units.values(), "and what has no unit has none"


def test_given_tracks_are_explained_in_their_order() -> None:
    ask = Profile({"power": 1, "tension": 0.5})
    ids = [track.id for track in WORLD.tracks[7:2:-1]]
    scores = prepare(WORLD).scores(topic_weights(ask, "workout"))
    told = explain_tracks(WORLD, ask, "workout", ids)
    assert [one.track.id for one in told] == ids
    for one in told:
        assert one.score == pytest.approx(float(scores[WORLD.index(one.track.id)]), abs=2e-6)
        assert one.reasons and all(reason.percentile is not None for reason in one.reasons)
    again = explain_rows(WORLD, topic_weights(ask, "workout"), [(WORLD.index(ids[0]), [])], all_reasons=True)
    assert len(again) == 1 and again[0].score == told[0].score
    assert len(again[0].reasons) > len(told[0].reasons)
