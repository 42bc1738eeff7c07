"""The nearest of many latent vectors: exactly, or nearly so by an index of FAISS.

Exact search reads every vector once: 12 ms for 106,574 of 128 numbers (55 MB), 182 ms for a million (512 MB), on one
thread (`moodstem bench similar` measures it beside FAISS and scikit-learn's trees). It is what everything here uses. The
approximate index answers from a million in 3 ms but took 259 s to make, anew after each track that is added, so that it
pays from some 1,400 questions between two changes on; exact search takes a second only from five million tracks (2.8 GB)
on. No server's library is as large or asked as often, so the index is for those who build on this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError

Vectors = NDArray[np.float32]
Rows = NDArray[np.intp]

SLACK = 1e-5
"""Single-precision scores closer than this are decided in double precision."""


def unit(vectors: NDArray[Any]) -> Vectors:
    """Rows of length 1, float32; a row of zeros stays one."""
    rows = np.ascontiguousarray(np.nan_to_num(vectors), np.float32)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def cosines(vectors: Vectors, query: Vectors) -> NDArray[np.float64]:
    """Of each row with the query, both of length 1. In double precision and the same order of terms, so that a with b is to
    the last digit b with a."""
    products = vectors.astype(np.float64) * query.astype(np.float64)
    return np.asarray(np.clip(products.sum(axis=-1), -1, 1))


def neighbours(
    vectors: Vectors, query: Vectors, count: int, exclude: Sequence[int] = ()
) -> tuple[Rows, NDArray[np.float64]]:
    """The `count` rows most like the query, most similar first, and their cosines; equal ones in the order of rows.

    `vectors` (n, width) and `query` (width,) have length 1 (`unit`). Exact. `exclude` are rows to leave out.
    """
    _fits(vectors, query)
    count = min(count, len(vectors) - len(set(exclude)))
    if count < 1:
        return np.empty(0, np.intp), np.empty(0)
    scores = vectors @ query
    scores[list(exclude)] = -np.inf
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        near = np.flatnonzero(scores >= least - SLACK)
    else:
        near = np.arange(len(scores))
    near = near[np.isfinite(scores[near])]
    exact = cosines(vectors[near], query)
    order = np.lexsort((near, -exact))[:count]
    return near[order], exact[order]


class ApproximateIndex:
    """Cells of FAISS (IndexIVFFlat): the vectors are kept as they are, and a query looks into the nearest cells only.

    Recall and speed are traded by `probes`, the share of cells that are looked into. Of FAISS's indexes this one needs the
    least beside the vectors (8 bytes each, and the centres of cells), but the vectors are there twice while `vectors` is
    kept, and a million take minutes (see above). Needs faiss-cpu (`pip install faiss-cpu`).
    """

    def __init__(self, vectors: Vectors, probes: float = 0.03, seed: int = 0) -> None:
        try:
            import faiss
        except ImportError as error:
            raise UserError(
                "The approximate index needs FAISS: pip install faiss-cpu, or search exactly."
            ) from error
        self.vectors = vectors
        cells = max(1, min(int(4 * np.sqrt(len(vectors))), len(vectors) // 40))
        coarse = faiss.IndexFlatIP(vectors.shape[1])
        self.index = faiss.IndexIVFFlat(coarse, vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        self.index.cp.seed = seed + 1
        self.index.cp.niter = 10
        drawn = np.random.default_rng(seed).permutation(len(vectors))[: 64 * cells]
        self.index.train(vectors[np.sort(drawn)])
        self.index.add(vectors)
        self.index.nprobe = max(1, round(probes * cells))

    def neighbours(
        self, query: Vectors, count: int, exclude: Sequence[int] = ()
    ) -> tuple[Rows, NDArray[np.float64]]:
        """As the function of this name, but a few of the nearest may be missing."""
        _fits(self.vectors, query)
        found = self.index.search(query[None], min(count + len(exclude), len(self.vectors)))[1][0]
        near = np.array([row for row in found.tolist() if row >= 0 and row not in set(exclude)], np.intp)
        exact = cosines(self.vectors[near], query)
        order = np.lexsort((near, -exact))[:count]
        return near[order], exact[order]

    @property
    def nbytes(self) -> int:
        """Vectors, their row numbers, and the cells' centres."""
        width = self.vectors.shape[1]
        return int(self.index.ntotal * (4 * width + 8) + self.index.nlist * 4 * width)


def _fits(vectors: Vectors, query: Vectors) -> None:
    if vectors.ndim != 2 or query.shape != vectors.shape[1:]:
        raise ValueError(f"a query of shape {query.shape} does not fit vectors of shape {vectors.shape}")
