"""The ten nearest of as many latent vectors as FMA has tracks, and of a million: exactly, and other ways.

Vectors are drawn as networks make them: 128 numbers of length 1 from sixteen degrees of freedom in two hundred clouds.
Queries are rows of the same set, one at a time. Peers: FAISS (exact IndexFlatIP; cells, IndexIVFFlat;
a graph, IndexHNSWFlat) and scikit-learn's KD-tree and ball tree, which find the same rows since for vectors of
length 1 the nearest has the largest cosine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from core.genre.neighbours import Vectors, neighbours, unit

TRACKS, MANY = 106_574, 1_000_000
WIDTH, COUNT, QUERIES = 128, 10, 40

Ask = Callable[[Vectors], Any]


def run(tracks: int = TRACKS, many: int = MANY, queries: int = QUERIES) -> dict[str, Any]:
    """Measure; some three minutes and 3 GB with the defaults. Milliseconds for a query, medians of alternating turns, one
    thread each."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    with threadpool_limits(1):
        return _run(tracks, many, queries)


def _run(tracks: int, many: int, queries: int) -> dict[str, Any]:
    near = _measure(tracks, queries, graph=True, trees=True)
    result: dict[str, Any] = {
        "name": "similar",
        "work": f"the {COUNT} nearest of {tracks:,} latent vectors of {WIDTH} numbers, one query at a time",
        "ours": near["exact"],
        "peers": {name: near[name] for name in near if name != "exact"},
        "checks": {"exact_finds_all": near["exact"]["recall_at_10"] == 1.0, "faiss": "faiss_flat" in near},
    }
    result["ratio"] = {
        name: peer["median_ms"] / result["ours"]["median_ms"] for name, peer in result["peers"].items()
    }
    if many:
        result["ours"]["sound"] = _sound(many, queries)
        big = _measure(many, queries, graph=False, trees=False)
        result["ours"]["million"] = {
            "tracks": many,
            **big["exact"],
            "peers": {name: big[name] for name in big if name != "exact"},
        }
    return result


def _measure(count: int, queries: int, *, graph: bool, trees: bool) -> dict[str, dict[str, float]]:
    """{way: {median_ms, recall_at_10, memory_mb, build_s}}."""
    vectors = drawn(count)
    rng = np.random.default_rng(7)
    asked = rng.choice(count, queries, replace=False)
    ways: dict[str, Ask] = {"exact": lambda query: neighbours(vectors, query, COUNT)[0]}
    facts: dict[str, dict[str, float]] = {"exact": {"memory_mb": vectors.nbytes / 1e6, "build_s": 0.0}}
    for name, build in _builders(vectors, graph=graph, trees=trees).items():
        began = time.perf_counter()
        try:
            ways[name], memory = build()
        except ImportError:
            continue  # FAISS comes with moodstem[research]
        facts[name] = {"memory_mb": memory / 1e6, "build_s": time.perf_counter() - began}
    times: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[set[int]]] = {name: [] for name in ways}
    for row in asked:
        for name, ask in ways.items():
            began = time.perf_counter()
            rows = ask(vectors[row])
            times[name].append(1000 * (time.perf_counter() - began))
            found[name].append({int(one) for one in np.asarray(rows).ravel()})
    truth = [
        set(np.argsort(-(vectors.astype(np.float64) @ vectors[row]))[:COUNT].tolist()) for row in asked[:10]
    ]
    for name, fact in facts.items():
        fact["median_ms"] = median(times[name])
        fact["recall_at_10"] = _recall(found[name], found["exact"])
    facts["exact"]["recall_at_10"] = _recall(found["exact"][:10], truth)
    return facts


def _sound(count: int, queries: int) -> dict[str, float]:
    """How alike each of `count` tracks sounds: every descriptor of the mix and six stems, cosine."""
    from core.library.catalog import Catalog
    from core.recommend.acoustic_similarity import NAMES, ONE, SoundSpace, wide

    space = SoundSpace(Catalog.build([]))
    rng = np.random.default_rng(0)
    space.vectors = rng.integers(-ONE // 4, ONE // 4, (count, len(NAMES)), dtype=np.int16)
    space.norms = np.concatenate(
        [np.linalg.norm(wide(part), axis=1) for part in np.array_split(space.vectors, 100)]
    )
    times, spent = [], []
    for row in rng.choice(count, queries, replace=False):
        began, used = time.perf_counter(), time.process_time()
        found = space.similarities(space.vectors[row])
        times.append(1000 * (time.perf_counter() - began))
        spent.append(1000 * (time.process_time() - used))
        assert int(found.argmax()) == row
    memory = space.vectors.nbytes + space.norms.nbytes
    return {
        "tracks": count,
        "numbers": len(NAMES),
        "median_ms": median(times),
        "cpu_ms": median(spent),
        "memory_mb": memory / 1e6,
    }


def _recall(found: list[set[int]], truth: list[set[int]]) -> float:
    return float(np.mean([len(one & true) / COUNT for one, true in zip(found, truth, strict=True)]))


def drawn(count: int, seed: int = 0) -> Vectors:
    """(count, 128) vectors of length 1."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((16, WIDTH)).astype(np.float32)
    clouds = 1.5 * rng.standard_normal((200, 16), dtype=np.float32)
    result = np.empty((count, WIDTH), np.float32)
    for start in range(0, count, 50_000):
        stop = min(start + 50_000, count)
        inner = clouds[rng.integers(200, size=stop - start)] + rng.standard_normal(
            (stop - start, 16), dtype=np.float32
        )
        result[start:stop] = unit(
            np.tanh(inner @ spread / 4) + 0.05 * rng.standard_normal((stop - start, WIDTH))
        )
    return result


def _builders(vectors: Vectors, *, graph: bool, trees: bool) -> dict[str, Callable[[], tuple[Ask, int]]]:
    def cells() -> tuple[Ask, int]:
        import faiss

        index: Any = faiss.index_factory(
            WIDTH, f"IVF{max(1, int(4 * np.sqrt(len(vectors))))},Flat", faiss.METRIC_INNER_PRODUCT
        )
        index.train(vectors[np.random.default_rng(0).permutation(len(vectors))[: 64 * index.nlist]])
        index.add(vectors)
        index.nprobe = max(1, round(0.03 * index.nlist))
        return lambda query: index.search(query[None], COUNT)[1], vectors.nbytes + 8 * len(
            vectors
        ) + index.nlist * 4 * WIDTH

    def flat() -> tuple[Ask, int]:
        import faiss

        index = faiss.IndexFlatIP(WIDTH)
        index.add(vectors)
        return lambda query: index.search(query[None], COUNT)[1], vectors.nbytes

    def hnsw() -> tuple[Ask, int]:
        import faiss

        index = faiss.IndexHNSWFlat(WIDTH, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efSearch = 64
        index.add(vectors)
        return lambda query: index.search(query[None], COUNT)[1], len(faiss.serialize_index(index))

    def tree(name: str) -> tuple[Ask, int]:
        import sklearn.neighbors

        index = getattr(sklearn.neighbors, name)(vectors)
        size = sum(np.asarray(part).nbytes for part in index.get_arrays())
        return lambda query: index.query(query[None], COUNT)[1], size

    builders: dict[str, Callable[[], tuple[Ask, int]]] = {"faiss_cells": cells, "faiss_flat": flat}
    if graph:
        builders["faiss_hnsw"] = hnsw
    if trees:
        builders["sklearn_kd_tree"] = lambda: tree("KDTree")
        builders["sklearn_ball_tree"] = lambda: tree("BallTree")
    return builders
