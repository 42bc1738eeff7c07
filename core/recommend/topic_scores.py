"""Every track's score for every topic, computed once for a catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.library.catalog import Catalog
from core.recommend.rule import Matrix, Rule, percentile_fit
from core.recommend.table import load_rules, load_steers, trust, tuned_rules


class TopicScores:
    """What scoring needs of one catalog and one set of rules.

    `fit(rule)` has shape (tracks,); `topic_scores` (tracks, topics) holds each topic's weighted mean of fits. Topics
    of `seldom` rules (steers) get their column when they are first asked for. Topics whose rules are those of `base`,
    which is of the same tracks, share its columns, and `topic_scores` has the others only.
    """

    def __init__(
        self,
        catalog: Catalog,
        rules: Sequence[Rule],
        seldom: Sequence[Rule] = (),
        base: TopicScores | None = None,
    ) -> None:
        self.catalog = catalog
        self.rules = tuple(rules)
        self.seldom = tuple(seldom)
        self.base = base
        self.topics = tuple(dict.fromkeys(rule.topic for rule in self.rules))
        self.by_topic: dict[str, list[Rule]] = {}
        for rule in (*rules, *seldom):
            self.by_topic.setdefault(rule.topic, []).append(rule)
        # For each rule its share of its topic, for each separator; for each topic the separators that can serve it
        self.shares: dict[str, tuple[float, ...]] = {}
        self.served: dict[str, NDArray[np.float64]] = {}
        for topic, found in self.by_topic.items():
            weights = np.array(
                [
                    [
                        rule.weight * trust(separator, rule.source, rule.descriptor)
                        for separator in catalog.separator_kinds
                    ]
                    for rule in found
                ]
            )
            totals = weights.sum(axis=0)
            shares = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)
            self.shares |= {rule.id: tuple(row) for rule, row in zip(found, shares.tolist(), strict=True)}
            self.served[topic] = (totals > 0).astype(np.float64)
        # Column by column, since a request needs only some topics.
        own = [topic for topic in self.topics if not self._as_in_base(topic)]
        self.topic_scores = np.zeros((len(catalog), len(own)), dtype=np.float32, order="F")
        self._columns = {topic: self.topic_scores[:, t] for t, topic in enumerate(own)}
        for topic, column in self._columns.items():
            self._fill(topic, column)

    def _as_in_base(self, topic: str) -> bool:
        return self.base is not None and self.base.by_topic.get(topic) == self.by_topic[topic]

    def _fill(self, topic: str, column: Matrix) -> None:
        for rule in self.by_topic[topic]:
            if any(self.shares[rule.id]):
                share = np.array(self.shares[rule.id], dtype=np.float32)[self.catalog.separator_codes]
                column += share * np.nan_to_num(self.fit(rule), nan=0.0)

    def column(self, topic: str) -> Matrix:
        """(tracks,): the topic's weighted mean of fits."""
        if topic not in self._columns and self.base is not None and self._as_in_base(topic):
            self._columns[topic] = self.base.column(topic)
        elif topic not in self._columns:
            column = np.zeros(len(self.catalog), dtype=np.float32)
            self._fill(topic, column)
            self._columns[topic] = column
        return self._columns[topic]

    def serves(self, topic: str) -> bool:
        """Whether any separator of this catalog can say something on the topic."""
        return topic in self.served and bool(self.served[topic].any())

    def fit(self, rule: Rule) -> Matrix:
        return rule.fit(self.catalog.values(rule.feature), self.catalog.percentiles(rule.feature))

    def fits(
        self, rules: Sequence[Rule], rows: NDArray[np.intp]
    ) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
        """Values, percentiles and fits of some tracks, each (rules, rows)."""
        if not rules:
            nothing = np.empty((0, len(rows)), dtype=np.float32)
            return nothing, nothing, nothing.astype(np.float64)
        values = np.stack([self.catalog.values(rule.feature)[rows] for rule in rules])
        percentiles = np.stack([self.catalog.percentiles(rule.feature)[rows] for rule in rules])
        signs = np.array([-1.0 if rule.direction == "low" else 1.0 for rule in rules], dtype=np.float32)
        fits = percentile_fit(percentiles, signs[:, None]).astype(np.float64)
        for i, rule in enumerate(rules):
            if rule.range is not None:
                fits[i] = rule.fit(values[i], percentiles[i])
        return values, percentiles, fits

    def nominal(self, rules: Sequence[Rule], topics: Mapping[str, float]) -> list[float]:
        """The share of a request that each rule would have if every stem could be trusted."""
        whole = sum(abs(weight) for weight in topics.values())
        totals = {topic: sum(rule.weight for rule in self.by_topic.get(topic, ())) for topic in topics}
        return [abs(topics[rule.topic]) / whole * rule.weight / totals[rule.topic] for rule in rules]

    def scale(self, topics: Mapping[str, float]) -> NDArray[np.float64]:
        """(separators,): what the topics' weights are divided by, those left out that a separator cannot serve."""
        totals = np.zeros(len(self.catalog.separator_kinds))
        for topic, weight in topics.items():
            if topic in self.served:
                totals += abs(weight) * self.served[topic]
        return np.where(totals > 0, totals, 1.0)

    def scores(self, topics: Mapping[str, float]) -> Matrix:
        """(tracks,): the score of every track, float32."""
        result = np.zeros(len(self.catalog), dtype=np.float32)
        scale = self.scale(topics).astype(np.float32)
        for topic, weight in topics.items():
            if weight and topic in self.by_topic:
                result += np.float32(weight / (scale[0] if len(scale) == 1 else 1)) * self.column(topic)
        if len(scale) > 1:
            result /= scale[self.catalog.separator_codes]
        return result


def prepare(catalog: Catalog, rules: Sequence[Rule] | None = None) -> TopicScores:
    """Return the catalog's topic scores by the given rules, else by its own weights (computed once)."""
    return catalog.scored(_topic_scores) if rules is None else TopicScores(catalog, rules)


def _topic_scores(catalog: Catalog) -> TopicScores:
    base = prepare(catalog.base) if catalog.base else None
    return TopicScores(catalog, tuned_rules(catalog.weights), load_steers(), base)


def tuned(catalog: Catalog, weights: Mapping[str, float]) -> Catalog:
    """Return the same tracks with these weights of rules in place of the shipped ones, ready to recommend from.

    Scores, reasons, steers and counterfactuals of the result use them. Measurements, percentiles and whatever else does
    not depend on weights are shared; only topics of rules with another weight are computed anew.
    """
    shipped = {rule.id: rule.weight for rule in load_rules()}
    weights = {name: weight for name, weight in weights.items() if shipped.get(name, weight) != weight}
    if weights == catalog.weights:
        return catalog
    view = catalog.with_weights(weights)
    prepare(view)
    return view
