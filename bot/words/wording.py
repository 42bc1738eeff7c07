"""A measured value in words that a listener understands. The phrases are in core/audio/descriptors.toml."""

from __future__ import annotations

import math
from functools import cache

from bot.words.i18n import number, percent, tr
from bot.words.named import words
from core.audio.vocabulary import phrases
from core.recommend.rule import HIGH, LOW, Rule
from core.spoken import spoken


def sentence(
    rule: Rule, value: float, unit: str, percentile: float, contribution: float, *, less: bool = False
) -> str:
    """Return one sentence: the measured fact, then why it speaks for or against the track.

    `percentile` is the value's in the library, 0..1; `less` of it was wished for.
    """
    level = _level(rule.descriptor, value, percentile)
    before, after, how = _pattern(rule.source, rule.descriptor, level, unit, spoken(), capital=True)
    why = tr(rule.text)
    if rule.preference:
        why = why.replace("{more}", tr("less") if less else tr("more"))
    return f"{before}{formatted(value, how)}{after}{'; ' if contribution >= 0 else tr(', but ')}{why}."


def measured(source: str, descriptor: str, value: float, unit: str, percentile: float) -> str:
    """What was measured: 'the beat is slower than most, 72 beats a minute'."""
    before, after, how = _pattern(source, descriptor, _level(descriptor, value, percentile), unit, spoken())
    return f"{before}{formatted(value, how)}{after}"


def _level(descriptor: str, value: float, percentile: float) -> str:
    if value == _silent(descriptor):
        return "none"
    return "low" if percentile < LOW else "high" if percentile > HIGH else "mid"


@cache
def _silent(descriptor: str) -> float:
    """The value that stands for silence."""
    found = phrases(descriptor)
    return found.silent if found is not None else 0.0


@cache
def _pattern(
    source: str, descriptor: str, level: str, unit: str, language: str, capital: bool = False
) -> tuple[str, str, str]:
    """What stands before and after the value, and how to print it; `language` is the reader's."""
    verb = "are" if is_plural(source) else "is"
    it = tr("it is" if source == "mix" else f"{_name(source)} {verb}")
    compared = {word: tr(word if source == "mix" else f"{word} in") for word in ("than", "as")}
    found = phrases(descriptor)
    if found is None:
        grade = {"mid": "average", "high": "higher than most"}.get(level, "lower than most")
        name = descriptor.replace("_", " ").replace(".std", " spread")
        return f"{'The' if capital else 'the'} {name}{of(source)} is {grade} (", f" {unit})", ""
    text = {"none": found.none, "mid": found.mid, "high": found.high}.get(level) or found.low
    text = tr(text).format(
        value="\0", unit=unit, of=of(source), of_in=of_in(source), stem=the_source(source), it=it, **compared
    )
    before, _, after = (text[0].upper() + text[1:] if capital and text[0] != "\0" else text).partition("\0")
    return before, after, found.format


def the_source(source: str) -> str:
    """'the drums', 'the music'."""
    return tr(_name(source))


def of(source: str) -> str:
    """' of the drums'; nothing for the whole music."""
    return "" if source == "mix" else tr(" of " + _name(source))


def of_in(source: str) -> str:
    """' in the drums'; nothing for the whole music."""
    return "" if source == "mix" else tr(" in " + _name(source))


def formatted(value: float, how: str = "") -> str:
    """A number for humans: '0', '0.0', '+0.00' set the decimals, '%' makes a share a percentage, 'dB' puts a ratio of powers
    in decibels."""
    if how == "%":
        return percent(value)
    if how == "dB":
        return f"{formatted(10 * math.log10(max(value, 1e-10)), '0')} dB"
    text = number(value, _specification(how) if how else (",.0f" if abs(value) >= 100 else ",.2f"))
    if value >= 0:
        return text
    return text.replace("-", "\u2212") if any(digit in text for digit in "123456789") else text.lstrip("-")


@cache
def _specification(how: str) -> str:
    return f"{'+' if how.startswith('+') else ''},.{len(how.partition('.')[2])}f"


def is_plural(source: str) -> bool:
    """True for a source that takes "are"."""
    return source in words("plural")


def _name(source: str) -> str:
    return words("sources").get(source, source)
