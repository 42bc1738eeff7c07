"""What a search's text is taken for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.types import STEMS
from core.library.query import MOST, Key, Meaning, fold, keys, meanings, parse, parse_key, split
from core.moods.profile import MOODS
from core.recommend.table import occasions


def meant(text: str) -> list[tuple[str, str | None]]:
    return [
        (term.text, f"{term.meaning.kind} {term.meaning.name}" if term.meaning else None)
        for term in parse(text).terms
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("calm piano", [("calm", "mood peacefulness"), ("piano", "instrument piano")]),
        ("Björk Jóga", [("Björk", None), ("Jóga", None)]),
        ("the sound of music", [("the", None), ("sound", None), ("of", None), ("music", None)]),
        ("calm music with a guitar", [("calm", "mood peacefulness"), ("guitar", "instrument guitar")]),
        ("laid back, no drums", [("laid back", "mood peacefulness"), ("no drums", "without drums")]),
        ("No Woman No Cry", [("No", None), ("Woman", None), ("Cry", None)]),
        ("ohne Schlagzeug", [("ohne Schlagzeug", "without drums")]),
        ("instrumental", [("instrumental", "without vocals")]),
        ("träurig", [("träurig", "mood sadness")]),
        ('"calm piano"', [("calm piano", None)]),
        ('slow "in D minor"', [("slow", "low mix.tempo"), ("in D minor", None)]),
        ("prelude in d minor", [("prelude", None), ("d minor", "key D minor")]),
        ("F sharp major", [("F sharp major", "key F# major")]),
        ("Gb-moll", [("Gb moll", "key F# minor")]),
        ("120 bpm", [("120 bpm", "tempo 116.4-123.6")]),
        ("fast 100-120BPM guitar", [("fast", "high mix.tempo"), ("100 120BPM", "tempo 100-120"), ("guitar", "instrument guitar")]),
        ("900 bpm", [("900", None), ("bpm", None)]),
        ("", []),
        ("?! * ( AND", [("AND", None)]),
        ("don't stop", [("don't", None), ("stop", None)]),
    ],
)  # fmt: skip
def test_terms(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert meant(text) == expected


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.from_regex(r'[\w"\s*():^\-]{0,60}'))
def test_any_text_is_words(text: str) -> None:
    found = parse(text)
    assert len(found.terms) <= MOST and len(set(found.terms)) == len(found.terms)
    for term in found.terms:
        assert term.words and all(re.fullmatch(r"[^\W_]+(?:['’][^\W_]+)*", word) for word in term.words)
    assert parse(text) == found


@given(st.text(max_size=60))
def test_keys_are_keys_or_nothing(text: str) -> None:
    key = parse_key(text)
    assert key is None or key in keys() or key in [Key(one.tonic, None) for one in keys()]
    for one in keys():
        assert parse_key(str(one)) == one


def test_words_stand_for_what_there_is() -> None:
    known = {"mood": MOODS, "occasion": occasions(), "instrument": STEMS, "without": STEMS}
    for word, meaning in meanings().items():
        assert word == fold(word) and split(word), word
        assert meaning.kind in ("high", "low") or meaning.name in known[meaning.kind], meaning
    for kind in ("mood", "occasion", "instrument"):
        covered = {meaning.name for meaning in meanings().values() if meaning.kind == kind}
        assert covered >= set(known[kind]) - {"other"}
    assert Meaning("high", "mix.tempo") in meanings().values()
