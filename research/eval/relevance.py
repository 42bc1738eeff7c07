"""How good the answers are: against listeners' labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.moods.profile import MOODS, tables
from core.recommend.table import load_rules
from core.track_analysis import TrackAnalysis
from research.eval.calibrate import (
    Designs,
    Labelled,
    Rows,
    cross_validated,
    fitted_to,
    folds,
    mean_spearman,
    spearman,
)

Scores = NDArray[np.float64]

RELEVANT = 0.75
"""For the AUC, tracks whose label is in the upper quarter count as relevant."""

SEED = 2024


def relevance(rows: Rows, analyses: Sequence[TrackAnalysis]) -> dict[str, Any]:
    """How well the score of each pure mood ranks tracks as listeners do; the contract of `moodstem eval relevance`.

    `rows` are a manifest's (path, artist, moods as numbers), `analyses` theirs in the same order. The shipped weights
    score tracks that they were not fitted to. A manifest that holds tracks of the calibration is cross-validated by
    artist instead, weights fitted anew in each fold, so that no track is judged by weights that have seen it or its
    artist; "weights" says which. Baselines: random order, the same rules on the mix alone, rules.toml's weights
    without calibration, and ridge regression and extremely randomised trees over all features of the analyses, both
    cross-validated by artist on this manifest. Raises UserError when no mood is labelled.
    """
    labelled = Labelled.of(rows, analyses)
    seen = set(labelled.hashes) & fitted_to()
    plain = load_rules(calibrated=False)
    if seen:
        ours = cross_validated(labelled, Designs(labelled, plain))
        mix = cross_validated(labelled, Designs(labelled, plain, ["mix"]))
    else:
        ours = _weighted(labelled, Designs(labelled, load_rules()))
        mix = _weighted(labelled, Designs(labelled, load_rules(), ["mix"]))
    moods = {
        mood: {
            "spearman": spearman(ours[:, k], labelled.labels[:, k]),
            "lift_at_10": lift(ours[:, k], labelled.labels[:, k]),
            "auc": auc(ours[:, k], labelled.labels[:, k]),
        }
        for k, mood in enumerate(labelled.moods)
    }
    others = {
        "random": _random(labelled),
        "mix_only": _mean(labelled, mix),
        "uncalibrated": _mean(labelled, _weighted(labelled, Designs(labelled, plain))),
        "ridge": _mean(labelled, _learned(labelled, _ridge)),
        "extra_trees": _mean(labelled, _learned(labelled, _extra_trees)),
    }
    return {
        "tracks": len(rows),
        "separator": ", ".join(labelled.catalog.separator_kinds),
        "weights": "cross-validated by artist" if seen else "shipped",
        "moods": moods,
        "mean_spearman": mean_spearman({mood: row["spearman"] for mood, row in moods.items()}),
        "baselines": others,
    }


def lift(scores: Scores, label: Scores, count: int = 10) -> float:
    """Mean label of the first `count` over the mean label of all; 1 is what a random order gives."""
    best = np.argsort(-scores, kind="stable")[:count]
    return float(label[best].mean() / label.mean()) if label.mean() > 0 else 1.0


def auc(scores: Scores, label: Scores) -> float:
    """Chance that a track of the label's upper quarter scores above another one; 0.5 where nothing tells them apart."""
    from scipy.stats import rankdata

    edge = np.quantile(label, RELEVANT)
    relevant = label >= edge if edge > label.min() else label > edge
    yes, no = int(relevant.sum()), int((~relevant).sum())
    if not yes or not no:
        return 0.5
    return float((rankdata(scores)[relevant].sum() - yes * (yes + 1) / 2) / (yes * no))


def _weighted(labelled: Labelled, designs: Designs) -> Scores:
    return np.stack([designs.matrix[mood] @ designs.prior(mood) for mood in labelled.moods], axis=1)


def _mean(labelled: Labelled, scores: Scores) -> float:
    return mean_spearman(
        {mood: spearman(scores[:, k], labelled.labels[:, k]) for k, mood in enumerate(labelled.moods)}
    )


def _random(labelled: Labelled, draws: int = 100) -> float:
    rng = np.random.default_rng(SEED)
    return float(np.mean([_mean(labelled, rng.random(labelled.labels.shape)) for _ in range(draws)]))


Learner = Callable[[Scores, Scores], Callable[[Scores], Scores]]


def _learned(labelled: Labelled, learner: Learner) -> Scores:
    """(tracks, moods) out-of-fold predictions from all features that half of the tracks have, standardised."""
    features = labelled.catalog.features.astype(np.float64)
    features = features[:, np.isfinite(features).mean(axis=0) >= 0.5]
    scores = np.zeros(labelled.labels.shape)
    for train, test in folds(labelled.groups):
        middle, spread = np.nanmean(features[train], axis=0), np.nanstd(features[train], axis=0)
        known = spread > 0
        X = np.nan_to_num((features[:, known] - middle[known]) / spread[known])
        for k in range(len(labelled.moods)):
            predict = learner(X[train], labelled.labels[train, k])
            scores[test, k] = predict(X[test])
    return scores


def _ridge(X: Scores, y: Scores) -> Callable[[Scores], Scores]:
    from sklearn.linear_model import RidgeCV

    predict: Callable[[Scores], Scores] = RidgeCV(alphas=(30, 100, 300, 1000, 3000)).fit(X, y).predict
    return predict


def _extra_trees(X: Scores, y: Scores) -> Callable[[Scores], Scores]:
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(100, min_samples_leaf=3, max_features=0.2, random_state=SEED, n_jobs=1)
    predict: Callable[[Scores], Scores] = trees.fit(X, y).predict
    return predict


def prior_correlation(rows: Rows) -> Scores:
    """(9, 9): what moods go together, for questions.toml: correlations of the labels, corrected for their reliability
    and kept positive definite. `rows` have a column for each of the nine moods."""
    labels = np.array([[float(row[mood]) for mood in MOODS] for row in rows])
    reliability = np.array(tables("questions")["prior"]["reliability"])
    corrected = np.corrcoef(labels.T) / np.sqrt(np.outer(reliability, reliability))
    np.fill_diagonal(corrected, 1)
    values, vectors = np.linalg.eigh(corrected)
    positive = (vectors * np.clip(values, 0.02, None)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    result: Scores = positive / np.outer(scale, scale)
    return result
