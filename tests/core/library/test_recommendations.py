"""What was recommended: the answer that is shown is the one that is read back, and has all reasons that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.library.recommendations import RecommendationQuery, Recommendations
from core.library.schema import open_database
from core.moods.profile import Profile
from core.recommend.picks import pick_of, reasons_needed
from core.recommend.rules import recommend
from tests.core.recommend.worlds import random_catalog

WORLD = random_catalog(80, seed=2)
STEERS = ("calmer", "calmer", "less_vocals", "happier", "slower", "more_guitar")
WISHES = (
    RecommendationQuery(Profile({"peacefulness": 1.0}), "study"),
    RecommendationQuery(
        Profile({"power": 0.7, "tension": 0.2}, preferences={"vocals": 0.5}),
        None,
        "settle",
        STEERS,
        seed=3,
        count=9,
    ),
    RecommendationQuery(Profile({"power": 1.0}), chosen="power", others=True),
)


@pytest.mark.parametrize("query", WISHES)
async def test_what_is_saved_is_what_is_read_back(tmp_path: Path, query: RecommendationQuery) -> None:
    found = recommend(WORLD, query.target, query.occasion, query.count, steers=query.steers, all_reasons=True)
    async with await open_database(tmp_path / "one.db") as database:
        store = Recommendations(database)
        first = await store.save(7, query, [pick_of(one) for one in found])
        assert await store.get(first.id) == first and first.root_id == first.id
        second = await store.save(
            7,
            query,
            [pick_of(one) for one in found[:2]],
            parent=first,
            root_id=first.id,
            changed="Calmer: slower.",
        )
        assert await store.get(second.id) == second
        assert (second.root_id, second.parent_id, second.changed) == (first.id, first.id, "Calmer: slower.")


@pytest.mark.parametrize("query", WISHES)
def test_the_reasons_that_are_asked_for_hold_all_that_are_kept(query: RecommendationQuery) -> None:
    how = {"steers": query.steers, "seed": query.seed}
    every = recommend(WORLD, query.target, query.occasion, query.count, all_reasons=True, **how)  # type: ignore[arg-type]
    some = recommend(
        WORLD, query.target, query.occasion, query.count, reasons=reasons_needed(query), **how  # type: ignore[arg-type]
    )  # fmt: skip
    assert [pick_of(one) for one in some] == [pick_of(one) for one in every]
    assert every and all(
        len(one.reasons) < len(whole.reasons) for one, whole in zip(some, every, strict=True)
    )
