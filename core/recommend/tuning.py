"""Weights of rules that a server chose for itself: the library is everyone's, what counts how much is each server's own.

Directions are the literature's and stay; only how much a rule counts beside the others of its topic can be changed.
Every change is kept and can be undone, the newest first.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import Refusal
from core.library.connection import Row
from core.library.database import Database, Transaction
from core.recommend.rule import Rule
from core.recommend.table import load_rules

MOST = 10.0
"""The largest weight; the shipped ones go to about 1.7, and only their proportions within a topic count."""


@dataclass(frozen=True)
class Change:
    """Who set which rule's weight when (Unix seconds); None stands for the shipped weight, `undone` for one taken back."""

    id: int
    user_id: int
    rule: str
    before: float | None
    after: float | None
    at: int
    undoes: int | None
    undone: bool


async def weights_of(database: Database, guild_id: int | None) -> dict[str, float]:
    """{rule: weight} that a server has set; none outside of servers."""
    rows = await database.fetch("SELECT rule, weight FROM rule_weight WHERE guild_id=?", (guild_id,))
    return {row["rule"]: row["weight"] for row in rows}


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
) -> Change:
    """Set the weight of a rule on a server, or with None go back to the shipped one.

    `seen` is the `token` of the weights that the person was shown the effect for: it was true of these only.
    Raises UserError for what `changed` refuses, when somebody else changed a rule since, and when nothing changes.
    """
    async with database.transaction() as transaction:
        weights = await _weights(transaction, guild_id)
        if token(weights) != seen:
            raise Refusal("rules-changed-since")
        if changed(weights, rule_id, weight) == weights:
            raise Refusal("weight-the-same")
        return await _set(transaction, guild_id, user_id, rule_id, weight)


async def undo(database: Database, guild_id: int, user_id: int, change_id: int) -> Change:
    """Take back a server's newest change that still stands; `change_id` says which one the person means.

    Raises UserError when it was taken back already or a newer one stands in the way.
    """
    async with database.transaction() as transaction:
        rows = await transaction.run(
            "SELECT * FROM rule_change WHERE guild_id=? AND id=?", (guild_id, change_id)
        )
        if not rows:
            raise Refusal("no-rule-change")
        change = _change(rows[0])
        if change.undone or change.undoes is not None:
            raise Refusal("rule-change-undone")
        [row] = await transaction.run(
            "SELECT max(id) AS newest FROM rule_change WHERE guild_id=? AND undoes IS NULL AND NOT undone",
            (guild_id,),
        )
        if row["newest"] != change_id:
            raise Refusal("rule-changed-after")
        await transaction.run("UPDATE rule_change SET undone=1 WHERE id=?", (change_id,))
        return await _set(transaction, guild_id, user_id, change.rule, change.before, undoes=change_id)


async def changes(database: Database, guild_id: int, limit: int = 20, skip: int = 0) -> list[Change]:
    """The newest first."""
    rows = await database.fetch(
        "SELECT * FROM rule_change WHERE guild_id=? ORDER BY id DESC LIMIT ? OFFSET ?",
        (guild_id, limit, skip),
    )
    return [_change(row) for row in rows]


async def newest_standing(database: Database, guild_id: int) -> Change | None:
    """The change that can be undone next."""
    row = await database.fetch_one(
        "SELECT * FROM rule_change WHERE guild_id=? AND undoes IS NULL AND NOT undone ORDER BY id DESC LIMIT 1",
        (guild_id,),
    )
    return _change(row) if row else None


async def _weights(transaction: Transaction, guild_id: int) -> dict[str, float]:
    rows = await transaction.run("SELECT rule, weight FROM rule_weight WHERE guild_id=?", (guild_id,))
    return {row["rule"]: row["weight"] for row in rows}


async def _set(
    transaction: Transaction,
    guild_id: int,
    user_id: int,
    rule_id: str,
    weight: float | None,
    undoes: int | None = None,
) -> Change:
    weights = await _weights(transaction, guild_id)
    after = changed(weights, rule_id, weight)
    if rule_id in after:
        await transaction.run(
            "INSERT INTO rule_weight (guild_id, rule, weight) VALUES (?, ?, ?)"
            " ON CONFLICT (guild_id, rule) DO UPDATE SET weight=excluded.weight",
            (guild_id, rule_id, after[rule_id]),
        )
    else:
        await transaction.run("DELETE FROM rule_weight WHERE guild_id=? AND rule=?", (guild_id, rule_id))
    [row] = await transaction.run(
        "INSERT INTO rule_change (guild_id, user_id, rule, before, after, undoes) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING *",
        (guild_id, user_id, rule_id, weights.get(rule_id), after.get(rule_id), undoes),
    )
    return _change(row)


def _change(row: Row) -> Change:
    return Change(
        row["id"],
        row["user_id"],
        row["rule"],
        row["before"],
        row["after"],
        row["at"],
        row["undoes"],
        bool(row["undone"]),
    )
