"""How well taste is told: a split by time, the usual measures, and peers in the same run.

Each user's last fifth (by time where there is one, else one at random) is what must be found. Items that a user rated
below the median of all values are no success. Every method chooses its parameters on a split of the training part made
the same way, so nobody is tuned on what is reported.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from core.errors import UserError
from core.recommend.taste import Interactions, Matrix, Parameters, strengths
from core.separation.base import Progress
from research.csv_rows import read_rows
from research.eval.taste import MIXTURES, Taste, grid, mixed

AT = 10
SEED = 20_26
Scorer = Callable[[NDArray[np.int64]], Matrix]
"""(users,) -> (users, items)."""


def read_interactions(path: Path) -> Interactions:
    """A CSV file with the columns user, item, value and perhaps timestamp.

    Raises UserError naming the line that is wrong.
    """
    rows = read_rows(path, ("user", "item", "value"))
    timed = "timestamp" in rows[0]
    value, time = np.empty(len(rows)), np.empty(len(rows)) if timed else None
    for line, row in enumerate(rows):
        try:
            value[line] = float(row["value"])
            if time is not None:
                time[line] = float(row["timestamp"])
        except ValueError:
            value[line] = np.nan
        if not np.isfinite(value[line]) or (time is not None and not np.isfinite(time[line])):
            raise UserError(f"Line {line + 2} of {path} has no number where one is needed: correct it.")
    users, user = np.unique([row["user"] for row in rows], return_inverse=True)
    items, item = np.unique([row["item"] for row in rows], return_inverse=True)
    return Interactions(tuple(users.tolist()), tuple(items.tolist()), user, item, value, time)


def split(data: Interactions, seed: int = SEED) -> tuple[NDArray[np.bool_], str]:
    """Which interactions are held out, and how they were chosen: of users with at least two."""
    held = np.zeros(len(data.user), dtype=bool)
    rng = np.random.default_rng(seed)
    order = (
        np.lexsort((data.time, data.user)) if data.time is not None else np.argsort(data.user, kind="stable")
    )
    for rows in np.split(order, np.flatnonzero(np.diff(data.user[order])) + 1):
        if len(rows) < 2:
            continue
        if data.time is not None:
            held[rows[-max(1, len(rows) // 5) :]] = True
        else:
            held[rng.choice(rows)] = True
    name = "last fifth of each user, by time" if data.time is not None else f"one of each user, seed {seed}"
    return held, name


def measures(train: Interactions, test: Interactions, scorer: Scorer, liked: float) -> dict[str, float]:
    """NDCG and recall at 10 over users with something to find (binary relevance: value >= `liked`), the share of items
    that is ever recommended, and novelty (mean of -log2 of an item's share of users; Zhou et al. 2010)."""
    shape = (len(train.users), len(train.items))
    known = sparse.coo_matrix((np.ones(len(train.user)), (train.user, train.item)), shape).tocsr()
    good = test.value >= liked
    wanted = sparse.coo_matrix((np.ones(int(good.sum())), (test.user[good], test.item[good])), shape).tocsr()
    users = np.flatnonzero(np.diff(wanted.indptr))
    share = np.asarray((known > 0).sum(axis=0)).ravel() / max(shape[0], 1)
    rarity = -np.log2(np.maximum(share, 1 / (2 * max(shape[0], 1))))
    discount = 1 / np.log2(np.arange(2, AT + 2))
    ndcg, recall, novelty, seen = [], [], [], set()
    for start in range(0, len(users), 512):
        some = users[start : start + 512]
        scores = np.array(scorer(some), dtype=np.float32)
        scores[known[some].nonzero()] = -np.inf
        top = best(scores, AT)
        hits = np.take_along_axis(np.asarray(wanted[some].todense()), top, axis=1) > 0
        counts = np.diff(wanted.indptr)[some]
        ideal = np.cumsum(discount)[np.minimum(counts, AT) - 1]
        ndcg += ((discount[: top.shape[1]] * hits).sum(axis=1) / ideal).tolist()
        recall += (hits.sum(axis=1) / counts).tolist()
        novelty += rarity[top].mean(axis=1).tolist()
        seen.update(top.ravel().tolist())
    if not ndcg:
        raise UserError("Nobody has enough interactions to leave one out: give users with at least two each.")
    return {
        "ndcg_at_10": round(float(np.mean(ndcg)), 4),
        "recall_at_10": round(float(np.mean(recall)), 4),
        "coverage": round(len(seen) / shape[1], 4),
        "novelty": round(float(np.mean(novelty)), 3),
    }


def best(scores: Matrix, count: int) -> NDArray[np.intp]:
    """Columns of the `count` highest scores of each row, highest first."""
    count = min(count, scores.shape[1])
    some = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def choose(data: Interactions, liked: float, progress: Progress | None = None) -> Parameters:
    """The parameters with the best NDCG on an inner split of `data`."""
    held, _ = split(data, SEED + 1)
    train, test = data.only(~held), data.only(held)
    highest, found = -1.0, Parameters()
    everybody = np.arange(len(data.users))
    tried = list(grid())
    if data.time is None:
        tried = [one for one in tried if not one.half_life]
    if np.ptp(data.value) == 0:
        tried = [one for one in tried if not one.power]
    for number, candidate in enumerate(tried):
        parts = Taste(train, candidate).parts(everybody)
        for weights in MIXTURES:
            total = mixed(parts, weights)
            reached = measures(train, test, lambda users, total=total: total[users], liked)["ndcg_at_10"]  # type: ignore[misc]
            if reached > highest:
                highest, found = reached, replace(candidate, weights=weights)
        if progress is not None:
            progress((number + 1) / len(tried))
    return found


def popularity(train: Interactions) -> Scorer:
    """The baseline: how often each item was liked, the same for every user."""
    counts = np.bincount(train.item, minlength=len(train.items)).astype(np.float32)
    return lambda users: np.tile(counts, (len(users), 1))


def peers(train: Interactions, liked: float) -> dict[str, Scorer]:
    """Popularity, and item-kNN, ALS (Hu, Koren & Volinsky 2008) and BPR (Rendle et al. 2009) of the library implicit with
    their parameters chosen as ours are; without the library, popularity alone."""
    try:
        import implicit
        from threadpoolctl import threadpool_limits
    except ImportError:
        return {"popularity": popularity(train)}
    held, _ = split(train, SEED + 1)
    inner, outer = train.only(~held), train.only(held)
    counted = [Parameters(power=0.0)] + ([Parameters(power=1.0)] if np.ptp(train.value) else [])

    def scorer(model: Any, matrix: sparse.csr_matrix) -> Scorer:

        def dense(users: NDArray[np.int64]) -> Matrix:
            factors = getattr(model, "user_factors", None)
            if factors is not None:
                return np.asarray(factors[users] @ model.item_factors.T)
            return np.asarray((matrix[users] @ model.similarity).todense())

        return dense

    makers: dict[str, list[Callable[[], Any]]] = {
        "item_knn": [
            lambda k=k: implicit.nearest_neighbours.CosineRecommender(K=k, num_threads=1)  # type: ignore[misc]
            for k in (20, 50, 100, 200)
        ],
        "als": [
            lambda f=f, r=r: implicit.als.AlternatingLeastSquares(  # type: ignore[misc]
                factors=f, regularization=r, alpha=2.0, iterations=15, random_state=SEED, num_threads=1
            )
            for f in (16, 32, 64)
            for r in (0.1, 10.0)
        ],
        "bpr": [
            lambda f=f, r=r: implicit.bpr.BayesianPersonalizedRanking(  # type: ignore[misc]
                factors=f, regularization=r, iterations=150, random_state=SEED, num_threads=1
            )
            for f in (32, 64)
            for r in (0.01, 0.05)
        ],
    }
    found: dict[str, Scorer] = {"popularity": popularity(train)}
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # implicit's remarks on formats
        for name, options in makers.items():
            tried = [(make, counting) for make in options for counting in counted]
            reached = []
            for make, counting in tried:
                model, matrix = make(), strengths(inner, counting)
                model.fit(matrix, show_progress=False)
                reached.append(measures(inner, outer, scorer(model, matrix), liked)["ndcg_at_10"])
            make, counting = tried[int(np.argmax(reached))]
            model, matrix = make(), strengths(train, counting)
            model.fit(matrix, show_progress=False)
            found[name] = scorer(model, matrix)
    return found


def evaluate(data: Interactions, progress: Progress | None = None) -> dict[str, Any]:
    """`{split, users, items, interactions, parameters, ours: {ndcg_at_10, recall_at_10, coverage, novelty}, peers}`."""
    held, name = split(data)
    train, test = data.only(~held), data.only(held)
    liked = float(np.median(data.value))
    parameters = choose(train, liked, progress)
    model = Taste(train, parameters)
    return {
        "split": name,
        "users": len(data.users),
        "items": len(data.items),
        "interactions": len(data.user),
        "liked_from": liked,
        "parameters": {
            "power": parameters.power,
            "half_life": parameters.half_life,
            "ridge": parameters.ridge,
            "neighbours": parameters.neighbours,
            "weights": list(parameters.weights),
        },
        "ours": measures(train, test, model.scores, liked),
        "peers": {name: measures(train, test, scorer, liked) for name, scorer in peers(train, liked).items()},
    }
