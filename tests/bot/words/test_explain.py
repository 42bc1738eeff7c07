"""What a score is made of, in words: the numbers that are shown add up, and every part has a name."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.words.explain import PARTS, left_out, part_label, signed, total
from bot.words.wording import measured
from core.moods.profile import MOODS, PREFERENCES
from core.recommend.steer import steers
from core.recommend.table import occasions
from core.spoken import speaking

OTHERS = ("freshness", "surprise", "diversity", "journey", "flow", "taste")
TOPICS = (*MOODS, *occasions(), *(f"preference.{name}" for name in PREFERENCES), *(f"steer.{name}" for name in steers()), *OTHERS)  # fmt: skip
NUMBER = re.compile(r"[+−]\d\.\d\d")


def cents(text: str) -> int:
    return round(100 * float(text.replace("−", "-")))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(TOPICS), st.floats(-0.9, 0.9), max_size=12))
@example({"wonder": 0.265})
@example({"power": 0.004, "tension": 0.004, "wonder": 0.004})
@example({"power": 0.335, "tension": -0.335})
@example({**dict.fromkeys(TOPICS[:6], 0.5), TOPICS[6]: 0.9, TOPICS[7]: -0.9})
def test_the_parts_that_are_shown_add_up_to_the_score_that_is_shown(parts: dict[str, float]) -> None:
    score = sum(parts.values())
    said = total(parts, score)
    *shown, result = [cents(found) for found in NUMBER.findall(said)]
    assert result == cents(signed(score))
    assert abs(sum(shown) - result) <= (0 if shown else 100)
    assert len(shown) <= PARTS and 0 not in shown
    if len(parts) > PARTS and "all else" in said:
        largest = max(
            map(abs, parts.values())
        )  # of two that are equal but for their sign, either comes first
        assert abs(abs(shown[0]) - 100 * largest) <= 1, "the largest first"


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_every_part_has_a_name_of_its_own(language: str) -> None:
    with speaking(language):
        names = [part_label(topic) for topic in TOPICS]
    assert all(name and "{" not in name and "." not in name for name in names)
    assert len(set(names)) == len(names)


def test_what_was_left_out_is_named() -> None:
    assert left_out([]) is None
    said = left_out(["piano", "guitar"])
    assert said is not None and "piano" in said and "guitar" in said and "{" not in said


def test_how_tonal_a_sound_is_can_be_read_in_decibels() -> None:
    """Flatness is a ratio of powers near zero: '0.0001 here, 0.0000 there' says nothing."""
    said = [measured("mix", "spectral_flatness", value, "", 0.1) for value in (0.0001, 0.00004, 0.0)]
    assert [text[text.index("(") :] for text in said] == [
        "(flatness \u221240 dB)",
        "(flatness \u221244 dB)",
        "(flatness \u2212100 dB)",
    ]
