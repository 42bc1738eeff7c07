"""Nearest neighbours: exact ones are those of double precision, symmetric and always the same; approximate ones nearly so."""

from __future__ import annotations

import numpy as np
import pytest

from core.genre.neighbours import cosines, neighbours, unit


def rows(count: int, width: int = 64, seed: int = 0) -> np.ndarray:
    """Vectors as networks make them: many numbers, few degrees of freedom."""
    rng = np.random.default_rng(seed)
    return unit(np.tanh(rng.standard_normal((count, 8)) @ rng.standard_normal((8, width))))


@pytest.mark.parametrize("seed", range(3))
def test_exact_is_what_sorting_everything_finds(seed: int) -> None:
    vectors = rows(3000, seed=seed)
    for query in vectors[:20]:
        scores = vectors.astype(np.float64) @ query.astype(np.float64)
        near, found = neighbours(vectors, query, 10)
        assert near.tolist() == np.lexsort((np.arange(3000), -scores.clip(-1, 1).round(12)))[:10].tolist()
        assert np.abs(found - scores[near].clip(-1, 1)).max() < 1e-12


def test_equal_ones_are_in_the_order_of_rows_and_excluded_ones_absent() -> None:
    vectors = np.concatenate([rows(50), rows(50), rows(50)])
    near, found = neighbours(vectors, vectors[7], 3)
    assert near.tolist() == [7, 57, 107] and len(set(found)) == 1
    assert neighbours(vectors, vectors[7], 3, [57])[0].tolist()[:2] == [7, 107]
    assert len(neighbours(vectors, vectors[7], 1000)[0]) == 150
    assert len(neighbours(vectors, vectors[7], 1000, range(150))[0]) == 0
    assert len(neighbours(vectors[:0], vectors[7], 3)[0]) == 0
    with pytest.raises(ValueError, match="does not fit"):
        neighbours(vectors, vectors[7][:5], 3)


def test_a_with_b_is_to_the_last_digit_b_with_a() -> None:
    vectors = rows(200)
    both = np.stack([cosines(vectors, one) for one in vectors])
    assert (both == both.T).all()
    for a in range(0, 200, 17):
        near, found = neighbours(vectors, vectors[a], 200)
        assert (found == both[a][near]).all()
