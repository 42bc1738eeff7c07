"""Why a track: each term of a score in one sentence, in the reader's language."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from bot.words import wording
from bot.words.say import say
from core.library.recommendations import Reason
from core.recommend.rule import Rule
from core.recommend.table import load_rules, load_steers


def reason_text(reason: Reason) -> str:
    """The measured fact and why it speaks for or against the track, or what else the term is about.

    Of a rule that is no more since the reason was kept, only the measured fact is left.
    """
    if reason.percentile is None:
        return say(reason.fact)
    rule = _rules().get(reason.rule)
    measured = reason.value, reason.unit, reason.percentile
    if rule is None:
        said = wording.measured(reason.source, reason.descriptor, *measured)
        return f"{said[:1].upper()}{said[1:]}."
    return wording.sentence(rule, *measured, reason.contribution, less=reason.fact.get("less", False))


def reason_json(reason: Reason) -> dict[str, Any]:
    """The reason as the command line prints it: its fields, with the sentence in place of the fact."""
    row = {one.name: getattr(reason, one.name) for one in fields(reason) if one.name != "fact"}
    return {**row, "text": reason_text(reason)}


@cache
def _rules() -> dict[str, Rule]:
    return {rule.id: rule for rule in (*load_rules(), *load_steers())}
