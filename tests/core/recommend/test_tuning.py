"""A server's own weights: the sum stays exact, everything that is derived from scores follows, nobody else is touched."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.library.rule_weights import changes, newest_standing, weights_of
from core.library.schema import open_database
from core.moods.profile import MOODS, Profile
from core.recommend.counterfactual import smallest_change
from core.recommend.rule import Rule
from core.recommend.rules import recommend, topic_weights
from core.recommend.similar import timbre_vectors
from core.recommend.steer import steers
from core.recommend.table import load_rules, occasions, tuned_rules
from core.recommend.topic_scores import prepare, tuned
from core.recommend.tuning import (
    changed,
    set_weight,
    share,
    the_rule,
    token,
    undo,
    weight_from,
)
from core.recommend.weight_preview import outcomes_of, samples
from tests.core.recommend.test_counterfactual import with_value
from tests.core.recommend.worlds import random_catalog
from tests.refusals import refusal

WORLD = random_catalog(120, seed=5, separators=("htdemucs_6s", "unet"))
RULES = load_rules()
LOUDNESS = "peacefulness.mix.loudness"

some_weights = st.dictionaries(
    st.sampled_from([rule.id for rule in RULES]), st.sampled_from([0.0, 0.01, 0.7, 10.0]), max_size=30
)


@settings(max_examples=25, deadline=None)
@given(
    weights=some_weights,
    mood=st.sampled_from(MOODS),
    occasion=st.sampled_from([None, *occasions()]),
    steer=st.lists(st.sampled_from(steers()), max_size=2),
)
def test_reasons_add_up_and_are_what_the_changed_rules_say(
    weights: dict[str, float], mood: str, occasion: str | None, steer: list[str]
) -> None:
    profile = Profile({mood: 1.0, "power": 0.3}, preferences={"vocals": -0.5})
    view = tuned(WORLD, weights)
    found = recommend(view, profile, occasion, 6, steers=steer, recent={3: 1.0}, all_reasons=True)
    for one in found:
        assert math.isclose(sum(reason.contribution for reason in one.reasons), one.score, abs_tol=1e-9)
        assert not [reason for reason in one.reasons if weights.get(reason.rule) == 0.0]
    plain = [one for one in steer if one == "surprise"]
    if not plain:
        # The same as if the shipped table had these weights: nothing is left over from the catalog that is shared.
        rules = [*tuned_rules(weights), *prepare(WORLD).seldom]
        alone = prepare(WORLD, rules).scores(topic_weights(profile, occasion, steer))
        np.testing.assert_allclose(
            prepare(view).scores(topic_weights(profile, occasion, steer)), alone, atol=2e-6
        )


@settings(max_examples=40, deadline=None)
@given(rule=st.sampled_from(RULES), weights=st.lists(st.floats(0.01, 10), min_size=2, max_size=2).map(sorted))
def test_a_rule_that_weighs_more_pulls_every_track_its_way(rule: Rule, weights: list[float]) -> None:
    """The score of its topic stays within -1..1 and never moves away from what the rule says of the track."""
    less, more = (prepare(tuned(WORLD, {rule.id: weight})) for weight in weights)
    before, after = less.column(rule.topic), more.column(rule.topic)
    assert np.abs(before).max() <= 1 + 1e-6 and np.abs(after).max() <= 1 + 1e-6
    says = np.nan_to_num(more.fit(rule))
    assert ((after - before) * np.sign(says - before) >= -1e-6).all()
    assert (np.abs(says - after) <= np.abs(says - before) + 1e-6).all(), "and not past it"


def test_other_servers_and_other_topics_keep_their_answers() -> None:
    before = [
        (one.track.id, one.score)
        for mood in MOODS
        for one in recommend(WORLD, Profile({mood: 1.0}), None, 10)
    ]
    timbre = timbre_vectors(WORLD)
    view = tuned(WORLD, {LOUDNESS: 10.0})
    for mood in MOODS:
        theirs = recommend(view, Profile({mood: 1.0}), None, 10)
        ours = recommend(WORLD, Profile({mood: 1.0}), None, 10)
        same = [one.score for one in theirs] == [one.score for one in ours]
        assert same == (mood != "peacefulness"), mood
    assert timbre_vectors(view) is timbre, "what does not depend on weights is shared"
    again = [
        (one.track.id, one.score)
        for mood in MOODS
        for one in recommend(WORLD, Profile({mood: 1.0}), None, 10)
    ]
    assert again == before
    # Only the topic that changed was computed anew.
    assert prepare(view).topic_scores.shape == (len(WORLD), 1)


def test_weights_as_shipped_are_the_catalog_itself() -> None:
    assert tuned(WORLD, {LOUDNESS: the_rule(LOUDNESS).weight, "no.such.rule": 3.0}) is WORLD
    view = tuned(WORLD, {LOUDNESS: 5.0})
    assert tuned(view, {LOUDNESS: 5.0}) is view
    back = tuned(view, {})
    topics = topic_weights(Profile({"peacefulness": 1.0}))
    np.testing.assert_array_equal(prepare(back).scores(topics), prepare(WORLD).scores(topics))


def test_counterfactuals_speak_of_the_changed_weights() -> None:
    """Only one rule of a mood counts: what a track needs to be first is told of that one, and is true."""
    world = random_catalog(300, seed=5)
    profile, tried = Profile({"peacefulness": 1.0}), 0
    off = {rule.id: 0.0 for rule in RULES if rule.topic == "peacefulness" and rule.id != LOUDNESS}
    view = tuned(world, off)
    found = recommend(view, profile, None, 8, all_reasons=True)
    topics = topic_weights(profile)
    for one in found[1:]:
        gap = found[0].score - (one.score - one.parts.get("diversity", 0.0))
        needed = smallest_change(view, topics, one, gap) if gap > 1e-6 else None
        if needed is None:
            continue
        tried += 1
        assert (needed.source, needed.descriptor) == ("mix", "loudness")
        moved = tuned(with_value(world, one.track.id, "mix.loudness", needed.value), off)
        again = recommend(moved, profile, None, 8)
        [itself] = [other for other in again if other.track.id == one.track.id]
        assert again[0].score - (itself.score - itself.parts.get("diversity", 0.0)) < 0.02
    without = tuned(world, {LOUDNESS: 0.0})
    found = recommend(without, profile, None, 40, all_reasons=True)
    told = [smallest_change(without, topics, one, 0.01) for one in found]
    assert tried and any(told) and all(needed.descriptor != "loudness" for needed in told if needed)


def test_a_steer_pulls_against_the_changed_rules() -> None:
    """'Louder'-free: with all but loudness off, a calm listener who wants it livelier loses exactly that rule's terms."""
    off = {rule.id: 0.0 for rule in RULES if rule.topic == "peacefulness" and rule.id != LOUDNESS}
    found = recommend(
        tuned(WORLD, off), Profile({"peacefulness": 1.0}), None, 5, steers=["livelier"], all_reasons=True
    )
    for one in found:
        assert {reason.rule for reason in one.reasons if reason.mood} == {LOUDNESS}
        assert any(reason.steer == "livelier" for reason in one.reasons)


def test_the_preview_is_what_comes() -> None:
    for rule in (
        the_rule(LOUDNESS),
        *(next(rule for rule in RULES if getattr(rule, kind)) for kind in ("occasion", "preference")),
    ):
        after = {rule.id: 10.0}
        outcomes = outcomes_of(WORLD, rule, after)
        assert len(outcomes) == 9 and [one.sample for one in outcomes] == samples(rule)
        for outcome in outcomes:
            then = recommend(tuned(WORLD, after), outcome.sample.profile, outcome.sample.occasion, 10)
            now = recommend(WORLD, outcome.sample.profile, outcome.sample.occasion, 10)
            assert [place.track.id for place in outcome.places] == [one.track.id for one in then]
            was = [one.track.id for one in now]
            for place in outcome.places:
                assert place.before == (was.index(place.track.id) + 1 if place.track.id in was else None)
            assert len(outcome.gone) == outcome.new
        assert any(outcome.new or outcome.moved for outcome in outcomes), rule.id
        unchanged = outcomes_of(WORLD, rule, {})
        assert not any(outcome.new or outcome.moved for outcome in unchanged)


def test_shares_of_a_topic_add_up() -> None:
    weights = {LOUDNESS: 3.0}
    topic = [rule for rule in RULES if rule.topic == "peacefulness"]
    assert math.isclose(sum(share(rule, weights) for rule in topic), 1.0)
    assert share(the_rule(LOUDNESS), weights) > share(the_rule(LOUDNESS), {})


@pytest.mark.parametrize("text", ["", "-1", "11", "nan", "inf", "much", "1e9", "0x10"])
def test_what_is_no_weight_is_refused(text: str) -> None:
    with refusal("from 0"):
        weight_from(text)


def test_weights_as_people_type_them() -> None:
    assert weight_from(" 0,5 ") == 0.5 and weight_from("0") == 0.0 and weight_from("1.23456") == 1.23


def test_the_last_rule_of_a_topic_stays() -> None:
    topic = [rule for rule in RULES if rule.topic == "preference.vocals"]
    weights: dict[str, float] = {}
    for rule in topic[:-1]:
        weights = changed(weights, rule.id, 0.0)
    with refusal("last rule"):
        changed(weights, topic[-1].id, 0.0)


def test_every_change_is_kept_and_can_be_undone(tmp_path: Path) -> None:
    async def run() -> None:
        async with await open_database(tmp_path / "one.db") as database:

            async def change(rule: str, weight: float | None, guild: int = 1) -> int:
                seen = token(await weights_of(database.fetch, guild))
                return (await set_weight(database, guild, 7, rule, weight, seen)).id

            first = await change(LOUDNESS, 3.0)
            second = await change("peacefulness.mix.tempo", 0.0)
            await change(LOUDNESS, 0.5, guild=2)
            assert await weights_of(database.fetch, 1) == {LOUDNESS: 3.0, "peacefulness.mix.tempo": 0.0}
            assert (
                await weights_of(database.fetch, 2) == {LOUDNESS: 0.5}
                and await weights_of(database.fetch, None) == {}
            )
            with refusal("newest change first"):
                await undo(database, 1, 8, first)
            with refusal("not one of this server"):
                await undo(database, 2, 8, second)
            await undo(database, 1, 8, second)
            with refusal("already"):
                await undo(database, 1, 8, second)
            await undo(database, 1, 8, first)
            assert await weights_of(database.fetch, 1) == {} and await newest_standing(database, 1) is None
            kept = await changes(database, 1)
            assert [(one.user_id, one.before, one.after, one.undoes, one.undone) for one in kept] == [
                (8, 3.0, None, first, False), (8, 0.0, None, second, False),
                (7, None, 0.0, None, True), (7, None, 3.0, None, True),
            ]  # fmt: skip
            third = await change(LOUDNESS, 4.0)
            await change(LOUDNESS, None)
            assert await weights_of(database.fetch, 1) == {}
            newest = await newest_standing(database, 1)
            assert newest is not None and (newest.before, newest.after) == (4.0, None)
            await undo(database, 1, 7, newest.id)
            assert await weights_of(database.fetch, 1) == {LOUDNESS: 4.0}
            assert (await newest_standing(database, 1)).id == third  # type: ignore[union-attr]

    asyncio.run(run())


def test_two_admins_at_once_do_not_overrule_each_other_unseen(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            await open_database(tmp_path / "one.db") as one,
            await open_database(tmp_path / "one.db") as two,
        ):
            seen = token(await weights_of(one.fetch, 1))
            results = await asyncio.gather(
                set_weight(one, 1, 7, LOUDNESS, 3.0, seen),
                set_weight(two, 1, 8, "peacefulness.mix.tempo", 0.0, seen),
                return_exceptions=True,
            )
            refused = [result for result in results if isinstance(result, UserError)]
            assert len(refused) == 1 and refused[0].fact["code"] == "rules-changed-since"
            assert len(await weights_of(one.fetch, 1)) == 1 and len(await changes(two, 1)) == 1
            with refusal("that it has"):
                weights = await weights_of(one.fetch, 1)
                [(rule, weight)] = weights.items()
                await set_weight(one, 1, 7, rule, weight, token(weights))

    asyncio.run(run())
