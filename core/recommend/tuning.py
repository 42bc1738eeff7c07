"""Weights of rules that a server chose for itself: the library is everyone's, what counts how much is each server's own.

Directions are the literature's and stay; only how much a rule counts beside the others of its topic can be changed.
Every change is kept and can be undone, the newest first.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping

from core.errors import Refusal
from core.library.database import Database
from core.library.rule_weights import RuleChange, mark_undone, put_weight, weights_of
from core.recommend.rule import Rule
from core.recommend.table import load_rules

MOST = 10.0
"""The largest weight; the shipped ones go to about 1.7, and only their proportions within a topic count."""


def the_rule(rule_id: str) -> Rule:
    """The rule with its shipped weight. Raises UserError when this version has none of that name."""
    for rule in load_rules():
        if rule.id == rule_id:
            return rule
    raise Refusal("rule-of-other-version")


def weight_from(text: str) -> float:
    """A weight as somebody typed it, with a point or a comma. Raises UserError."""
    try:
        weight = float(text.strip().replace(",", "."))
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= MOST:
        raise Refusal("no-weight", most=MOST)
    return float(f"{weight:.3g}")


def share(rule: Rule, weights: Mapping[str, float]) -> float:
    """How much of its topic a rule is, 0..1, with these weights in place of the shipped ones."""
    total = sum(weights.get(other.id, other.weight) for other in load_rules() if other.topic == rule.topic)
    return weights.get(rule.id, rule.weight) / total if total else 0.0


def changed(weights: Mapping[str, float], rule_id: str, weight: float | None) -> dict[str, float]:
    """The weights with one more set, or with None back to the shipped one.

    Raises UserError for unknown rules, numbers that are no weight, and when nothing would be left of the topic.
    """
    rule = the_rule(rule_id)
    if weight is not None and not 0 <= weight <= MOST:
        raise Refusal("no-weight", most=MOST)
    after = {name: value for name, value in weights.items() if name != rule_id}
    if weight is not None and weight != rule.weight:
        after[rule_id] = weight
    if not any(after.get(other.id, other.weight) for other in load_rules() if other.topic == rule.topic):
        raise Refusal("last-rule")
    return after


def token(weights: Mapping[str, float]) -> str:
    """Eight letters and digits that stand for these weights, to tell whether they are still the same."""
    return f"{zlib.crc32(json.dumps(weights, sort_keys=True).encode()):08x}"


async def set_weight(
    database: Database, guild_id: int, user_id: int, rule_id: str, weight: float | None, seen: str
) -> RuleChange:
    """Set the weight of a rule on a server, or with None go back to the shipped one.

    `seen` is the `token` of the weights that the person was shown the effect for: it was true of these only.
    Raises UserError for what `changed` refuses, when somebody else changed a rule since, and when nothing changes.
    """
    async with database.transaction() as transaction:
        weights = await weights_of(transaction.run, guild_id)
        if token(weights) != seen:
            raise Refusal("rules-changed-since")
        after = changed(weights, rule_id, weight)
        if after == weights:
            raise Refusal("weight-the-same")
        return await put_weight(transaction, guild_id, user_id, rule_id, weights, after)


async def undo(database: Database, guild_id: int, user_id: int, change_id: int) -> RuleChange:
    """Take back a server's newest change that still stands; `change_id` says which one the person means.

    Raises UserError when it was taken back already or a newer one stands in the way.
    """
    async with database.transaction() as transaction:
        change = await mark_undone(transaction, guild_id, change_id)
        weights = await weights_of(transaction.run, guild_id)
        after = changed(weights, change.rule, change.before)
        return await put_weight(transaction, guild_id, user_id, change.rule, weights, after, undoes=change_id)
