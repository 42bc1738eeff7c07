"""Facts become sentences in the reader's language, wherever they come from."""

from __future__ import annotations

import ast
import json
import pickle
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.words.named import words
from bot.words.say import say, sentences
from core.audio.decode import REFUSALS
from core.errors import Refusal, UserError, error_of, fact
from core.library import guild_limits
from core.recommend.taste_term import KINDS
from core.spoken import LANGUAGES, speaking
from jobs.model import QuotaError

ROOT = Path(__file__).parents[3]
KEPT = Refusal("steer-strongest", steer="calmer")


def test_a_refusal_is_said_in_the_readers_language() -> None:
    said = {}
    for language in LANGUAGES:
        with speaking(language):
            said[language] = say(Refusal("no-language", language="fr", known="en, de"))
    assert said["en"] == "I don't speak 'fr'; choose one of en, de."
    assert said["de"] == "Ich spreche kein 'fr'; wähle aus: en, de."
    assert len(set(said.values())) == 3


def test_values_that_are_codes_are_said_too() -> None:
    with speaking("de"):
        assert "Ruhiger" in say(KEPT)
        assert "Gitarre" in say(fact("instruments-not-heard", instruments=["guitar"]))
        assert say(QuotaError.of("user", "day", 2, 7200.0)).endswith("in etwa 2 Stunden noch einmal.")


def test_what_a_sentence_is_made_of_survives_processes_and_the_database() -> None:
    quota = QuotaError.of("guild", "waiting", 3, None)
    for error in (KEPT, quota, UserError("Plain words.")):
        for copy in (pickle.loads(pickle.dumps(error)), error_of(json.loads(json.dumps(error.fact)))):
            assert say(copy) == say(error)


def test_plain_words_are_for_operators_and_stay_as_they_are() -> None:
    with speaking("de"):
        assert say(UserError("Set {this} in config.toml.")) == "Set {this} in config.toml."
        assert say(UserError("Set {this} in config.toml.").fact) == "Set {this} in config.toml."


ELSEWHERE = {"rule", "changed", "both-heard", "both-measured"}
"""Facts that bot.words.reasons, bot.words.changes and bot.words.likeness say."""


def codes(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return codes(node.body) + codes(node.orelse)
    return [str(node.value)] if isinstance(node, ast.Constant) else []


def calls() -> Iterator[tuple[str, str, set[str] | None]]:
    """(place, code, names of its values or None where they are not to be seen) of every fact."""
    for package in ("core", "jobs", "bot"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and node.args
                    and getattr(node.func, "id", "") in ("Refusal", "fact")
                ):
                    names = {keyword.arg for keyword in node.keywords if keyword.arg}
                    whole = all(keyword.arg for keyword in node.keywords)
                    for code in codes(node.args[0]):
                        if code not in ELSEWHERE:
                            yield f"{path.name}:{node.lineno}", code, names if whole else None


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize(("place", "code", "names"), [pytest.param(*call, id=call[0]) for call in calls()])
def test_every_fact_has_a_sentence_and_what_it_needs(place: str, code: str, names: set[str] | None) -> None:
    sentence = sentences()[code]
    for form in [sentence] if isinstance(sentence, str) else sentence:
        assert names is None or fields(form) <= names, place


def test_every_sentence_has_its_fact() -> None:
    """No sentence stays behind when its code goes; these are put together from parts."""
    made = {code for _, code, _ in calls()} | set(REFUSALS.values())
    built = {
        "limit-out-of-range",
        "limit-too-low",
        "crashed-times",
        "timed-out-times",
        "lost-times",
        "failed-times",
    }
    built |= {
        f"quota-{scope}-{period}" for scope in ("user", "guild", "total") for period in ("waiting", "day")
    }
    built |= {
        f"{which}-{kind}" for which in ("it", "like", "unlike") for kind in ("liked", "disliked", *KINDS)
    }
    assert set(sentences()) == made | built | {"quota"}


def test_every_limit_has_its_words() -> None:
    assert set(words("limits")) == set(guild_limits.LIMITS)
