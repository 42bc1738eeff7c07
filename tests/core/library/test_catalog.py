"""The catalog: features by name, and percentiles that mean something in small and large libraries."""

from __future__ import annotations

import numpy as np
import pytest

from core.library import catalog as module
from core.library.catalog import Catalog
from tests.core.recommend.worlds import Track, catalog
from tests.make import analysis
from tests.refusals import refusal


@pytest.fixture
def without_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "quantiles", lambda separator, name: None)


def test_features_are_found_by_name_and_missing_ones_are_nan() -> None:
    silent = analysis()
    silent.instruments.clear()
    built = Catalog.build([(Track(7), analysis()), (Track(3), silent)])
    assert (
        len(built) == 2 and built.index(3) == 1 and built.track(7).id == 7 and 3 in built and 4 not in built
    )
    assert built.values("mix.spectral_centroid.std").tolist() == [300, 300]
    assert built.values("drums.activity")[0] == 0.5 and np.isnan(built.values("drums.activity")[1])
    assert np.isnan(built.values("kazoo.activity")).all()
    assert built.units["mix.spectral_centroid"] == "Hz" and built.units["drums.level_db"] == "dB"
    with refusal("no track 99"):
        built.index(99)


@pytest.mark.usefixtures("without_reference")
def test_percentiles_are_mid_ranks_and_ties_share_theirs() -> None:
    world = catalog({"mix.tempo": [60.0, 90.0, 90.0, float("nan"), 150.0]})
    assert world.percentiles("mix.tempo").tolist() == pytest.approx(
        [0.125, 0.5, 0.5, np.nan, 0.875], nan_ok=True
    )


@pytest.mark.usefixtures("without_reference")
def test_percentiles_never_mix_separators() -> None:
    rows = [(Track(i), analysis(separator=separator, descriptors={"mix": {"tempo": {"value": tempo, "unit": "BPM"}}})) for i, (separator, tempo) in enumerate(
        [("unet", 60), ("unet", 80), ("htdemucs_6s", 100), ("htdemucs_6s", 120)]
    )]  # fmt: skip
    assert Catalog.build(rows).percentiles("mix.tempo").tolist() == pytest.approx([0.25, 0.75, 0.25, 0.75])


@pytest.mark.usefixtures("without_reference")
def test_one_track_alone_is_average() -> None:
    assert catalog({"mix.tempo": [60.0]}).percentiles("mix.tempo").tolist() == [0.5]


def test_a_small_library_is_judged_mostly_by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slowest of eight fast tracks is not slow; in a large library the library decides."""
    monkeypatch.setattr(module, "quantiles", lambda separator, name: np.linspace(50, 150, 21).tolist())
    fast = [140.0 + i for i in range(8)]
    assert catalog({"mix.tempo": fast}).percentiles("mix.tempo").min() > 0.6
    many = np.linspace(140, 148, 2000).tolist()
    assert catalog({"mix.tempo": many}).percentiles("mix.tempo").min() < 0.05
    order = catalog({"mix.tempo": fast}).percentiles("mix.tempo")
    assert np.all(np.diff(order) > 0)


def test_equal_quantiles_of_the_reference_share_their_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stem that is silent in half of all tracks: silence is the 25th percentile, not 0 or 50."""
    half_silent = [0.0] * 11 + np.linspace(0.1, 1, 10).tolist()
    monkeypatch.setattr(module, "quantiles", lambda separator, name: half_silent)
    asked = np.array([0.0], dtype=np.float32)
    nobody = np.empty(0, dtype=np.float32)
    assert module.blended_percentiles(asked, nobody, "unet", "drums.activity")[0] == pytest.approx(
        0.25, abs=0.01
    )


@pytest.mark.usefixtures("without_reference")
def test_a_track_from_outside_is_placed_among_the_others() -> None:
    world = catalog({"mix.tempo": [60.0, 80.0, 100.0, 120.0]})
    assert world.percentile_of("mix.tempo", 90.0, "htdemucs_6s") == 0.5
    assert world.percentile_of("mix.tempo", 999.0, "htdemucs_6s") == 1.0
    assert world.percentile_of("mix.tempo", 90.0, "none") == 0.5
