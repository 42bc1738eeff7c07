"""One fact in one sentence: sentences.toml holds the English, the catalogues the others."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from typing import Any

from bot.words.i18n import joined, tr, trn
from bot.words.moods import aim_label, moods_text, steer_label
from bot.words.named import word
from bot.words.names import key_name, short
from bot.words.rules import rule_of_id
from bot.words.wording import the_source
from core.errors import Fact, Refusal, UserError


def duration(seconds: float) -> str:
    """'40 seconds', '3 minutes', '2 hours': a duration as people say it, rounded up."""
    if seconds > 5400:
        return tr("{count} hours", count=-int(-seconds // 3600))
    if seconds > 90:
        return tr("{count} minutes", count=-int(-seconds // 60))
    if seconds > 50:
        return tr("a minute")
    return tr("{count} seconds", count=max(5, -int(-seconds // 5) * 5))


SPOKEN: dict[str, Callable[[Any], str]] = {
    "aim": aim_label,
    "goal": moods_text,
    "instruments": lambda stems: joined([the_source(stem) for stem in stems]),
    "key": key_name,
    "key_before": key_name,
    "limit": partial(word, "limits"),
    "rule": rule_of_id,
    "start": moods_text,
    "steer": steer_label,
    "title": short,
    "wait": duration,
}
"""Values of these names are codes or raw, and said in these words; facts in facts are said, all else stands as it is."""


def say(told: Fact | UserError) -> str:
    """The sentence of a fact or an error, in the reader's language."""
    if isinstance(told, UserError):
        if not isinstance(told, Refusal):
            return str(told)
        told = told.fact
    values = {name: _spoken(name, value) for name, value in told.items() if name != "code"}
    sentence = sentences()[told["code"]]
    if isinstance(sentence, list):
        one, many = sentence
        return trn(one, many, values.pop("count"), **values)
    return tr(sentence, **values)


def _spoken(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return say(value)
    return SPOKEN[name](value) if name in SPOKEN else value


@cache
def sentences() -> dict[str, str | list[str]]:
    """{code: sentence, or [one, many]}, read once."""
    return tomllib.loads(files("bot.words").joinpath("sentences.toml").read_text("utf-8"))
