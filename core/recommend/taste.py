"""Taste: what people liked tells what else they may like, with the tracks that say so.

Two neighbourhoods: items by EASE (Steck 2019, "Embarrassingly shallow autoencoders": the item-item weights that best
reconstruct everybody's likes, in closed form), users by cosine (Herlocker et al. 1999). Both are linear in what a user
liked. research.eval.taste measures them together.
"""

from __future__ import annotations

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
    return summed.astype(np.float32)


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
    return sparse.csr_matrix(joined, shape)
