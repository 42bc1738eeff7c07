"""Steering: one tap changes a result without asking again, and says what it changed.

A steer (core/moods/steers.toml) is one more topic of the score, so it is explained like every other. Steers add up: the
same one twice counts twice, its opposite takes it back. What it changed is measured on the picks before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import Fact, Refusal, fact
from core.library.catalog import Catalog
from core.moods.profile import tables
from core.recommend.rule import Rule
from core.recommend.table import load_steers
from core.recommend.topic_scores import prepare

SURPRISE = "surprise"

WEIGHT = 0.5
"""A steer counts half as much as everything else that was asked for together: a third of the sum, two steers half."""

MOST, MOST_EACH = 6, 3
"""More steers than this at once would drown the mood."""

NOTICED = 0.1
"""A change is named when the picks' mean fit to the steer's rule rises by this much (of -1..1)."""


def steers() -> tuple[str, ...]:
    """The names of all steers."""
    return tuple(tables("steers"))


def steer_entry(name: str) -> dict[str, Any]:
    """Return the steer's entry in steers.toml, its label by language. Raises UserError for an unknown one."""
    if name not in tables("steers"):
        raise Refusal("no-steer", name=name, steers=", ".join(steers()))
    found: dict[str, Any] = tables("steers")[name]
    return found


def steer_emoji(name: str) -> str:
    """For buttons."""
    return str(steer_entry(name)["emoji"])


def quick_steers() -> tuple[str, ...]:
    """Those that get a button; the others are in a list."""
    return tuple(name for name in steers() if steer_entry(name).get("quick"))


def possible(catalog: Catalog) -> tuple[str, ...]:
    """The steers that this library can follow: not 'More piano' where its separator cannot find a piano."""
    prepared = prepare(catalog)
    return tuple(name for name in steers() if name == SURPRISE or prepared.serves(f"steer.{name}"))


def pressed(applied: Sequence[str], name: str) -> tuple[str, ...]:
    """The steers after one more tap: its opposite is taken back if it was applied, else the steer is added.

    A second surprise is another one, not a stronger one. Raises UserError for an unknown steer and for too many.
    """
    opposite = steer_entry(name).get("opposite")
    steered = list(applied)
    if opposite in steered:
        return taken_back(steered, opposite)
    if name == SURPRISE and name in steered:
        return tuple(steered)
    if steered.count(name) >= MOST_EACH:
        raise Refusal("steer-strongest", steer=name)
    if len(steered) >= MOST:
        raise Refusal("too-many-steers", most=MOST)
    return (*steered, name)


def taken_back(applied: Sequence[str], name: str) -> tuple[str, ...]:
    """The steers without the last tap on this one. Raises UserError for one that is unknown, or was not tapped."""
    steer_entry(name)
    if name not in applied:
        raise Refusal("steer-taken-back-already", steer=name)
    last = len(applied) - 1 - list(applied)[::-1].index(name)
    return (*applied[:last], *applied[last + 1 :])


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """The steers as if pressed one after the other."""
    applied: tuple[str, ...] = ()
    for name in names:
        applied = pressed(applied, name)
    return applied


def steer_topics(applied: Sequence[str], rest: float) -> dict[str, float]:
    """{topic: weight} of the steers beside topics that weigh `rest` together."""
    counts = Counter(name for name in applied if name != SURPRISE)
    return {f"steer.{name}": WEIGHT * (rest or 1.0) * count for name, count in counts.items()}


def opposite_of(name: str) -> str | None:
    """The steer that this one takes back."""
    return steer_entry(name).get("opposite")


def change(
    catalog: Catalog, before: Sequence[int], after: Sequence[int], tap: Fact, name: str | None = None
) -> Fact:
    """Return what a `tap` changed between two lists of track ids: how many are new, and what moved most.

    A move is {"change": the steer's word for it, "descriptor", "before", "after": means over the picks or None}. Without
    the `name` of a steer only the new ones are counted.
    """
    rows = [[catalog.index(track) for track in ids if track in catalog] for ids in (before, after)]
    moves = []
    if name and all(rows):
        for rule, how in zip(_rules(name), steer_entry(name).get("rule", ()), strict=True):
            gain, means = _moved(catalog, rule, rows)
            if gain >= NOTICED:
                move = {
                    "change": how["change"],
                    "descriptor": rule.descriptor,
                    "before": means[0],
                    "after": means[1],
                }
                moves.append((rule.weight * gain, move))
    moves.sort(key=lambda one: -one[0])
    fresh = len(set(after) - set(before))
    return fact(
        "changed",
        tap=tap,
        fresh=fresh,
        all=len(after),
        reordered=list(before) != list(after),
        moves=[move for _, move in moves[:3]],
    )


def _rules(name: str) -> list[Rule]:
    return [rule for rule in load_steers() if rule.steer == name]


def _moved(
    catalog: Catalog, rule: Rule, rows: Sequence[Sequence[int]]
) -> tuple[float, tuple[float, float] | tuple[None, None]]:
    """How much better the second list fits the rule than the first, and both means; None where one is not known."""
    values = catalog.values(rule.feature)
    fits = rule.fit(values, catalog.percentiles(rule.feature))
    known = [[row for row in some if not np.isnan(values[row])] for some in rows]
    if not all(known):
        return 0.0, (None, None)
    gain = float(fits[known[1]].mean() - fits[known[0]].mean())
    return gain, (float(values[known[0]].mean()), float(values[known[1]].mean()))
