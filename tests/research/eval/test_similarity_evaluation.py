"""The judge of similarities, on tables whose answers can be told by hand and on the shipped analyses."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UserError
from research.eval.similar_genres import NEIGHBOURS, evaluate, judged
from tests.make import sample_analyses


def test_precision_of_known_neighbours() -> None:
    count = 4 * NEIGHBOURS
    genre = np.arange(count) % 2
    others = ~np.eye(count, dtype=bool)
    same = (genre[:, None] == genre[None]) & others
    perfect = judged(same.astype(float), same, others)
    assert perfect["precision"] == 1 and perfect["asymmetry"] == 0
    assert judged(-same.astype(float), same, others)["precision"] == 0
    hub = np.zeros((count, count))
    hub[:, :NEIGHBOURS] = 1  # everybody's neighbours are the same few
    assert judged(hub, same, others)["hubness"] > 1 and judged(hub, same, others)["asymmetry"] == 1


def test_shipped_analyses_by_moods_that_they_were_composed_for() -> None:
    """Calm and lively pieces stand for two genres: alike pieces are of one kind more often than by chance."""
    analyses = sample_analyses()
    loud = [one.features()["mix.loudness"] for one in analyses]
    genres = ["lively" if value > float(np.median(loud)) else "calm" for value in loud]
    found = evaluate(analyses, genres, [f"Artist {i}" for i in range(len(analyses))])
    assert set(found["kinds"]) == {
        "sound, cosine", "sound, euclidean", "timbre, cosine", "instruments, cosine", "instruments, euclidean",
    }  # fmt: skip
    for name, kind in found["kinds"].items():
        assert kind["precision"] > found["random"] + 0.05, name
        assert kind["asymmetry"] < 1e-5


def test_what_cannot_be_judged_is_refused() -> None:
    analyses = sample_analyses()
    with pytest.raises(UserError, match="at least two genres"):
        evaluate(analyses, ["rock"] * 30, [str(i) for i in range(30)])
    with pytest.raises(UserError, match="by other artists"):
        evaluate(analyses, ["rock", "pop"] * 15, ["one"] * 30)
