"""Learning `core.genre.fused`: closed form, a second for a few hundred tracks. What is chosen is chosen by artist inside
the rows that it learns from: the ridge by accuracy, then how sharp the probabilities are by cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.genre.fused import KINDS, Doubles, Fused, Head, Kind
from research.training.genre_data import Example, counts, folds

RIDGES = (0.0003, 0.001, 0.003, 0.01)
"""Times the number of tracks, beside kernels whose variances are one third or half each."""
SHARPNESS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
INNER = 4
MOST = 6_000
"""Of more tracks as many are drawn: the time grows with the cube of their number."""


@dataclass(frozen=True)
class Rows:
    """(tracks, numbers) of each kind; `names` and `separator` of the stems where they are there."""

    tables: dict[str, Doubles]
    names: tuple[str, ...] = ()
    separator: str = ""


def learn(
    rows: Rows,
    labels: np.ndarray,
    genres: int,
    examples: Sequence[Example],
    training: Sequence[int],
    seed: int,
) -> tuple[Fused, dict[str, Any]]:
    """From the rows `training`; returns it and what was chosen for each head."""
    known = np.asarray(training)
    if len(known) > MOST:
        known = np.sort(np.random.default_rng(seed).choice(known, MOST, replace=False))
    inner = np.array(
        folds(
            [examples[row] for row in known],
            min(INNER, max(counts([examples[row] for row in known]).values()), len({examples[row].artist for row in known})),
            seed,
        )
    )  # fmt: skip
    heads, chosen = {}, {}
    kinds = {name: _kind(table[known]) for name, table in rows.tables.items()}
    for head, used in (("mix", KINDS[:2]), ("stems", KINDS)):
        if any(name not in rows.tables for name in used):
            continue
        held = np.zeros((len(RIDGES), len(known), genres))
        for fold in sorted(set(inner.tolist())):
            near, away = known[inner != fold], known[inner == fold]
            scaled = {name: _kind(rows.tables[name][near]) for name in used}
            found = _fit(_waves(rows, scaled, used, near), labels[near], genres, RIDGES)
            asked = _waves(rows, scaled, used, away)
            held[:, inner == fold] = [asked @ weights + bias for weights, bias in found]
        right = [(scores.argmax(axis=1) == labels[known]).mean() for scores in held]
        best = int(np.argmax(right))
        sharpness = min(SHARPNESS, key=lambda one: _entropy(held[best], labels[known], one))
        [(weights, bias)] = _fit(
            _waves(rows, kinds, used, known), labels[known], genres, RIDGES[best : best + 1]
        )
        heads[head] = Head(weights, bias, sharpness)
        chosen[head] = {
            "ridge": RIDGES[best],
            "sharpness": sharpness,
            "inner_accuracy": round(float(right[best]), 4),
        }
    return Fused(kinds, heads, rows.names, rows.separator), chosen


def tell(fused: Fused, rows: Rows, which: str, test: Sequence[int]) -> Doubles:
    """(tracks, genres) probabilities of the rows `test` by the head `which`."""
    used = KINDS if which == "stems" else KINDS[:2]
    return fused.heads[which].shares(_waves(rows, fused.kinds, used, np.asarray(test)))


def _kind(table: Doubles) -> Kind:
    with np.errstate(all="ignore"):
        known = np.isfinite(table).any(axis=0)
        mean, spread = np.zeros(table.shape[1]), np.full(table.shape[1], np.inf)
        mean[known], spread[known] = np.nanmean(table[:, known], axis=0), np.nanstd(table[:, known], axis=0)
    spread[spread < 1e-9] = np.inf
    waves = Kind(mean, spread, 1.0).waves(table)
    return Kind(mean, spread, float(1 / np.sqrt(max(waves.var(axis=0).sum(), 1e-12))))


def _waves(rows: Rows, kinds: dict[str, Kind], used: Sequence[str], places: np.ndarray) -> Doubles:
    return np.hstack([kinds[name].waves(rows.tables[name][places]) for name in used])


def _fit(
    waves: Doubles, labels: np.ndarray, genres: int, ridges: Sequence[float]
) -> list[tuple[Doubles, Doubles]]:
    """Weights and bias for each ridge: solved between tracks, of which there are fewer than waves."""
    from scipy.linalg import cho_factor, cho_solve

    wanted = 2 * np.eye(genres)[labels] - 1
    mean, middle = waves.mean(axis=0), wanted.mean(axis=0)
    apart = waves - mean
    kernel = apart @ apart.T
    level = np.trace(kernel) / len(kernel)
    found = []
    for ridge in ridges:
        solved = cho_solve(
            cho_factor(kernel + ridge * len(kernel) * level * np.eye(len(kernel))), wanted - middle
        )
        weights = apart.T @ solved
        found.append((weights, middle - mean @ weights))
    return found


def _entropy(scores: Doubles, labels: np.ndarray, sharpness: float) -> float:
    raised = sharpness * (scores - scores.max(axis=1, keepdims=True))
    right = raised[np.arange(len(labels)), labels] - np.log(np.exp(raised).sum(axis=1))
    return float(-right.mean())
