"""Taste: what people liked tells what else they may like, with the tracks that say so.

Two neighbourhoods and a prior, as a hybrid (Burke 2002): items by EASE (Steck 2019, "Embarrassingly shallow
autoencoders": the item-item weights that best reconstruct everybody's likes, in closed form), users by cosine (Herlocker
et al. 1999), and popularity for who has said nothing yet. Each part is standardised over a user's unknown items; their
weights, and the parts' own parameters, are chosen on a part of the training data that is held out for it.

All of it is linear in what a user liked, so a score is the sum of what each liked item adds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Matrix = NDArray[np.float32]
MOST_ITEMS = 8_000
"""EASE inverts a matrix of items x items; beyond this many, the rarest have users' neighbourhoods and popularity only."""


@dataclass(frozen=True)
class Interactions:
    """What users did, one entry each: `user` and `item` are positions in `users` and `items`; `value` is a rating, a
    number of plays or 1; `time` in any unit, ascending, or None."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    value: NDArray[np.float64]
    time: NDArray[np.float64] | None

    def only(self, rows: NDArray[np.bool_]) -> Interactions:
        time = None if self.time is None else self.time[rows]
        return replace(self, user=self.user[rows], item=self.item[rows], value=self.value[rows], time=time)


@dataclass(frozen=True)
class Parameters:
    """`power`: an interaction counts value ** power (0: all the same); `half_life`: share of the time covered after which
    it counts half (0: never less); `ridge`: regularisation of EASE; `neighbours`: users that are asked;
    `weights`: of items, users and popularity."""

    power: float = 0.0
    half_life: float = 0.0
    ridge: float = 200.0
    neighbours: int = 60
    weights: tuple[float, float, float] = (0.6, 0.4, 0.0)


def strengths(data: Interactions, parameters: Parameters) -> sparse.csr_matrix:
    """(users, items), float32: how much each interaction counts; dislikes (values below zero) count against."""
    top = max(float(np.abs(data.value).max(initial=0.0)), 1e-9)
    strength = np.sign(data.value) * (np.abs(data.value) / top) ** parameters.power
    if parameters.half_life and data.time is not None and len(data.time):
        span = max(float(np.ptp(data.time)), 1e-9)
        strength = strength * 0.5 ** ((data.time.max() - data.time) / (span * parameters.half_life))
    shape = (len(data.users), len(data.items))
    summed = sparse.coo_matrix((strength, (data.user, data.item)), shape).tocsr()  # repeated plays add up
    result: sparse.csr_matrix = summed.astype(np.float32)
    return result


def item_weights(liked: sparse.csr_matrix, ridge: float) -> Matrix:
    """EASE's item-item weights, (items, items), zero on the diagonal: column j says what each item adds to j."""
    popularity = np.asarray((liked != 0).sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-popularity, kind="stable")[:MOST_ITEMS])
    some = liked[:, kept]
    gram = np.asarray((some.T @ some).todense(), dtype=np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    if len(kept) == liked.shape[1]:
        return weights.astype(np.float32)
    full = np.zeros((liked.shape[1],) * 2, dtype=np.float32)
    full[np.ix_(kept, kept)] = weights
    return full


def user_neighbours(liked: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """(users, users): cosine to the `neighbours` nearest others, zero for the rest."""
    norms = np.sqrt(np.asarray(liked.multiply(liked).sum(axis=1)).ravel())
    scaled = sparse.diags(1 / np.maximum(norms, 1e-9)) @ liked
    rows, columns, values = [], [], []
    for start in range(0, liked.shape[0], 1024):
        block = np.asarray((scaled[start : start + 1024] @ scaled.T).todense())
        block[np.arange(len(block)), start + np.arange(len(block))] = 0.0
        count = min(neighbours, block.shape[1])
        nearest = np.argpartition(-block, count - 1, axis=1)[:, :count]
        rows.append(np.repeat(start + np.arange(len(block)), count))
        columns.append(nearest.ravel())
        values.append(np.take_along_axis(block, nearest, axis=1).ravel())
    shape = (liked.shape[0],) * 2
    joined = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    result: sparse.csr_matrix = sparse.csr_matrix(joined, shape)
    return result


class Taste:
    """Everybody's likes, ready to score any item for any user."""

    def __init__(self, data: Interactions, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters()
        self.data = data
        self.liked = strengths(data, self.parameters)
        self.item_weights = item_weights(self.liked, self.parameters.ridge)
        self.neighbours = user_neighbours(self.liked, self.parameters.neighbours)
        self.popularity = np.log1p(np.asarray((self.liked > 0).sum(axis=0)).ravel()).astype(np.float32)

    def parts(self, users: NDArray[np.int64]) -> tuple[Matrix, Matrix, Matrix]:
        """Scores by items, by users and by popularity, each (users, items), standardised per user."""
        by_items = np.asarray(self.liked[users] @ self.item_weights)
        by_users = np.asarray((self.neighbours[users] @ self.liked).todense())
        popularity = np.broadcast_to(self.popularity, by_items.shape)
        return standardised(by_items), standardised(by_users), standardised(popularity)

    def scores(self, users: NDArray[np.int64]) -> Matrix:
        """(users, items): the higher the likelier to please; items that a user knows are included."""
        parts = self.parts(users)
        total = mixed(parts, self.parameters.weights)
        # Who has said nothing has no neighbours: popularity is all there is.
        unknown = np.asarray(np.abs(self.liked[users]).sum(axis=1)).ravel() == 0
        total[unknown] = parts[2][unknown]
        return total


def mixed(parts: tuple[Matrix, Matrix, Matrix], weights: tuple[float, float, float]) -> Matrix:
    """The weighted sum of the parts."""
    total = np.zeros_like(parts[0])
    for weight, part in zip(weights, parts, strict=True):
        if weight:
            total += np.float32(weight) * part
    return total


def standardised(scores: Matrix) -> Matrix:
    """Zero mean and unit deviation over the items, per user; zeros where all are equal."""
    deviation = scores.std(axis=1, keepdims=True)
    result: Matrix = (
        (scores - scores.mean(axis=1, keepdims=True)) / np.where(deviation > 1e-9, deviation, 1)
    ).astype(np.float32)
    return result


def grid() -> Iterator[Parameters]:
    """What `fit` tries for the parts; the weights between them are found for each on top."""
    for power, half_life, ridge, neighbours in itertools.product(
        (0.0, 1.0), (0.0, 0.5), (50.0, 200.0, 800.0), (30, 100)
    ):
        yield Parameters(power, half_life, ridge, neighbours)


MIXTURES = tuple(
    (round(item, 2), round(1 - item - popular, 2), popular)
    for popular in (0.0, 0.1)
    for item in (0.0, 0.25, 0.5, 0.75, 0.9)
    if item + popular <= 1
)
