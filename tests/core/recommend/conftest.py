"""The thirty pieces that the product brings, as a catalog."""

from __future__ import annotations

import pytest

from core.library.catalog import Catalog
from tests.core.recommend.worlds import Track
from tests.make import sample_analyses


@pytest.fixture(scope="session")
def samples() -> Catalog:
    return Catalog.build(
        (
            Track(
                i, f"Piece {i}", f"Artist {i % 4}", content_hash=one.content_hash, duration_s=one.duration_s
            ),
            one,
        )
        for i, one in enumerate(sample_analyses(), 1)
    )
