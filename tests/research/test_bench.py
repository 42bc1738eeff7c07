"""Benchmarks on little data: everybody does the same work, and all checks hold. Times are not judged here."""

from __future__ import annotations

import json

from research.bench import recommend


def test_recommendation_and_its_peers_find_the_same_tracks() -> None:
    found = recommend.run(tracks=3000, many=4000, rounds=1)
    assert {name for name, right in found["checks"].items() if right is False} == set()
    peers = {"numpy_argsort", "numpy_argpartition", "sklearn_kd_tree", "sklearn_ball_tree", "faiss_flat"}
    assert set(found["peers"]) == set(found["ratio"]) == peers
    assert all(peer["memory_mb"] > 0 and peer["median_ms"] > 0 for peer in found["peers"].values())
    assert found["ours"]["reasons"] > 10 * recommend.COUNT
    assert found["ours"]["million"]["tracks"] == 4000
    json.dumps(found, allow_nan=False)
