"""What `train_genre` measures: accuracy, what neighbours are worth, and differences on the same tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.genre.neighbours import neighbours, unit
from core.track_analysis import TrackAnalysis
from research.training import genre_baselines, genre_ours
from research.training.genre_features import Prepared
from research.training.genre_fit import Fitted


@dataclass(frozen=True)
class Split:
    """One training: rows for each part."""

    name: str
    parts: dict[str, list[int]]
    seed: int


def measured(
    answers: Sequence[np.ndarray], splits: Sequence[Split], labels: np.ndarray, genres: list[str]
) -> dict[str, Any]:
    """Accuracy over all test tracks, its spread, and the confusion matrix (rows: the true genre)."""
    matrix = np.zeros((len(genres), len(genres)), int)
    single = []
    for guess, split in zip(answers, splits, strict=True):
        true = labels[np.asarray(split.parts["test"])]
        np.add.at(matrix, (true, guess), 1)
        single.append(float((true == guess).mean()))
    hits, sums, told = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    recall = hits / np.maximum(sums, 1)
    return {
        "accuracy": float(hits.sum() / matrix.sum()),
        "balanced_accuracy": float(recall[sums > 0].mean()),
        "macro_f1": float((2 * hits / np.maximum(sums + told, 1)).mean()),
        "of_each_split": [round(value, 4) for value in single],
        "std_over_splits": float(np.std(single)),
        "confusion": matrix.tolist(),
    }


def _retrieval(data: Prepared, splits: Sequence[Split], vectors: Sequence[np.ndarray]) -> dict[str, float]:
    """How good the vectors are for similarity, among the test tracks of each split, by cosine: how many of the five nearest by
    other artists have the same genre, and for how many tracks the nearest of all is by the same artist, where there is one."""
    genres = np.array([one.genre for one in data.examples])
    artists = np.array([one.artist for one in data.examples])
    same_genre: list[float] = []
    same_artist: list[bool] = []
    for split, rows in zip(splits, vectors, strict=True):
        test = np.asarray(split.parts["test"])
        matrix = unit(rows)
        for place, own in enumerate(test):
            mates = artists[test] == artists[own]
            near, _ = neighbours(matrix, matrix[place], 5, np.flatnonzero(mates).tolist())
            if len(near):
                same_genre.append(float((genres[test[near]] == genres[own]).mean()))
            if mates.sum() > 1:
                nearest, _ = neighbours(matrix, matrix[place], 1, [place])
                same_artist.append(bool(mates[nearest[0]]))
    return {
        "same_genre_of_5": float(np.mean(same_genre)) if same_genre else 0.0,
        "same_artist_first": float(np.mean(same_artist)) if same_artist else 0.0,
    }


def worth_of_neighbours(
    data: Prepared,
    splits: Sequence[Split],
    fitted: dict[str, list[Fitted]],
    shares: dict[str, list[np.ndarray]],
    analyses: Sequence[TrackAnalysis],
    baselines: bool,
) -> dict[str, dict[str, float]]:
    """{by what: _retrieval}, all among the test tracks of each split, so that one can be held against the other; what was
    learned was learned from other artists."""
    found = {f"{name}, latent": [one.vectors for one in runs] for name, runs in fitted.items()}
    found |= {f"{name}, probabilities": tables for name, tables in shares.items()}
    if baselines:
        found["518 statistics"] = [_scaled(data, split) for split in splits]
    for name, vectors in (genre_ours.heard_by_descriptors(analyses) if analyses else {}).items():
        found[name] = [vectors[np.asarray(split.parts["test"])] for split in splits]
    result = {name: _retrieval(data, splits, tables) for name, tables in found.items()}
    genres = np.array([one.genre for one in data.examples])
    artists = np.array([one.artist for one in data.examples])
    chance = []
    for split in splits:
        test = np.asarray(split.parts["test"])
        for row in test:
            others = artists[test] != artists[row]
            if others.any():
                chance.append(float((genres[test][others] == genres[row]).mean()))
    result["chance"] = {"same_genre_of_5": float(np.mean(chance)) if chance else 0.0}
    return result


def against_classifiers(
    data: Prepared,
    labels: np.ndarray,
    splits: Sequence[Split],
    guesses: dict[str, list[np.ndarray]],
    models: dict[str, Any],
) -> list[dict[str, Any]]:
    """Ours against the best of the classifiers on statistics, chosen by this very test, which favours it."""
    tests = [split.parts["test"] for split in splits]
    right = {
        name: [guess == labels[np.asarray(test)] for guess, test in zip(found, tests, strict=True)]
        for name, found in guesses.items()
    }
    best = max(
        (f"{kind}, {features}" for kind, features in genre_baselines.names()),
        key=lambda name: float(models[name]["accuracy"]),
    )
    ours = [name for name in genre_ours.NAMES.values() if name in right]
    return [genre_ours.paired(right, tests, data.examples, name, best) for name in ours]


def _scaled(data: Prepared, split: Split) -> np.ndarray:
    """The 518 statistics of the test tracks, standardised by the others."""
    known = np.nan_to_num(data.statistics[np.asarray(split.parts["training"] + split.parts["validation"])])
    rows = np.nan_to_num(data.statistics[np.asarray(split.parts["test"])])
    return np.asarray(np.clip((rows - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6), -5, 5))
