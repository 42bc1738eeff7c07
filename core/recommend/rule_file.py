"""rules.toml, read so that whoever edits it is told in one sentence what is wrong, and in which rule."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from core.audio.types import SOURCES
from core.errors import UserError
from core.moods.profile import MOODS, PREFERENCES
from core.recommend.rule import Rule

TOPICS = ("mood", "occasion", "preference")
DIRECTIONS = ("low", "high", "range")
KEYS = {*TOPICS, "id", "source", "descriptor", "direction", "weight", "text", "citation", "range", "margin"}
LARGEST = 1e9
"""No end of a range and no weight is larger: what is, is a slip, and would not fit a float32."""


def parse_rules(data: bytes, occasions: Collection[str], file: str = "rules.toml") -> tuple[Rule, ...]:
    """The rules in the bytes of a TOML file, in their order; `occasions` are the names that it may use.

    Raises UserError with one sentence for anything else: no TOML, no rules, two of one id, a name that there is not, a
    number out of its range, a range without its ends.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # of the encoding, TOML, a number of thousands of digits
        reason = (str(error).splitlines() or ["unreadable"])[0].rstrip(".")
        raise UserError(f"{file} cannot be read as TOML: {reason}.") from error
    rows = document.get("rule")
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{file} has no rules: write each as a table under [[rule]].")
    references = document.get("references")
    if not isinstance(references, dict):
        raise UserError(f"{file} has no table [references]: every rule's citation is a key of it.")
    rules: dict[str, Rule] = {}
    for number, row in enumerate(rows, 1):
        where = f"Rule {number} of {file}"
        if not isinstance(row, dict):
            raise UserError(f"{where} is no table: write it under [[rule]].")
        rule = _rule(row, where, occasions, references)
        if rule.id in rules:
            raise UserError(f"{where} has the id {rule.id!r} of an earlier one: give it another.")
        rules[rule.id] = rule
    return tuple(rules.values())


def _rule(
    row: Mapping[str, Any], where: str, occasions: Collection[str], references: Collection[str]
) -> Rule:
    unknown = sorted(set(row) - KEYS)
    if unknown:
        raise UserError(f"{where} has {unknown[0]!r}, which means nothing: correct or remove it.")
    topics = [topic for topic in TOPICS if topic in row]
    if len(topics) != 1:
        raise UserError(f"{where} is about {len(topics)} things: give it one of {', '.join(TOPICS)}.")
    names = {"mood": MOODS, "occasion": occasions, "preference": PREFERENCES}[topics[0]]
    topic = {topics[0]: _one_of(row, topics[0], names, where)}
    direction = _one_of(row, "direction", DIRECTIONS, where)
    ends, margin = None, None
    if direction == "range":
        ends = _ends(row, where)
        margin = _number(row, "margin", where)
        if margin <= 0:
            raise UserError(f"{where} has a margin of {margin:g}: it must be above 0.")
    elif extra := next((key for key in ("range", "margin") if key in row), None):
        raise UserError(f'{where} has a {extra}: that needs direction = "range".')
    weight = _number(row, "weight", where)
    if weight < 0:
        raise UserError(f"{where} has the weight {weight:g}: turn the direction round instead.")
    return Rule(
        id=_text(row, "id", where),
        mood=topic.get("mood"),
        occasion=topic.get("occasion"),
        preference=topic.get("preference"),
        source=_one_of(row, "source", SOURCES, where),
        descriptor=_text(row, "descriptor", where),
        direction=direction,
        weight=weight,
        text=_text(row, "text", where),
        citation=_one_of(row, "citation", references, where),
        range=ends,
        margin=margin,
    )


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f'{where} has no {key}: write it as {key} = "...".')
    return value


def _one_of(row: Mapping[str, Any], key: str, names: Collection[str], where: str) -> str:
    value = _text(row, key, where)
    if value not in names:
        listed = "the keys of [references]" if key == "citation" else ", ".join(names)
        raise UserError(f"{where} has the {key} {value!r}, which there is not: choose one of {listed}.")
    return value


def _number(row: Mapping[str, Any], key: str, where: str) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where} has no {key}: write it as a number, such as {key} = 1.0.")
    return _within(value, key, where)


def _within(value: float, key: str, where: str) -> float:
    if not abs(value) <= LARGEST:  # nor is that true of NaN
        raise UserError(f"{where} has a {key} that is no plain number: choose one below {LARGEST:g}.")
    return float(value)


def _ends(row: Mapping[str, Any], where: str) -> tuple[float, float]:
    value = row.get("range")
    numbers = value if isinstance(value, list) else []
    plain = [one for one in numbers if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != 2 or len(plain) != 2:
        raise UserError(f"{where} has no two ends: write them as range = [60, 80].")
    low, high = (_within(one, "range", where) for one in plain)
    if low > high:
        raise UserError(f"{where} has a range from {low:g} down to {high:g}: turn its ends round.")
    return low, high
