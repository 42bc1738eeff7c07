"""Weights of rules that servers chose for themselves, and every change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import Refusal
from core.library.connection import ExecuteSQL, Row
from core.library.database import Database, Transaction

_STANDING = (
    "SELECT * FROM rule_change WHERE guild_id=? AND undoes IS NULL AND NOT undone ORDER BY id DESC LIMIT 1"
)


@dataclass(frozen=True)
class RuleChange:
    """Who set which rule's weight when (Unix seconds); None stands for the shipped weight, `undone` for one taken back."""

    id: int
    user_id: int
    rule: str
    before: float | None
    after: float | None
    at: int
    undoes: int | None
    undone: bool


async def weights_of(execute: ExecuteSQL, guild_id: int | None) -> dict[str, float]:
    """Return {rule: weight} that a server has set; none outside of servers."""
    rows = await execute("SELECT rule, weight FROM rule_weight WHERE guild_id=?", (guild_id,))
    return {row["rule"]: row["weight"] for row in rows}


async def put_weight(
    transaction: Transaction,
    guild_id: int,
    user_id: int,
    rule: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
    undoes: int | None = None,
) -> RuleChange:
    """Store the weight that `rule` has in `after`, the shipped one where it has none there, and return the change."""
    if rule in after:
        await transaction.run(
            "INSERT INTO rule_weight (guild_id, rule, weight) VALUES (?, ?, ?)"
            " ON CONFLICT (guild_id, rule) DO UPDATE SET weight=excluded.weight",
            (guild_id, rule, after[rule]),
        )
    else:
        await transaction.run("DELETE FROM rule_weight WHERE guild_id=? AND rule=?", (guild_id, rule))
    [row] = await transaction.run(
        "INSERT INTO rule_change (guild_id, user_id, rule, before, after, undoes) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING *",
        (guild_id, user_id, rule, before.get(rule), after.get(rule), undoes),
    )
    return _change(row)


async def mark_undone(transaction: Transaction, guild_id: int, change_id: int) -> RuleChange:
    """Mark a server's newest change that still stands as undone, and return it.

    Raises UserError when it was taken back already or a newer one stands in the way.
    """
    rows = await transaction.run("SELECT * FROM rule_change WHERE guild_id=? AND id=?", (guild_id, change_id))
    if not rows:
        raise Refusal("no-rule-change")
    change = _change(rows[0])
    if change.undone or change.undoes is not None:
        raise Refusal("rule-change-undone")
    [newest] = await transaction.run(_STANDING, (guild_id,))
    if newest["id"] != change_id:
        raise Refusal("rule-changed-after")
    await transaction.run("UPDATE rule_change SET undone=1 WHERE id=?", (change_id,))
    return change


async def changes(database: Database, guild_id: int, limit: int = 20, skip: int = 0) -> list[RuleChange]:
    """Return a server's changes, the newest first."""
    rows = await database.fetch(
        "SELECT * FROM rule_change WHERE guild_id=? ORDER BY id DESC LIMIT ? OFFSET ?",
        (guild_id, limit, skip),
    )
    return [_change(row) for row in rows]


async def newest_standing(database: Database, guild_id: int) -> RuleChange | None:
    """Return the change that can be undone next."""
    row = await database.fetch_one(_STANDING, (guild_id,))
    return _change(row) if row else None


def _change(row: Row) -> RuleChange:
    values = {name: row[name] for name in RuleChange.__dataclass_fields__}
    return RuleChange(**{**values, "undone": bool(row["undone"])})
