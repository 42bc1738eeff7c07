"""Summaries of how real music measures, made for core.library.reference; and made-up tracks that measure alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm, rankdata

from core.errors import UserError
from core.library.reference import references

QUANTILES = 41
NORMAL_SHRINK = 0.02
"""Keeps the correlation matrix positive definite after rounding."""


def summarise(matrix: NDArray[np.float32], names: Sequence[str]) -> dict[str, Any]:
    """Return the JSON form of one separator's reference from features (tracks, names); NaN is missing.

    Features that fewer than 20 tracks have, or that are the same for most of them, say nothing and are left out.
    """
    kept = [
        j
        for j in range(len(names))
        if np.isfinite(matrix[:, j]).sum() >= 20 and np.ptp(np.nanquantile(matrix[:, j], (0.25, 0.75))) > 0
    ]
    table = {
        names[j]: [
            float(f"{q:.4g}")
            for q in np.nanquantile(matrix[:, j].astype(float), np.linspace(0, 1, QUANTILES))
        ]
        for j in kept
    }
    scores = np.stack([_normal_scores(matrix[:, j]) for j in kept], axis=1)
    spread = scores.std(axis=0)
    spread[spread == 0] = 1  # a feature that all tracks share is tied to nothing
    scores /= spread
    correlation = scores.T @ scores / len(scores)
    upper = np.triu_indices(len(kept), 1)
    return {
        "tracks": len(matrix),
        "quantiles": table,
        "correlation": [round(float(value), 2) for value in correlation[upper]],
    }


def write(separator: str, matrix: NDArray[np.float32], names: Sequence[str]) -> Path:
    """Replace this separator's part of the bundled reference.json; returns its path."""
    path = Path(str(files("core.library").joinpath("reference.json")))
    document = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    document[separator] = summarise(matrix, names)
    lines = [
        f"{json.dumps(key)}: {json.dumps(document[key], separators=(',', ':'))}" for key in sorted(document)
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    references.cache_clear()
    return path


def draw(separator: str, count: int, seed: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Draw `count` made-up tracks with the reference's distribution and rank correlations (a Gaussian copula).

    Returns features (count, names) and the names. Raises UserError without a reference for this separator.
    """
    found = references().get(separator)
    if found is None:
        raise UserError(
            f"There is no reference for {separator}: run `moodstem calibrate MANIFEST.csv --write` first."
        )
    table = found["quantiles"]
    values, vectors = np.linalg.eigh(_square(found["correlation"], len(table)))
    root = vectors * np.sqrt(np.maximum(values, 0))
    rng = np.random.default_rng(seed)
    matrix = np.empty((count, len(table)), dtype=np.float32)
    block = 20_000
    steps = np.linspace(0, 1, QUANTILES)
    for start in range(0, count, block):
        size = min(block, count - start)
        normal = rng.standard_normal((size, len(table))) @ root.T
        shares = _normal_cdf(normal)
        for j, name in enumerate(table):
            matrix[start : start + size, j] = np.interp(shares[:, j], steps, table[name])
    return matrix, tuple(table)


def _square(upper: list[float], size: int) -> NDArray[np.float64]:
    full = np.eye(size)
    full[np.triu_indices(size, 1)] = upper
    full = np.maximum(full, full.T) + np.minimum(full, full.T) - np.eye(size)
    shrunk: NDArray[np.float64] = (1 - NORMAL_SHRINK) * full + NORMAL_SHRINK * np.eye(size)
    return shrunk


def _normal_scores(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ranks as standard normal quantiles; a missing value is average."""
    known = np.isfinite(values)
    scores = np.zeros(len(values))
    scores[known] = norm.ppf((rankdata(values[known]) - 0.5) / known.sum())
    return scores


def _normal_cdf(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = ndtr(values)
    return result
