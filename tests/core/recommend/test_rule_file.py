"""rules.toml as somebody edits it: whatever stands in it, it is a set of rules or one sentence that says what to do."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.audio.types import SOURCES
from core.errors import UserError
from core.moods.profile import MOODS
from core.recommend.rule_file import DIRECTIONS, KEYS, parse_rules
from core.recommend.table import load_rules, occasions, trust

SHIPPED = files("core.moods").joinpath("rules.toml").read_bytes()
GOOD: dict[str, Any] = {
    "id": "one", "mood": "power", "source": "mix", "descriptor": "tempo", "direction": "high", "weight": 1.0,
    "text": "fast music is strong", "citation": "Somebody (2020)",
}  # fmt: skip
BETWEEN = GOOD | {"direction": "range", "range": [60, 80], "margin": 20}


def written(*rows: dict[str, Any]) -> bytes:
    """As TOML; what JSON writes is TOML for texts, numbers, lists and truth."""
    lines = ["[references]", '"Somebody (2020)" = "A finding."']
    for row in rows:
        lines += ["[[rule]]", *(f"{json.dumps(key)} = {toml(value)}" for key, value in row.items())]
    return "\n".join(lines).encode("utf-8", "replace")


def toml(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)  # inf and nan as TOML has them
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value).replace("\x7f", "\\u007f")


def refused(data: bytes) -> str:
    with pytest.raises(UserError) as told:
        parse_rules(data, occasions())
    said = str(told.value)
    assert said.endswith(".") and ": " in said and "\n" not in said and "Traceback" not in said
    return said


def test_what_ships_is_read_as_it_is_written() -> None:
    rules = parse_rules(SHIPPED, occasions())
    assert rules == load_rules(calibrated=False) and len(rules) == SHIPPED.count(b"\n[[rule]]") > 200
    [rule] = parse_rules(written(BETWEEN), occasions())
    assert (rule.topic, rule.feature, rule.range, rule.margin) == ("power", "mix.tempo", (60.0, 80.0), 20.0)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "has no rules"),
        ([GOOD, GOOD], "Rule 2 of rules.toml has the id 'one' of an earlier one"),
        ([GOOD | {"mood": "hungry"}], "the mood 'hungry', which there is not: choose one of wonder,"),
        ([GOOD | {"occasion": "study"}], "about 2 things: give it one of mood, occasion, preference"),
        ([{key: value for key, value in GOOD.items() if key != "mood"}], "about 0 things"),
        ([GOOD | {"wieght": 1.0}], "'wieght', which means nothing"),
        ([GOOD | {"weight": -0.5}], "the weight -0.5: turn the direction round"),
        ([GOOD | {"weight": float("nan")}], "a weight that is no plain number"),
        ([GOOD | {"weight": True}], "has no weight: write it as a number"),
        ([GOOD | {"source": "harp"}], "the source 'harp', which there is not: choose one of mix, drums,"),
        ([GOOD | {"text": "  "}], "has no text"),
        ([GOOD | {"citation": "Nobody (1900)"}], "choose one of the keys of [references]"),
        ([GOOD | {"margin": 3}], 'has a margin: that needs direction = "range"'),
        ([BETWEEN | {"range": [80, 60]}], "from 80 down to 60: turn its ends round"),
        ([BETWEEN | {"range": [60]}], "has no two ends"),
        ([BETWEEN | {"range": [60, "80"]}], "has no two ends"),
        ([BETWEEN | {"margin": 0}], "a margin of 0: it must be above 0"),
    ],
)  # fmt: skip
def test_slips_are_named(rows: list[dict[str, Any]], sentence: str) -> None:
    assert sentence in refused(written(*rows))


def test_other_files_are_refused() -> None:
    assert "cannot be read as TOML" in refused(b"\xff\xfe")
    assert "cannot be read as TOML" in refused(b"[[rule]]\nid = ")
    assert "has no table [references]" in refused(b"[[rule]]\nid = 'x'")
    assert "has no rules" in refused(b"rule = 3")
    assert "is no table" in refused(b"rule = [3]\n[references]")


values = (
    st.none().map(lambda _: "power") | st.sampled_from([*MOODS, *SOURCES, *DIRECTIONS, *occasions(), "Somebody (2020)"])
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=8) | st.floats() | st.integers(-(2**40), 2**40) | st.booleans()
)  # fmt: skip
rows = st.builds(
    lambda good, without, more: {k: v for k, v in good.items() if k not in without} | more,
    st.sampled_from([GOOD, BETWEEN]),
    st.sets(st.sampled_from(sorted(KEYS)), max_size=1),
    st.dictionaries(st.sampled_from(sorted(KEYS)), values | st.lists(values, max_size=3), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=80) | st.text(max_size=80).map(str.encode) | st.lists(rows, max_size=3).map(lambda many: written(*many)))  # fmt: skip
@example(data=b"a = " + b"[" * 5000)
@example(data=b"a = " + b"9" * 5000)
@example(data=b"a = 2024-99-99")
@example(data=written(BETWEEN | {"range": [60, 10**400]}))
@example(data=written(GOOD | {"weight": 10**400}))
def test_any_file_is_rules_or_a_sentence(data: bytes) -> None:
    try:
        rules = parse_rules(data, occasions())
    except UserError:
        refused(data)
        return
    assert rules and len({rule.id for rule in rules}) == len(rules)
    values, percentiles = np.array([0.0, 70.0, np.nan], np.float32), np.array([0.0, 0.5, 1.0], np.float32)
    for rule in rules:
        assert rule.weight >= 0 and trust("unet", rule.source, rule.descriptor) >= 0
        fit = rule.fit(values, percentiles)
        assert (np.abs(fit[:2]) <= 1).all(), "whatever is accepted can be scored with"
