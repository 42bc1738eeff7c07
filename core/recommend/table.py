"""The rules as tables (rules.toml, weights.toml, steers.toml, occasions.toml), and how far they may rely on stems."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from core.moods.profile import tables
from core.recommend.rule import Rule
from core.recommend.rule_file import parse_rules
from core.separation.registry import describe

PRESENCE, PRESENT = ("activity", "level_db", "loudness"), 0.2
"""Descriptors that say whether a stem is there, and how reliable it must be for that (see `trust`)."""


@cache
def load_rules(*, calibrated: bool = True) -> tuple[Rule, ...]:
    """All rules of rules.toml, with the weights of weights.toml where there are any (unless `calibrated` is False).

    Raises UserError as `core.recommend.rule_file.parse_rules` does.
    """
    weights = _toml("core.moods", "weights").get("weights", {}) if calibrated else {}
    rules = parse_rules(files("core.moods").joinpath("rules.toml").read_bytes(), occasions())
    return tuple(replace(rule, weight=float(weights.get(rule.id, rule.weight))) for rule in rules)


def tuned_rules(weights: Mapping[str, float]) -> tuple[Rule, ...]:
    """All rules, those that `weights` names with another weight; names that no rule has (any more) say nothing."""
    return tuple(
        replace(rule, weight=weights[rule.id]) if rule.id in weights else rule for rule in load_rules()
    )


@cache
def load_steers() -> tuple[Rule, ...]:
    """The rules of all steers, from steers.toml."""
    return tuple(
        Rule(
            id=f"steer.{name}.{row['source']}.{row['descriptor']}",
            mood=None,
            occasion=None,
            preference=None,
            source=row["source"],
            descriptor=row["descriptor"],
            direction=row["direction"],
            weight=float(row["weight"]),
            text=steer["wish"],
            citation=steer.get("citation", ""),
            steer=name,
        )
        for name, steer in tables("steers").items()
        for row in steer.get("rule", ())
    )


def calibration() -> dict[str, Any]:
    """What weights.toml says about how its weights were made; empty where there is none."""
    found: dict[str, Any] = _toml("core.moods", "weights").get("calibration", {})
    return found


def occasions() -> tuple[str, ...]:
    """The names of all occasions."""
    return tuple(tables("occasions"))


def occasion_emoji(occasion: str) -> str:
    """For buttons."""
    return str(tables("occasions")[occasion]["emoji"])


@cache
def trust(separator: str, source: str, descriptor: str = "") -> float:
    """Return how far a rule may rely on a source of this separator, 0..1; the whole track counts 1.

    It is the fourth root of the reliability that the separator states (SeparatorInfo): that is a share of power sample by sample, while
    descriptors are means over a whole track and suffer less from leakage. (Measured on the Emotify development set
    with the first bundled U-Net: cross-validated rules rank at .515 with the square root, .528 with the fourth root.)
    That a stem can be heard, or how loud it is, is only said of stems with a reliability of PRESENT: below that, a
    piano may well have gone into another stem, and "the piano can be heard 0% of the time" would be false.
    """
    if source == "mix":
        return 1.0
    reliability = describe(separator).reliability.get(source, 0.0)
    return 0.0 if descriptor in PRESENCE and reliability < PRESENT else float(reliability**0.25)


def forget_tables() -> None:
    """Read the tables anew, after calibration has written weights."""
    load_rules.cache_clear()
    _toml.cache_clear()


@cache
def _toml(package: str, name: str) -> dict[str, Any]:
    path = files(package).joinpath(f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
