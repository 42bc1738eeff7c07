"""Steers: complete tables, exact and undoable terms, and an effect in the direction that they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.words.changes import change_text, change_title
from bot.words.moods import steer_label, steers_text
from core.audio.types import SOURCES
from core.audio.vocabulary import phrases
from core.errors import fact
from core.library.catalog import Catalog
from core.moods.profile import MOODS, Profile, tables
from core.recommend.rules import recommend, topic_weights
from core.recommend.steer import (
    MOST,
    MOST_EACH,
    SURPRISE,
    change,
    checked,
    opposite_of,
    possible,
    pressed,
    quick_steers,
    steer_emoji,
    steers,
    taken_back,
)
from core.recommend.table import load_steers, occasions
from core.recommend.topic_scores import prepare
from core.spoken import LANGUAGES
from tests.core.recommend.worlds import catalog, random_catalog
from tests.refusals import refusal


def said(world: Catalog, before: list[int], after: list[int], tap: str, name: str | None = None) -> str:
    changed = change(world, before, after, fact("plain", sentence=tap), name)
    return f"{change_title(changed)}: {change_text(changed)}"


WORLD = random_catalog(120)
RULED = [name for name in steers() if name != SURPRISE]


def test_the_table_is_complete() -> None:
    references = tables("rules")["references"]
    assert {"calmer", "happier", "slower", "less_vocals", "more_guitar", "surprise"} <= set(steers())
    assert len(quick_steers()) == 5 and len(steers()) <= 20
    for name in steers():
        assert steer_emoji(name) and set(LANGUAGES) <= set(tables("steers")[name]["label"])
        assert len(steer_label(name)) <= 20, name
        opposite = opposite_of(name)
        assert opposite is None or opposite_of(opposite) == name
    for rule in load_steers():
        assert rule.source in SOURCES and phrases(rule.descriptor) and rule.direction in ("low", "high")
        assert rule.weight > 0 and rule.text.startswith("you asked for")
        assert not rule.citation or rule.citation in references, rule.id
    assert len({rule.id for rule in load_steers()}) == len(load_steers())
    assert {rule.steer for rule in load_steers()} == set(RULED)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(RULED),
    moods=st.dictionaries(st.sampled_from(MOODS), st.floats(0.1, 1), min_size=1),
    occasion=st.sampled_from([None, *occasions()]),
)
def test_a_steer_leads_where_it_says(name: str, moods: dict[str, float], occasion: str | None) -> None:
    """Of the highest scores, the mean fit to the steer never falls with its weight (an exchange argument)."""
    prepared = prepare(WORLD)
    fits = []
    for applied in ((), (name,), (name, name)):
        scores = prepared.scores(topic_weights(Profile(moods), occasion, applied))
        fits.append(float(prepared.column(f"steer.{name}")[np.argsort(-scores)[:10]].mean()))
    assert fits[0] <= fits[1] + 1e-6 and fits[1] <= fits[2] + 1e-6


@pytest.mark.parametrize("name", RULED)
def test_each_steer_is_felt(name: str) -> None:
    gains = []
    for mood in MOODS:
        before, after = (
            [
                WORLD.index(one.track.id)
                for one in recommend(WORLD, Profile({mood: 1}), None, 5, steers=applied)
            ]
            for applied in ((), (name,))
        )
        column = prepare(WORLD).column(f"steer.{name}")
        gains.append(float(column[after].mean() - column[before].mean()))
    assert np.mean(gains) > 0.15, gains


def test_taps_add_up_and_take_back() -> None:
    assert pressed((), "calmer") == ("calmer",)
    assert pressed(("calmer",), "less_vocals") == ("calmer", "less_vocals")
    assert pressed(("calmer", "less_vocals", "calmer"), "livelier") == ("calmer", "less_vocals")
    assert pressed(("surprise",), "surprise") == ("surprise",)
    assert taken_back(("slower", "calmer", "slower"), "slower") == ("slower", "calmer")
    assert checked(["faster", "slower", "more_bass"]) == ("more_bass",)
    assert steers_text(("calmer", "less_vocals", "calmer")) == "calmer ×2, less vocals"
    for applied, name, says in (
        (("calmer",) * MOST_EACH, "calmer", "as strong as it gets"),
        (("calmer", "more_bass") * (MOST // 2), "more_drums", "take one back"),
        ((), "funkier", "choose from calmer"),
    ):
        with refusal(says):
            pressed(applied, name)
    with refusal("taken back already"):
        taken_back(("calmer",), "slower")


def test_a_steer_and_its_undoing_give_the_same_answer() -> None:
    ask = Profile({"wonder": 1})
    plain = recommend(WORLD, ask, "focus", 6, all_reasons=True)
    assert recommend(WORLD, ask, "focus", 6, steers=checked(["louder", "softer"]), all_reasons=True) == plain
    steered = recommend(WORLD, ask, "focus", 6, steers=["louder"], all_reasons=True)
    named = {reason.steer for one in steered for reason in one.reasons}
    assert named == {None, "louder"} and all(one.parts["steer.louder"] for one in steered)


def test_what_changed_is_measured() -> None:
    world = catalog({"mix.tempo": [70.0, 80.0, 120.0, 140.0], "mix.onset_rate": [2.0, 2.0, 2.0, 2.0]})
    assert said(world, [3, 4], [1, 4], "Slower", "slower") == "Slower: slower (130 → 105 BPM); 1 of 2 is new."
    assert said(world, [3, 4], [1, 2], "Slower", "slower").endswith("; 2 of 2 are new.")
    assert said(world, [1, 2], [3, 4], "Slower", "slower") == "Slower: 2 of 2 are new."
    assert said(world, [1, 2], [2, 1], "Slower", "slower") == "Slower: the same picks, in another order."
    assert said(world, [1, 2], [1, 2], "Surprise me") == "Surprise me: the same picks, in the same order."
    assert said(world, [98, 99], [1, 2], "Slower", "slower") == "Slower: 2 of 2 are new."


def test_only_what_the_separator_can_hear_is_offered() -> None:
    columns = {"mix.tempo": [70.0, 140.0], "vocals.activity": [0.1, 0.9], "piano.activity": [0.1, 0.9]}
    whole = possible(catalog(columns, separator="none"))
    assert "slower" in whole and "surprise" in whole and not {"less_vocals", "more_piano"} & set(whole)
    assert {"less_vocals", "more_piano"} <= set(possible(catalog(columns, separator="htdemucs_6s")))
