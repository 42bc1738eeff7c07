"""Weights of the rules from labelled music, under the literature's signs.

For each mood the weights minimise the squared error to the ranks of the listeners' labels, none below a tenth of what
rules.toml says (non-negative least squares, Lawson & Hanson 1974), with a ridge term that pulls them towards the weights of rules.toml: with 170 tracks and some fifteen
rules the pull is needed. How strong it is gets chosen by cross-validation; what is reported comes from an outer
cross-validation around that choice. Folds never split an artist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import UserError
from core.library.catalog import Catalog
from core.moods.profile import MOODS
from core.recommend.rule import Rule
from core.recommend.similar import COMPARED, TIMBRE
from core.recommend.table import calibration, forget_tables, load_rules, trust
from core.recommend.topic_scores import TopicScores
from core.track_analysis import TrackAnalysis
from research import reference

STRENGTHS = (10000.0, 300.0, 100.0, 30.0, 10.0, 3.0)
"""How hard the weights are pulled towards rules.toml; the first hardly lets them move."""

TOLERANCE = 0.02
"""The strongest pull is taken whose rank correlation comes this close to the best (Breiman et al. 1984 do the same by
one standard error): the simpler explanation, where the data cannot tell."""

KEPT = 0.1
"""Every rule keeps at least this share of its weight: 170 tracks are not enough to overrule the literature."""

FOLDS = 5
HASH_LENGTH = 12
Vector = NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Labelled:
    """A manifest in memory. `labels` (tracks, moods) has NaN columns for moods that it lacks; `groups` are artists."""

    catalog: Catalog
    moods: tuple[str, ...]
    labels: Vector
    groups: NDArray[np.str_]
    hashes: tuple[str, ...]

    @classmethod
    def of(cls, rows: Rows, analyses: Sequence[TrackAnalysis]) -> Labelled:
        """Raises UserError when no mood is labelled or there are fewer than four tracks."""
        moods = tuple(mood for mood in MOODS if all(_number(row.get(mood)) is not None for row in rows))
        if not moods or len(rows) < 4:
            raise UserError(
                f"Labels need at least four tracks and a column of numbers for a mood: {', '.join(MOODS)}."
            )
        tracks = [
            LabelledTrack(
                i, Path(row["path"]).stem, row.get("artist"), row.get("genre"), analysis.content_hash
            )
            for i, (row, analysis) in enumerate(zip(rows, analyses, strict=True))
        ]
        labels = np.array([[_number(row[mood]) for mood in moods] for row in rows], dtype=np.float64)
        # Without an artist each track stands for itself.
        groups = np.array([row.get("artist") or f"track {i}" for i, row in enumerate(rows)])
        hashes = tuple(analysis.content_hash[:HASH_LENGTH] for analysis in analyses)
        return cls(Catalog.build(zip(tracks, analyses, strict=True)), moods, labels, groups, hashes)


@dataclass(frozen=True)
class LabelledTrack:
    """A track of a manifest, as a catalog needs it."""

    id: int
    title: str
    artist: str | None
    genre: str | None
    content_hash: str


def fit(design: Vector, label: Vector, prior: Vector, strength: float) -> Vector:
    """Weights (rules,), none below KEPT of its prior, that explain `label` (tracks,) by `design` (tracks, rules).

    They add up to as much as `prior` does, which only ranks tracks; without any signal they are the prior.
    """
    from scipy.optimize import nnls

    target = centred_ranks(label)
    centred = design - design.mean(axis=0)
    before = centred @ prior
    scale = float(before @ target) / max(float(before @ before), 1e-12)
    if scale <= 0:
        return prior
    pull = np.sqrt(strength)
    stacked = np.vstack([centred, pull * np.eye(design.shape[1])])
    kept = KEPT * scale * prior
    goal = np.concatenate([target, pull * scale * prior]) - stacked @ kept
    found: Vector = kept + nnls(stacked, goal, maxiter=50 * len(prior))[0]
    total = float(found.sum())
    return found * (float(prior.sum()) / total) if total > 0 else prior


def centred_ranks(values: Vector) -> Vector:
    """Ranks scaled to -0.5..0.5, ties sharing theirs."""
    from scipy.stats import rankdata

    ranks: Vector = (rankdata(values) - (len(values) + 1) / 2) / len(values)
    return ranks


class Designs:
    """The fits of every mood's rules for one catalog, times the trust in their stems."""

    def __init__(
        self, labelled: Labelled, rules: Sequence[Rule], sources: Sequence[str] | None = None
    ) -> None:
        prepared = TopicScores(labelled.catalog, rules)
        separators = labelled.catalog.separators
        self.rules: dict[str, list[Rule]] = {}
        self.matrix: dict[str, Vector] = {}
        for mood in labelled.moods:
            chosen = [
                rule for rule in rules if rule.mood == mood and (sources is None or rule.source in sources)
            ]
            self.rules[mood] = chosen
            self.matrix[mood] = np.stack(
                [
                    np.nan_to_num(prepared.fit(rule).astype(np.float64))
                    * np.array([trust(separator, rule.source, rule.descriptor) for separator in separators])
                    for rule in chosen
                ],
                axis=1,
            )

    def prior(self, mood: str) -> Vector:
        return np.array([rule.weight for rule in self.rules[mood]])


def folds(groups: NDArray[np.str_], seed: int = 0) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(training rows, test rows) of up to FOLDS folds that never split a group."""
    from sklearn.model_selection import GroupKFold

    count = min(FOLDS, len(set(groups.tolist())))
    if count < 2:
        raise UserError("Cross-validation needs tracks by at least two artists: add some.")
    return list(GroupKFold(count, shuffle=True, random_state=seed).split(groups, groups=groups))


def spearman(scores: Vector, label: Vector) -> float:
    """Rank correlation; 0 where one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(scores) < 1e-12 or np.ptp(label) < 1e-12:
        return 0.0
    return float(spearmanr(scores, label).statistic)


def choose_strength(labelled: Labelled, designs: Designs, rows: NDArray[np.intp], seed: int) -> float:
    """The pull for all moods, by cross-validation within `rows` (see TOLERANCE)."""
    if len(set(labelled.groups[rows].tolist())) < 2:
        return STRENGTHS[0]
    inner = [(rows[train], rows[test]) for train, test in folds(labelled.groups[rows], seed)]
    found = []
    for strength in STRENGTHS:
        scores = [_out_of_fold(labelled, designs, mood, inner, strength)[rows] for mood in labelled.moods]
        found.append(np.mean([spearman(score, labelled.labels[rows, k]) for k, score in enumerate(scores)]))
    return STRENGTHS[int(np.argmax(np.array(found) >= max(found) - TOLERANCE))]


def cross_validated(labelled: Labelled, designs: Designs, seed: int = 0) -> Vector:
    """(tracks, moods): scores by weights that never saw the track's artist, the pull chosen without them, too."""
    scores = np.zeros(labelled.labels.shape)
    for train, test in folds(labelled.groups, seed):
        strength = choose_strength(labelled, designs, train, seed + 1)
        for k, mood in enumerate(labelled.moods):
            weights = fit(
                designs.matrix[mood][train], labelled.labels[train, k], designs.prior(mood), strength
            )
            scores[test, k] = _standard(designs.matrix[mood] @ weights, train)[test]
    return scores


def _standard(scores: Vector, train: NDArray[np.intp]) -> Vector:
    """Folds have weights of their own, so their scores are put on one scale before they are ranked together."""
    result: Vector = (scores - scores[train].mean()) / max(float(scores[train].std()), 1e-12)
    return result


def _out_of_fold(
    labelled: Labelled,
    designs: Designs,
    mood: str,
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    strength: float,
) -> Vector:
    k = labelled.moods.index(mood)
    matrix, scores = designs.matrix[mood], np.zeros(len(labelled.labels))
    for train, test in splits:
        weights = fit(matrix[train], labelled.labels[train, k], designs.prior(mood), strength)
        scores[test] = _standard(matrix @ weights, train)[test]
    return scores


def calibrate(
    rows: Rows,
    analyses: Sequence[TrackAnalysis],
    *,
    write: bool = False,
    seeds: Sequence[int] = (0, 1, 2),
    advance: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Fit all moods' weights and report what it brings: each weight before and after, rank correlations of
    uncalibrated, calibrated and mix-only rules (nested cross-validation by artist, mean over `seeds` of the folds),
    and what each stem's rules add (`stem_ablation`).

    `write` ships the result: core/library/reference.json for the analyses' separator, then core/moods/weights.toml.
    Raises UserError for a manifest without moods, or for analyses by several separators.
    """
    if len({analysis.separator for analysis in analyses}) > 1:
        raise UserError("Calibration needs analyses by one separator: name it with --separator.")
    separator = analyses[0].separator
    written: list[str] = []
    labelled = Labelled.of(rows, analyses)
    if write:
        names = reference_features(labelled.catalog)
        matrix = np.stack([labelled.catalog.values(name) for name in names], axis=1)
        written.append(reference.write(separator, matrix, names).name)
        labelled = Labelled.of(rows, analyses)  # percentiles rest on the reference
    rules = load_rules(calibrated=False)
    every, mix = Designs(labelled, rules), Designs(labelled, rules, ["mix"])
    strength = choose_strength(labelled, every, np.arange(len(labelled.labels)), seeds[0] + 1)
    after: dict[str, float] = {}
    for k, mood in enumerate(labelled.moods):
        weights = fit(every.matrix[mood], labelled.labels[:, k], every.prior(mood), strength)
        after |= {rule.id: round(float(w), 3) for rule, w in zip(every.rules[mood], weights, strict=True)}
    runs = {
        "uncalibrated": [np.stack([every.matrix[m] @ every.prior(m) for m in labelled.moods], axis=1)],
        "uncalibrated_mix_only": [np.stack([mix.matrix[m] @ mix.prior(m) for m in labelled.moods], axis=1)],
        "cross_validated": [cross_validated(labelled, every, seed) for seed in seeds],
        "cross_validated_mix_only": [cross_validated(labelled, mix, seed) for seed in seeds],
    }
    table = {
        name: {
            mood: float(np.mean([spearman(run[:, k], labelled.labels[:, k]) for run in found]))
            for k, mood in enumerate(labelled.moods)
        }
        for name, found in runs.items()
    }
    means = {name: mean_spearman(row) for name, row in table.items()}
    if write:
        written.append(write_weights(labelled, separator, strength, after, means).name)
    return {
        "tracks": len(rows),
        "artists": len(set(labelled.groups.tolist())),
        "separator": separator,
        "strength": strength,
        "seeds": len(seeds),
        "mean_spearman": means,
        "stems_add": means["cross_validated"] - means["cross_validated_mix_only"],
        "stems": stem_ablation(labelled, rules, seeds, advance),
        "moods": {mood: {name: row[mood] for name, row in table.items()} for mood in labelled.moods},
        "weights": {
            rule.id: {"before": rule.weight, "after": after[rule.id]} for rule in rules if rule.id in after
        },
        "written": written,
    }


def stem_ablation(
    labelled: Labelled,
    rules: Sequence[Rule],
    seeds: Sequence[int],
    advance: Callable[[float], None] = lambda share: None,
) -> dict[str, dict[str, Any]]:
    """{stem: {rules, trust, with_mix, added, without, lost}} for every stem that was found and has rules on moods.

    Mean rank correlations over moods, nested cross-validation by artist with the weights fitted anew each time:
    `with_mix` of this stem's rules and those on the mix, `without` of all but this stem's. `added` is what the stem
    brings to the mix alone, `lost` what goes when only it is taken away; stems say much of the same, so what they add
    one by one is more than what they add together.
    """
    on_moods = [rule for rule in rules if rule.mood in labelled.moods and labelled.catalog.has(rule.feature)]
    stems = [stem for stem in STEMS if any(rule.source == stem for rule in on_moods)]
    work = len(stems) * 2 + 2
    done = 0

    def mean(sources: Sequence[str]) -> float:
        nonlocal done
        designs = Designs(labelled, rules, list(sources))
        runs = [cross_validated(labelled, designs, seed) for seed in seeds]
        done += 1
        advance(done / work)
        return float(
            np.mean(
                [
                    mean_spearman(
                        {
                            mood: spearman(run[:, k], labelled.labels[:, k])
                            for k, mood in enumerate(labelled.moods)
                        }
                    )
                    for run in runs
                ]
            )
        )

    mix, everything = mean(["mix"]), mean(["mix", *stems])
    found = {}
    for stem in stems:
        together = mean(["mix", stem])
        rest = mean(["mix", *(other for other in stems if other != stem)])
        found[stem] = {
            "rules": sum(rule.source == stem for rule in on_moods),
            "trust": float(np.mean([trust(separator, stem) for separator in labelled.catalog.separators])),
            "with_mix": together,
            "added": together - mix,
            "without": rest,
            "lost": everything - rest,
        }
    return found


def mean_spearman(by_mood: Mapping[str, float]) -> float:
    """The mean over the moods, without wonder: its labels agree too little (reliability .52)."""
    counted = [value for mood, value in by_mood.items() if mood != "wonder"] or list(by_mood.values())
    return float(np.mean(counted))


def reference_features(catalog: Catalog) -> list[str]:
    """What the bundled reference needs to know: every feature of rules and similarity that the catalog has."""
    wanted = {rule.feature for rule in load_rules()} | set(TIMBRE) | set(COMPARED)
    wanted |= {f"{stem}.activity" for stem in STEMS}
    return sorted(name for name in wanted if catalog.has(name))


def write_weights(
    labelled: Labelled,
    separator: str,
    strength: float,
    weights: Mapping[str, float],
    means: Mapping[str, float],
) -> Path:
    """Write core/moods/weights.toml, with the tracks that it was fitted to, so that nobody judges it by them."""
    path = Path(str(files("core.moods").joinpath("weights.toml")))
    lines = [
        "# Written by `moodstem calibrate MANIFEST.csv --write`; it replaces the weights of rules.toml.",
        "# Directions and texts stay those of rules.toml.",
        "",
        "[calibration]",
        f'separator = "{separator}"',
        f"tracks = {len(labelled.labels)}",
        f"strength = {strength:g}",
        f"spearman_uncalibrated = {means['uncalibrated']:.3f}",
        f"spearman_cross_validated = {means['cross_validated']:.3f}",
        "# The first digits of the tracks' SHA-256: `moodstem eval relevance` cross-validates on these.",
        "fitted_to = [",
        *(f'    "{digest}",' for digest in sorted(labelled.hashes)),
        "]",
        "",
        "[weights]",
        *(f'"{rule_id}" = {weight:g}' for rule_id, weight in weights.items()),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    forget_tables()
    return path


def fitted_to() -> set[str]:
    """The first digits of the SHA-256 of every track that the shipped weights were fitted to."""
    return set(calibration().get("fitted_to", []))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
