"""What would have ranked higher: the track above beside this one, and what this one would need to be first.

Both are read off the terms of the scores. A changed measurement is looked up in the library's distribution as a real
one would be, everything else equal (a counterfactual explanation, Wachter, Mittelstadt & Russell 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.audio.vocabulary import phrases
from core.library.catalog import Catalog, blended_percentiles
from core.library.reference import quantiles
from core.recommend.rule import Rule
from core.recommend.rules import Recommendation
from core.recommend.topic_scores import TopicScores, prepare

STEPS = 400
"""At most this many values of a measurement are tried."""


@dataclass(frozen=True)
class Needed:
    """A measurement's value with which a track would score higher, all else equal."""

    source: str
    descriptor: str
    unit: str
    value: float
    instead_of: float
    far: float
    """How far apart the two are, as a share of the library."""


def smallest_change(
    catalog: Catalog, topics: dict[str, float], one: Recommendation, gap: float
) -> Needed | None:
    """The smallest change of one measurement that adds more than `gap`, of those that a listener understands."""
    prepared = prepare(catalog)
    row = catalog.index(one.track.id)
    kind = int(catalog.separator_codes[row])
    scale = float(prepared.scale(topics)[kind])
    by_feature: dict[str, list[Rule]] = {}
    for rule in (*prepared.rules, *prepared.seldom):
        words = phrases(rule.descriptor)
        if words is not None and words.step and topics.get(rule.topic) and prepared.shares[rule.id][kind] > 0:
            by_feature.setdefault(rule.feature, []).append(rule)
    best: Needed | None = None
    for rules in by_feature.values():
        needed = _nearest(catalog, prepared, topics, rules, row, kind, scale, gap)
        if needed is not None and (best is None or needed.far < best.far):
            best = needed
    return best


def _nearest(
    catalog: Catalog,
    prepared: TopicScores,
    topics: dict[str, float],
    rules: Sequence[Rule],
    row: int,
    kind: int,
    scale: float,
    gap: float,
) -> Needed | None:
    """The value nearest to the track's own with which these rules, all on one measurement, give `gap` more."""
    rule = rules[0]
    values = catalog.values(rule.feature)
    own, here = float(values[row]), float(catalog.percentiles(rule.feature)[row])
    if np.isnan(own):
        return None
    weights = [topics[rule.topic] / scale * prepared.shares[rule.id][kind] for rule in rules]
    if 2 * sum(abs(weight) for weight in weights) <= gap:
        return None
    separator = catalog.separator_kinds[kind]
    library = values[(catalog.separator_codes == kind) & ~np.isnan(values)]
    words = phrases(rule.descriptor)
    assert words is not None and words.step is not None
    tried = _grid(library, separator, rule.feature, words.step)
    shares = blended_percentiles(tried, library, separator, rule.feature)
    gained = np.zeros(len(tried))
    for one, weight in zip(rules, weights, strict=True):
        fits = one.fit(np.append(tried, np.float32(own)), np.append(shares, np.float32(here))).astype(
            np.float64
        )
        gained += weight * (fits[:-1] - fits[-1])
    enough = np.flatnonzero(gained > gap)
    if not len(enough):
        return None
    best = enough[np.argmin(np.abs(tried[enough] - own))]
    unit = catalog.units.get(rule.feature, "")
    return Needed(
        rule.source, rule.descriptor, unit, float(tried[best]), own, abs(float(shares[best]) - here)
    )


def _grid(library: NDArray[np.float32], separator: str, feature: str, step: float) -> NDArray[np.float32]:
    """Round values from the lowest to the highest that is known of the measurement."""
    known = [float(library.min()), float(library.max())]
    if (reference := quantiles(separator, feature)) is not None:
        known += [float(reference[0]), float(reference[-1])]
    low, high = min(known), max(known)
    while (high - low) / step > STEPS:
        step *= 2
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1, dtype=np.float64).astype(
        np.float32
    ) * np.float32(step)
