"""rules.toml and its neighbours: complete, cited, and nothing in them is dead."""

from __future__ import annotations

import re
from collections import Counter

from core.audio.types import SOURCES
from core.audio.vocabulary import descriptors, phrases
from core.moods.profile import MOODS, PREFERENCES, tables
from core.recommend.table import load_rules, occasions


def test_there_are_rules_for_every_mood_occasion_and_preference() -> None:
    rules = load_rules()
    assert len(rules) >= 60 and len({rule.id for rule in rules}) == len(rules)
    topics = Counter(rule.topic for rule in rules)
    assert set(topics) == {*MOODS, *occasions(), *(f"preference.{name}" for name in PREFERENCES)}
    assert {"relaxation", "workout", "study", "celebration"} <= set(occasions())
    assert all(topics[topic] >= 6 for topic in (*MOODS, *occasions()))


def test_every_rule_is_well_formed_and_cites_a_listed_work() -> None:
    references = tables("rules")["references"]
    for rule in load_rules():
        assert sum(part is not None for part in (rule.mood, rule.occasion, rule.preference)) == 1, rule.id
        assert rule.source in SOURCES and rule.weight >= 0, rule.id
        assert rule.direction in ("low", "high") or (
            rule.direction == "range" and rule.range and rule.margin
        ), rule.id
        assert rule.citation in references, rule.id
        assert rule.id == f"{rule.topic.removeprefix('preference.')}.{rule.feature}"
    assert set(references) == {rule.citation for rule in load_rules()}
    assert all(re.search(r"\b(19|20)\d\d\b", work) for work in references.values())


def test_rules_say_how_music_sounds_and_promise_nothing() -> None:
    for rule in load_rules():
        assert not re.search(r"\b(will|makes? you|heals?|cures?|therap|treat)", rule.text), rule.text
        assert not rule.text[0].isupper() and not rule.text.endswith("."), rule.text


def test_every_descriptor_of_a_rule_has_words() -> None:
    for rule in load_rules():
        assert phrases(rule.descriptor), rule.descriptor
    for name, descriptor in descriptors().items():
        for found in filter(None, (descriptor.phrases, descriptor.std)):
            assert all("{value}" in text for text in (found.low, found.mid, found.high)), name


def test_no_mood_asks_for_both_directions_of_one_thing() -> None:
    seen = Counter((rule.topic, rule.feature) for rule in load_rules())
    assert max(seen.values()) == 1
