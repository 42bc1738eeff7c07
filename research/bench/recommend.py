"""Top 10 with full reasons from as many tracks as FMA has, beside ways to search the same matrix.

Tracks are drawn from the distribution of real features (research.reference); scores and times do not depend on
what they are. The peers answer the easier half of the question (which tracks, without reasons or diversity): numpy
scores the same matrix of tracks x topics and sorts all or finds the best; FAISS searches its rows for the largest scalar
product, exactly; and scikit-learn's trees find the same tracks as nearest neighbours after one more column has made all
rows equally long (Bachrach et al. 2014).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRACKS, MANY = 106_574, 1_000_000
COUNT, ROUNDS = 10, 15
SEPARATOR = "unet"
MOODS = {"peacefulness": 0.8, "tenderness": 0.5, "nostalgia": 0.4, "sadness": 0.2, "wonder": 0.1}
OCCASION = "relaxation"


def run(tracks: int = TRACKS, many: int = MANY, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure; about a minute and 3 GB with the defaults. Times are milliseconds, medians of alternating rounds."""
    # OpenMP's threads (FAISS, scikit-learn) otherwise keep both cores busy with waiting long after their turn: FAISS
    # itself then takes 15 ms instead of 1.3, and whoever comes next twice its time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from sklearn.neighbors import BallTree, KDTree

    from core.moods.profile import Profile
    from core.recommend.rules import recommend, topic_weights
    from core.recommend.topic_scores import prepare

    catalog = _catalog(tracks, seed=1)
    profile = Profile(MOODS)
    start = time.perf_counter()
    prepared = prepare(catalog)
    recommend(catalog, profile, OCCASION, COUNT)
    preparation = time.perf_counter() - start
    matrix = prepared.topic_scores
    weights = _weights(prepared, topic_weights(profile, OCCASION))
    # Row by row, as vector indexes keep them, and with one more column that makes all rows equally long.
    vectors = np.ascontiguousarray(matrix)
    longest = float(np.linalg.norm(vectors, axis=1).max())
    missing = np.sqrt(np.maximum(longest**2 - (vectors.astype(np.float64) ** 2).sum(axis=1), 0))
    rows = np.column_stack([vectors, missing])
    asked = np.append(weights, 0.0)[None]
    trees = {"sklearn_kd_tree": KDTree(rows), "sklearn_ball_tree": BallTree(rows)}
    peers: dict[str, Callable[[], NDArray[np.intp]]] = {
        **_scans(matrix, weights),
        **{name: (lambda tree=tree: tree.query(asked, COUNT)[1][0]) for name, tree in trees.items()},  # type: ignore[misc]
    }
    memory = {
        "numpy_argsort": matrix.nbytes,
        "numpy_argpartition": matrix.nbytes,
        **{name: sum(np.asarray(part).nbytes for part in tree.get_arrays()) for name, tree in trees.items()},
    }
    index = _faiss(vectors)
    if index is not None:
        peers["faiss_flat"] = _search(index, weights)
        memory["faiss_flat"] = vectors.nbytes

    def full() -> object:
        return recommend(catalog, profile, OCCASION, COUNT, all_reasons=True)

    def short() -> object:
        return recommend(catalog, profile, OCCASION, COUNT)

    times = _alternate({"ours": full, "ours_strongest_reasons": short, **peers}, rounds)
    scores = matrix @ weights
    best = np.argsort(-scores, kind="stable")[:COUNT]
    threshold = float(scores[best[-1]]) - 1e-5
    found = recommend(catalog, profile, OCCASION, COUNT, all_reasons=True)
    result: dict[str, Any] = {
        "name": "recommend",
        "work": f"the {COUNT} best of {tracks:,} tracks for {len(MOODS)} moods and an occasion; ours with every reason"
        " and diversity, the peers without; they search what ours has prepared, tracks x topics",
        "ours": {
            "median_ms": times["ours"],
            "median_ms_strongest_reasons": times["ours_strongest_reasons"],
            "reasons": sum(len(one.reasons) for one in found),
            "prepare_s": preparation,
            "memory_mb": _megabytes(catalog),
            "memory_mb_to_rank": matrix.nbytes / 1e6,
        },
        "peers": {name: {"median_ms": times[name], "memory_mb": memory[name] / 1e6} for name in peers},
        "ratio": {name: times[name] / times["ours"] for name in peers},
        "checks": {
            "reasons_add_up_within_1e-6": all(
                abs(sum(reason.contribution for reason in one.reasons) - one.score) < 1e-6 for one in found
            ),
            "peers_find_the_same_tracks": all(
                float(scores[peer()].min()) >= threshold for peer in peers.values()
            ),
            "first_is_numpy_s_first": catalog.index(found[0].track.id) == int(best[0]),
            "faiss": "exact inner product (IndexFlatIP)"
            if index is not None
            else "not installed: it comes with moodstem[dev]",
        },
    }
    del trees, rows, missing, vectors, index, peers
    if many:
        catalog = _catalog(many, seed=2)
        recommend(catalog, profile, OCCASION, COUNT)
        prepared = prepare(catalog)
        scans = _scans(prepared.topic_scores, weights)
        big = _faiss(np.ascontiguousarray(prepared.topic_scores))
        if big is not None:
            scans["faiss_flat"] = _search(big, weights)
        times = _alternate({"ours": full, **scans}, max(3, rounds // 3))
        result["ours"]["million"] = {
            "tracks": many,
            "median_ms": times["ours"],
            "memory_mb": _megabytes(catalog),
            "memory_mb_to_rank": prepared.topic_scores.nbytes / 1e6,
            "peers": {name: {"median_ms": times[name]} for name in scans},
        }
    return result


def _weights(prepared: Any, topics: dict[str, float]) -> NDArray[np.float32]:
    return np.array([topics.get(topic, 0.0) for topic in prepared.topics], dtype=np.float32)


def _scans(
    matrix: NDArray[np.float32], weights: NDArray[np.float32]
) -> dict[str, Callable[[], NDArray[np.intp]]]:
    """Brute force with numpy: sort all scores, or only find the best and sort those."""

    def partition() -> NDArray[np.intp]:
        scores = matrix @ weights
        best = np.argpartition(-scores, COUNT)[:COUNT]
        return best[np.argsort(-scores[best])]

    return {
        "numpy_argsort": lambda: np.argsort(-(matrix @ weights))[:COUNT],
        "numpy_argpartition": partition,
    }


def _faiss(vectors: NDArray[np.float32]) -> Any:
    """FAISS's exact index of these rows (Johnson, Douze & Jégou 2017), None where faiss is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def _search(index: Any, weights: NDArray[np.float32]) -> Callable[[], NDArray[np.intp]]:
    return lambda: np.asarray(index.search(weights[None], COUNT)[1][0], dtype=np.intp)


def _catalog(count: int, seed: int) -> Any:
    from core.library.catalog import Catalog
    from research import reference
    from research.eval.calibrate import LabelledTrack

    drawn, names = reference.draw(SEPARATOR, min(count, TRACKS), seed)
    if count > len(drawn):
        # More would only cost time: rows again, each value moved a little, so that there are no ties.
        rng = np.random.default_rng(seed)
        drawn = drawn[rng.integers(0, len(drawn), count)]
        drawn *= 1 + 1e-3 * rng.standard_normal(count, dtype=np.float32)[:, None]
    tracks = [LabelledTrack(i, f"Track {i}", f"Artist {i % 16_341}", None, f"{i:x}") for i in range(count)]
    return Catalog(tracks, [SEPARATOR] * count, names, drawn)


def _alternate(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, measured in turns, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, function in work.items():
            start = time.perf_counter()
            function()
            if number:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def _megabytes(catalog: Any) -> float:
    """Return the size of a catalog's arrays: features, percentiles, scores by topic and timbre vectors."""
    from core.recommend.similar import timbre_vectors
    from core.recommend.topic_scores import prepare

    arrays = [catalog.features, *catalog._percentiles.values()]
    arrays += [prepare(catalog).topic_scores, timbre_vectors(catalog)]
    return float(sum(array.nbytes for array in arrays)) / 1e6
