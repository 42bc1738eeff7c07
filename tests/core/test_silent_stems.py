"""A stem that does not sound has no descriptors, wherever one looks: missing, not zero."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from bot.words.reasons import reason_text
from core.audio.activity import SILENT_DB
from core.audio.types import STEMS
from core.library.catalog import Catalog, features_of
from core.library.loading import load_catalog
from core.library.schema import open_database
from core.library.scope import LibraryScope
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.moods.profile import MOODS, Profile
from core.pictures.drawing import profile_features
from core.recommend.rules import recommend
from core.recommend.similar import similar
from core.recommend.table import occasions
from core.track_analysis import TrackAnalysis
from research.eval.descriptors import describe_library

FACTS = {"activity", "level_db"}
"""What is known of a silent stem as well: that it does not sound, and that its level is that of silence."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, dict[int, TrackAnalysis]]:
    """The samples as the database hands them out."""

    async def load(path: Path) -> tuple[Catalog, dict[int, TrackAnalysis]]:
        async with await open_database(path) as database:
            await ensure_samples(Library(database))
            analyses = {track.id: found for track, found in await Library(database).analyses()}
            return await load_catalog(database, LibraryScope(None)), analyses

    return asyncio.run(load(tmp_path_factory.mktemp("data") / "moodstem.db"))


@pytest.fixture(scope="module")
def silent(library: tuple[Catalog, dict[int, TrackAnalysis]]) -> list[tuple[int, str]]:
    """(track, stem) of every stem that does not sound."""
    found = [
        (track, stem) for track, one in library[1].items() for stem in STEMS if stem not in one.descriptors
    ]
    assert len(found) > 30 and {stem for _, stem in found} >= {"drums", "bass", "vocals"}
    return found


def test_in_the_analysis(
    library: tuple[Catalog, dict[int, TrackAnalysis]], silent: list[tuple[int, str]]
) -> None:
    for track, stem in silent:
        analysis = library[1][track]
        assert set(analysis.instruments[stem]) == FACTS and analysis.instruments[stem]["activity"] < 0.05
        flat = features_of(analysis)
        assert {name for name in flat if name.startswith(f"{stem}.")} == {f"{stem}.{fact}" for fact in FACTS}
        assert flat[f"{stem}.level_db"] == SILENT_DB, "what leaks into a stem is not its level"


def test_in_the_catalog(
    library: tuple[Catalog, dict[int, TrackAnalysis]], silent: list[tuple[int, str]]
) -> None:
    catalog = library[0]
    for track, stem in silent:
        row = catalog.index(track)
        own = [
            name
            for name in catalog.names
            if name.startswith(f"{stem}.") and name.partition(".")[2] not in FACTS
        ]
        assert len(own) > 100
        for name in own:
            assert math.isnan(catalog.values(name)[row]) and math.isnan(catalog.percentiles(name)[row])
        standing = catalog.standing(library[1][track], profile_features())
        assert {name for name in standing if name.startswith(f"{stem}.")} <= {f"{stem}.activity"}


@pytest.mark.parametrize("mood", [*MOODS, *occasions()])
def test_in_the_rules(
    mood: str, library: tuple[Catalog, dict[int, TrackAnalysis]], silent: list[tuple[int, str]]
) -> None:
    profile, occasion = (Profile({mood: 1.0}), None) if mood in MOODS else (Profile({}), mood)
    spoken_of = [
        (one.track.id, reason)
        for one in recommend(library[0], profile, occasion, 30, all_reasons=True)
        for reason in one.reasons
    ]
    assert spoken_of
    for track, reason in spoken_of:
        if (track, reason.source) in silent:
            assert reason.descriptor in FACTS
            assert reason.descriptor == "activity" or "cannot be heard" in reason_text(reason), reason_text(
                reason
            )


def test_in_similarity(
    library: tuple[Catalog, dict[int, TrackAnalysis]], silent: list[tuple[int, str]]
) -> None:
    catalog, analyses = library
    track, stem = silent[0]
    own = features_of(analyses[track])
    sounding = max(STEMS, key=lambda one: own.get(f"{one}.activity") or 0.0)
    near = similar(catalog, own, "instruments", [stem, sounding], 30)
    assert all(np.isfinite(one.similarity) for one in near)
    assert not any(stem == reason.get("stem") for one in near for reason in one.reasons), (
        "shared silence is no likeness"
    )


def test_in_the_report(
    library: tuple[Catalog, dict[int, TrackAnalysis]], silent: list[tuple[int, str]]
) -> None:
    sources = describe_library(library[0])["missing"]["sources"]
    for stem in STEMS:
        assert sources[stem]["silent_in"] == sum(other == stem for _, other in silent)
