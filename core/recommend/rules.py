"""Recommendation by rules: the explanation is the computation.

Each rule maps one descriptor of one source to a fit in -1..1. Within a topic (a mood, an occasion, a preference)
the rules' weights, times the trust in their stem, are scaled to add up to 1; the topics' own weights (the profile's
moods together 1, the occasion 1, each preference up to PREFERENCE_WEIGHT) are scaled the same way. A score is
therefore in -1..1 and the exact sum of its reasons; what steers, freshness, chance and diversity add or take away are
reasons, too.

Scores are linear in the topics, so tracks x topics is computed once for a catalog (core.recommend.topic_scores) and a
request is one matrix-vector product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import Refusal, fact
from core.library.catalog import Catalog, TrackLike
from core.library.recommendations import Reason
from core.moods.profile import MOODS, PREFERENCES, Profile, tables
from core.recommend import diversity
from core.recommend.rule import Rule
from core.recommend.steer import SURPRISE, steer_topics
from core.recommend.table import calibration, forget_tables, load_rules, occasions, trust
from core.recommend.topic_scores import TopicScores, prepare

__all__ = [
    "Recommendation",
    "Rule",
    "TopicScores",
    "calibration",
    "explain_rows",
    "explain_tracks",
    "forget_tables",
    "load_rules",
    "occasions",
    "prepare",
    "recommend",
    "topic_weights",
    "trust",
]  # fmt: skip

PREFERENCE_WEIGHT = 0.12
"""A preference that was answered with 'Extremely' counts this much beside the profile's 1."""

WORTH_SAYING = 0.05
"""A stem that was left out is named when its rules are at least this share of a request."""

NEGLIGIBLE = 1e-4
"""Moods and preferences that weigh less are left out."""

STRONGEST, AGAINST = 6, 4
"""Reasons for and against that a recommendation names unless more or all are asked for: each is put into words."""

POOL = 5
"""Diversity chooses among this many times more candidates than are asked for."""


@dataclass(frozen=True)
class Recommendation:
    """A track with its score in about -1..1 and why. `against` holds the strongest reasons that speak against it.

    With all_reasons `reasons` has every term, else the strongest only, strongest first; `missing` names the stems
    of which a good part of the rules was left out, since they do not sound or could not be separated. `parts` adds
    the terms up by topic (see Reason.topic), and its sum is the score.
    """

    track: TrackLike
    score: float
    reasons: list[Reason]
    against: list[Reason]
    missing: list[str]
    parts: dict[str, float]
    separator: str


def recommend(
    catalog: Catalog,
    profile: Profile,
    occasion: str | None = None,
    count: int = 10,
    *,
    steers: Sequence[str] = (),
    exclude: Collection[int] = (),
    recent: Mapping[int, float] | None = None,
    seed: int = 0,
    terms: Sequence[diversity.Term] = (),
    reasons: int = STRONGEST,
    all_reasons: bool = False,
    rules: Sequence[Rule] | None = None,
) -> list[Recommendation]:
    """The `count` tracks that suit the profile and the occasion best, best first, each with its reasons.

    `exclude` (track ids) never appear; `recent` (days since they were shown, by track id) lose a visible term that
    fades within a week. `steers` (core.recommend.steer) add theirs; 'surprise' draws by `seed`, the same for the same
    seed. `terms` are further parts of every score, such as a member's taste. Equal scores are ordered by track id, nothing is random. Raises UserError for an unknown occasion or steer.
    """
    prepared = prepare(catalog, rules)
    topics = topic_weights(profile, occasion, steers)
    if not len(catalog) or count < 1:
        return []
    scores = prepared.scores(topics)
    every: list[diversity.Term] = [*terms]
    if recent:
        every.append(diversity.Freshness(catalog, recent))
    if SURPRISE in steers:
        every.append(diversity.Surprise(catalog, seed))
    for term in every:
        term.add_to(scores)
    scores[[catalog.index(track_id) for track_id in exclude if track_id in catalog]] = -np.inf
    candidates = catalog.best_first(scores, max(POOL * count, 50))
    picks = diversity.diverse(catalog, candidates, scores, count)
    return _explained(catalog, prepared, topics, picks, every, None if all_reasons else reasons)


def explain_tracks(
    catalog: Catalog, profile: Profile, occasion: str | None, track_ids: Sequence[int]
) -> list[Recommendation]:
    """What the rules say of given tracks, in their order: a `Recommendation` for each, without terms of a list."""
    picks: list[tuple[int, list[diversity.Share]]] = [(catalog.index(track_id), []) for track_id in track_ids]
    return _explained(catalog, prepare(catalog), topic_weights(profile, occasion), picks, (), STRONGEST)


def explain_rows(
    catalog: Catalog,
    topics: dict[str, float],
    picks: Sequence[tuple[int, list[diversity.Share]]],
    terms: Sequence[diversity.Term] = (),
    *,
    all_reasons: bool = False,
) -> list[Recommendation]:
    """A `Recommendation` for each (row, terms of its own), in their order, with the `terms` that all have."""
    return _explained(catalog, prepare(catalog), topics, picks, terms, None if all_reasons else STRONGEST)


def topic_weights(
    profile: Profile, occasion: str | None = None, steers: Sequence[str] = ()
) -> dict[str, float]:
    """{topic: weight}: moods in proportion to the profile and together 1, the occasion, the preferences, the steers."""
    if occasion is not None and occasion not in occasions():
        raise Refusal("no-occasion", occasion=occasion, occasions=", ".join(occasions()))
    total = sum(profile.moods.values())
    topics = {mood: profile.moods[mood] / total for mood in MOODS if profile.moods.get(mood, 0) > NEGLIGIBLE}
    if occasion is not None:
        topics[occasion] = float(tables("occasions")[occasion]["weight"])
    for name in PREFERENCES:
        wish = profile.preferences.get(name, 0.0)
        if abs(wish) > NEGLIGIBLE:
            topics[f"preference.{name}"] = PREFERENCE_WEIGHT * wish
    if steers:
        topics |= steer_topics(steers, sum(abs(weight) for weight in topics.values()))
    return topics


def _explained(
    catalog: Catalog,
    prepared: TopicScores,
    topics: dict[str, float],
    picks: Sequence[tuple[int, list[diversity.Share]]],
    others: Sequence[diversity.Term],
    reasons: int | None,
) -> list[Recommendation]:
    """The recommendations of some rows, each with so many reasons for it, or with None all of them: every term in float64, so that they add up to the score exactly."""
    rows = np.array([row for row, _ in picks], dtype=np.intp)
    codes = catalog.separator_codes[rows]
    scale = prepared.scale(topics)[codes]
    rules = [rule for topic in topics for rule in prepared.by_topic.get(topic, ()) if rule.weight]
    values, percentiles, fits = prepared.fits(rules, rows)
    shares = np.array([prepared.shares[rule.id] for rule in rules]).reshape(
        len(rules), len(catalog.separator_kinds)
    )[:, codes]
    weights = np.array([topics[rule.topic] for rule in rules])[:, None]
    contributions = weights / scale * shares * fits
    known = ~np.isnan(contributions) & (shares > 0)
    nominal = prepared.nominal(rules, topics)
    makers = [_maker(catalog, rule, less=topics[rule.topic] < 0) for rule in rules]
    columns = values.T.tolist(), percentiles.T.tolist(), contributions.T.tolist()
    starts = [i for i, rule in enumerate(rules) if not i or rule.topic != rules[i - 1].topic]
    sums = np.add.reduceat(np.where(known, contributions, 0.0), starts, axis=0).T.tolist() if starts else ()
    spoken = [rules[i].topic for i in starts]
    found = []
    for i, (row, lost) in enumerate(picks):
        value, percentile, contribution = (column[i] for column in columns)
        here = np.flatnonzero(known[:, i]).tolist()
        terms: list[tuple[float, Callable[..., Reason], tuple[Any, ...]]] = [
            (contribution[r], makers[r], (value[r], percentile[r], contribution[r])) for r in here
        ]
        visible = (*(share for other in others for share in other.at(row)), *lost)
        parts = dict(zip(spoken, sums[i], strict=True)) if spoken else {}
        for share in visible:
            kind = share.name.partition(".")[0]
            parts[kind] = parts.get(kind, 0.0) + share.contribution
        terms.extend((share.contribution, _other_reason, (share,)) for share in visible)
        terms.sort(key=lambda term: -abs(term[0]))
        shown = terms if reasons is None else [term for term in terms if term[0] > 0][:reasons]
        against = [term for term in terms if term[0] < 0][:AGAINST]
        missing: dict[str, float] = {}
        for r in np.flatnonzero(~known[:, i]).tolist():
            if rules[r].source != "mix":
                missing[rules[r].source] = missing.get(rules[r].source, 0.0) + nominal[r]
        found.append(
            Recommendation(
                catalog.tracks[row],
                math.fsum(term[0] for term in terms),
                [make(*facts) for _, make, facts in shown],
                [make(*facts) for _, make, facts in against],
                [source for source, share in missing.items() if share >= WORTH_SAYING],
                parts,
                catalog.separators[row],
            )
        )
    return found


def _maker(catalog: Catalog, rule: Rule, *, less: bool) -> Callable[[float, float, float], Reason]:
    unit = catalog.units.get(rule.feature, catalog.units.get(rule.feature.removesuffix(".std"), ""))
    told = fact("rule", less=less)

    def make(value: float, percentile: float, contribution: float) -> Reason:
        return Reason(  # by place, which takes a third of the time less than by name
            rule.id, rule.mood, rule.occasion, rule.preference, rule.source, rule.descriptor,
            value, unit, percentile, contribution, told, rule.citation, rule.steer,
        )  # fmt: skip

    return make


def _other_reason(share: diversity.Share) -> Reason:
    return Reason(
        rule=share.name,
        mood=None,
        occasion=None,
        preference=None,
        source="mix",
        descriptor=share.name.split(".")[-1],
        value=share.value,
        unit=share.unit,
        percentile=None,
        contribution=share.contribution,
        fact=share.fact,
        citation="",
    )
