"""How good the answers are: against listeners' labels, and the short questionnaire against the long one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analysis import TrackAnalysis
from core.library import reference
from core.library.catalog import Catalog
from core.moods import questionnaire
from core.moods.profile import MOODS, Profile, tables
from core.recommend.calibrate import (
    Designs,
    Labelled,
    LabelledTrack,
    Rows,
    cross_validated,
    fitted_to,
    folds,
    mean_spearman,
    spearman,
)
from core.recommend.rules import load_rules, prepare, topic_weights

Scores = NDArray[np.float64]

RELEVANT = 0.75
"""For the AUC, tracks whose label is in the upper quarter count as relevant."""

TOP = 20
LISTENERS, SEED = 300, 2024
LIBRARY, LARGE_LIBRARY = 200, 1000
"""Tracks to recommend from: in a larger library twenty tracks are a sharper choice, so the same profile error costs more."""


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


def evaluate_questionnaire(
    listeners: int = LISTENERS, seed: int = SEED, separator: str = "unet"
) -> dict[str, Any]:
    """The short form against all forty questions, for simulated listeners; the contract of `moodstem eval questionnaire`.

    A listener's moods are drawn from the questionnaire's prior and preferences from a standard normal; each answer
    is the loading times that, plus Gaussian noise, rounded to the five buttons (the questionnaire's own noise model,
    so this measures what asking less costs, not whether the model is right). Both forms get the same answers to the
    same questions. Recommendations come from made-up tracks with the distribution of real features
    (core.library.reference). `overlap` is of the top 20 with all forty, `overlap_moods` with the 36 on moods (the
    short form does not ask about preferences); `correlation` is between the nine weights of both profiles over all
    listeners. Deterministic.
    """
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(questionnaire.prior_covariance())
    asked: list[int] = []
    profiles: dict[str, list[Profile]] = {"all": [], "moods": [], "short": [], "random": []}
    on_moods = [question for question in questionnaire.questions() if question.mood]
    for _ in range(listeners):
        answers = simulated_answers(root @ rng.standard_normal(len(MOODS)), rng)
        state: list[dict[str, Any]] = []
        while question := questionnaire.next_question(state):
            state.append({"question": question.id, "answer": answers[question.id]})
        asked.append(len(state))
        order = rng.permutation(len(on_moods))[: questionnaire.SHORT_FORM]
        forms = {
            "all": list(answers),
            "moods": [question.id for question in on_moods],
            "random": [on_moods[i].id for i in order],
        }
        profiles["short"].append(questionnaire.profile(state))
        for name, ids in forms.items():
            profiles[name].append(
                questionnaire.profile([{"question": one, "answer": answers[one]} for one in ids])
            )
    top = {}
    for size in (LIBRARY, LARGE_LIBRARY):
        catalog = made_up_catalog(size, seed, separator)
        for name, found in profiles.items():
            top[name, size] = [_top(catalog, profile) for profile in found]
    weights = {
        name: np.array([[profile.moods[mood] for mood in MOODS] for profile in found])
        for name, found in profiles.items()
    }

    def against(form: str) -> dict[str, float]:
        return {
            "overlap": _overlap(top[form, LIBRARY], top["all", LIBRARY]),
            "overlap_moods": _overlap(top[form, LIBRARY], top["moods", LIBRARY]),
            "overlap_moods_large_library": _overlap(top[form, LARGE_LIBRARY], top["moods", LARGE_LIBRARY]),
            "correlation": float(np.corrcoef(weights[form].ravel(), weights["all"].ravel())[0, 1]),
        }

    return {
        "listeners": listeners,
        "questions": float(np.mean(asked)),
        **against("short"),
        "random_order": {"questions": questionnaire.SHORT_FORM, **against("random")},
        "noise": {"loading": questionnaire.LOADING, "noise": questionnaire.NOISE, "seed": seed},
        "catalogue": f"{LIBRARY} ({LARGE_LIBRARY}) made-up tracks with the feature distribution of {separator}",
    }


def made_up_catalog(count: int, seed: int, separator: str = "unet") -> Catalog:
    """Tracks that do not exist, with the distribution of real features."""
    matrix, names = reference.draw(separator, count, seed)
    tracks = [LabelledTrack(i, f"Track {i}", None, None, f"{i:064x}") for i in range(count)]
    return Catalog(tracks, [separator] * count, names, matrix)


def simulated_answers(moods: Scores, rng: np.random.Generator) -> dict[str, int]:
    """{question: 0..4} of a listener with these moods (9,), by the questionnaire's noise model."""
    answers = {}
    for question in questionnaire.questions():
        if question.mood is not None:
            signal = float(questionnaire.asks(question) @ moods)
        else:
            signal = questionnaire.LOADING * float(rng.standard_normal())
        reading = signal + questionnaire.NOISE * float(rng.standard_normal())
        answers[question.id] = int(np.clip(round(reading) + 2, 0, 4))
    return answers


def _top(catalog: Catalog, profile: Profile) -> frozenset[int]:
    scores = prepare(catalog).scores(topic_weights(profile, None))
    return frozenset(np.argsort(-scores, kind="stable")[:TOP].tolist())


def _overlap(one: Sequence[frozenset[int]], other: Sequence[frozenset[int]]) -> float:
    return float(np.mean([len(a & b) / TOP for a, b in zip(one, other, strict=True)]))
