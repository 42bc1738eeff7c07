"""Taste as a hybrid (Burke 2002) of core.recommend.taste's two neighbourhoods and popularity, for who has said nothing yet.

Each part is standardised over a user's unknown items; their weights, and the parts' own parameters, are chosen on a part of
the training data that is held out for it. All of it is linear in what a user liked, so a score is the sum of what each
liked item adds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.recommend.taste import Interactions, Matrix, Parameters, item_weights, strengths, user_neighbours


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
