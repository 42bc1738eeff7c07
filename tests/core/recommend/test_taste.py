"""Taste: exact, deterministic, and better than popularity where people differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.recommend.taste import Interactions, Parameters, item_weights, strengths
from research.eval.taste import Taste
from research.eval.taste_split import evaluate, measures, read_interactions, split
from tests.refusals import refusal


def camps(users: int = 90, items: int = 60, seed: int = 3, timed: bool = True) -> Interactions:
    """Three camps that like each a third of the items, some of what is popular with everybody, and a little of all."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        liking = np.full(items, 0.05)
        liking[user % 3 :: 3] = 0.45
        liking[:6] = 0.6
        rows += [(user, item) for item in rng.permutation(np.flatnonzero(rng.random(items) < liking))]
    user, item = np.array(rows).T
    time = np.arange(len(rows), dtype=float) if timed else None
    names = tuple(f"u{n:03d}" for n in range(users)), tuple(f"i{n:03d}" for n in range(items))
    return Interactions(*names, user, item, np.ones(len(rows)), time)


DATA = camps()


@pytest.mark.parametrize("timed", [True, False])
def test_it_beats_popularity_where_people_differ(timed: bool) -> None:
    found = evaluate(camps(timed=timed))
    assert found["ours"]["ndcg_at_10"] > 1.15 * found["peers"]["popularity"]["ndcg_at_10"]
    assert found["ours"]["coverage"] > found["peers"]["popularity"]["coverage"]
    assert found == evaluate(camps(timed=timed))


def test_who_has_said_nothing_gets_what_is_popular() -> None:
    quiet = replace(DATA, users=(*DATA.users, "new"))
    scores = Taste(quiet).scores(np.array([len(DATA.users)]))[0]
    counts = np.bincount(DATA.item, minlength=len(DATA.items))
    assert counts[np.argmax(scores)] == counts.max()


def test_ease_is_the_closed_form_and_keeps_rare_items_out(monkeypatch: pytest.MonkeyPatch) -> None:
    liked = strengths(DATA, Parameters())
    weights = item_weights(liked, 100.0)
    dense = np.asarray(liked.todense(), dtype=float)
    inverse = np.linalg.inv(dense.T @ dense + 100 * np.eye(dense.shape[1]))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(weights, expected, atol=1e-5)
    monkeypatch.setattr("core.recommend.taste.MOST_ITEMS", 20)
    some = item_weights(liked, 100.0)
    assert (np.abs(some).sum(axis=0) > 0).sum() == 20 and some.shape == weights.shape


def test_dislikes_count_against_and_old_likes_fade() -> None:
    data = replace(DATA, value=np.where(DATA.item == 7, -1.0, 1.0))
    matrix = strengths(data, Parameters(power=1.0))
    assert matrix[:, 7].max() <= 0 and matrix.max() == 1
    faded = strengths(DATA, Parameters(half_life=0.5))
    assert faded.data.min() == pytest.approx(0.25, abs=0.01) and faded.data.max() == pytest.approx(
        1, abs=0.01
    )


def test_the_split_holds_out_the_last_and_nothing_leaks() -> None:
    held, name = split(DATA)
    assert "time" in name and DATA.time is not None
    for user in range(len(DATA.users)):
        mine = DATA.user == user
        assert DATA.time[mine & held].min() > DATA.time[mine & ~held].max()
    perfect = measures(
        DATA.only(~held),
        DATA.only(held),
        lambda users: np.asarray(strengths(DATA.only(held), Parameters())[users].todense()),
        1.0,
    )
    assert perfect["recall_at_10"] == perfect["ndcg_at_10"] == 1.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no rows"),
        ("user,item\n1,2\n", "columns user, item and value"),
        ("user,item,value\na,b,much\n", "Line 2"),
        ("user,item,value,timestamp\na,b,1,1\na,c,1,\n", "Line 3"),
        ("user,item,value\na,b,nan\n", "Line 2"),
        ("user,item,value\na,b,1\nc,d,1\n", "leave one out"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "interactions.csv"
    file.write_text(text)
    with refusal(sentence):
        evaluate(read_interactions(file))
