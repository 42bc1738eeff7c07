"""A measured value in words that a listener understands. The phrases are in descriptors.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.recommend.table import Rule

LOW, HIGH = 0.35, 0.65
"""Percentiles below and above which a value is called low and high."""


def sentence(
    rule: Rule, value: float, unit: str, percentile: float, contribution: float, *, less: bool = False
) -> str:
    """One sentence: the measured fact, then why it speaks for or against the track; `less` of it was wished for."""
    level = _level(rule.descriptor, value, percentile)
    before, after, how = _pattern(rule.source, rule.descriptor, level, unit, capital=True)
    why = rule.text.replace("{more}", "less" if less else "more") if rule.preference else rule.text
    return f"{before}{formatted(value, how)}{after}{'; ' if contribution >= 0 else ', but '}{why}."


def fact(source: str, descriptor: str, value: float, unit: str, percentile: float) -> str:
    """What was measured: 'the beat is slower than most, 72 beats a minute'."""
    before, after, how = _pattern(source, descriptor, _level(descriptor, value, percentile), unit)
    return f"{before}{formatted(value, how)}{after}"


def _level(descriptor: str, value: float, percentile: float) -> str:
    if value == table().get(descriptor, {}).get("silent", 0):
        return "none"
    return "low" if percentile < LOW else "high" if percentile > HIGH else "mid"


@cache
def _pattern(
    source: str, descriptor: str, level: str, unit: str, capital: bool = False
) -> tuple[str, str, str]:
    """What stands before and after the value, and how to print it."""
    phrases = table()
    stem = phrases["sources"].get(source, source)
    of, of_in = ("", "") if source == "mix" else (f" of {stem}", f" in {stem}")
    verb = "are" if phrases["plural"].get(source) else "is"
    it = "it is" if source == "mix" else f"{stem} {verb}"
    compared = {"than": "than", "as": "as"} if source == "mix" else {"than": "than in", "as": "as in"}
    entry = phrases.get(descriptor)
    if entry is None:
        grade = {"mid": "average", "high": "higher than most"}.get(level, "lower than most")
        name = descriptor.replace("_", " ").replace(".std", " spread")
        return f"{'The' if capital else 'the'} {name}{of} is {grade} (", f" {unit})", ""
    text = str(entry.get(level, entry["low"])).format(
        value="\0", unit=unit, of=of, of_in=of_in, stem=stem, it=it, **compared
    )
    before, _, after = (text[0].upper() + text[1:] if capital and text[0] != "\0" else text).partition("\0")
    return before, after, str(entry["format"])


def formatted(value: float, how: str = "") -> str:
    """A number for humans: '0', '0.0', '+0.00' set the decimals, '%' makes a share a percentage."""
    if how == "%":
        return f"{100 * value:.0f} %"
    text = f"{value:{_specification(how) if how else (',.0f' if abs(value) >= 100 else ',.2f')}}"
    if value >= 0:
        return text
    return text.replace("-", "\u2212") if any(digit in text for digit in "123456789") else text.lstrip("-")


@cache
def _specification(how: str) -> str:
    return f"{'+' if how.startswith('+') else ''},.{len(how.partition('.')[2])}f"


@cache
def table() -> dict[str, Any]:
    return tomllib.loads(files("core.recommend").joinpath("descriptors.toml").read_text("utf-8"))
