"""The report on a library's descriptors, against numpy and scikit-learn on tables whose truth is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from bot.words.glossary import label, meaning
from core.errors import UserError
from core.library.catalog import Catalog
from core.library.samples import manifest
from research.eval.descriptors import (
    components,
    correlations,
    describe_library,
    known,
    modified_z,
    parallel_analysis,
    standardised,
)
from tests.make import sample_analyses

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    id: int
    title: str
    artist: str | None = None
    genre: str | None = None
    content_hash: str = ""


def catalog(columns: dict[str, Matrix]) -> Catalog:
    names = sorted(columns)
    matrix = np.stack([columns[name] for name in names], axis=1).astype(np.float32)
    pieces = [Piece(i + 1, f"Piece {i + 1}") for i in range(len(matrix))]
    return Catalog(pieces, ["unet"] * len(pieces), names, matrix, {"mix.tempo": "BPM"})


@pytest.fixture
def dice() -> np.random.Generator:
    return np.random.default_rng(5)


def tied(n: int = 200) -> dict[str, Matrix]:
    """Brightness and noisiness follow one hidden quality, tempo and attack another; the drums sound in two of three."""
    dice = np.random.default_rng(6)
    one, two = dice.standard_normal((2, n))
    noise = dice.standard_normal((7, n))
    silent = np.arange(n) % 3 == 0
    drums = np.where(silent, np.nan, 1)
    return {
        "mix.spectral_centroid": 2000 + 500 * (one + 0.2 * noise[0]),
        "mix.spectral_flatness": 0.1 + 0.01 * (one + 0.3 * noise[1]),
        "mix.dynamic_range": 6 - 2 * (one + 0.3 * noise[2]),
        "mix.tempo": 110 + 20 * (two + 0.2 * noise[3]),
        "drums.onset_strength": drums * (3 + two + 0.2 * noise[4]),
        "drums.loudness": drums * (-20 + 3 * (two + 0.3 * noise[5])),
        "drums.level_db": np.where(silent, -120, -6 + two + 0.3 * noise[6]),
        "drums.activity": np.where(silent, 0, 0.8 + 0.01 * noise[0]),
        "mix.key_clarity": 0.5 + 0.1 * dice.standard_normal(n),
    }


def test_correlations_are_those_of_the_tracks_that_have_both(dice: np.random.Generator) -> None:
    z = dice.standard_normal((60, 5)) + dice.standard_normal((60, 1))
    z[dice.random(z.shape) < 0.3] = np.nan
    r, pairs = correlations(z)
    for i in range(5):
        for j in range(5):
            both = np.isfinite(z[:, i]) & np.isfinite(z[:, j])
            assert pairs[i, j] == both.sum()
            assert r[i, j] == pytest.approx(np.corrcoef(z[both, i], z[both, j])[0, 1], abs=1e-9)


def test_components_without_gaps_are_scikit_learns(dice: np.random.Generator) -> None:
    z = standardised(dice.standard_normal((80, 6)) @ dice.standard_normal((6, 6)))
    found, theirs = components(z), PCA().fit(z)
    np.testing.assert_allclose(found.variances, theirs.explained_variance_ * 79 / 80, rtol=1e-9)
    assert found.variances.sum() == pytest.approx(6) and (found.weights == pytest.approx(1))
    for k in range(6):
        r = [np.corrcoef(z[:, j], found.places[:, k])[0, 1] for j in range(6)]
        np.testing.assert_allclose(found.loadings[:, k], r, atol=1e-9)
        assert np.abs(found.loadings[:, k]).max() == found.loadings[:, k].max(), "the largest is positive"


def test_a_gap_pulls_nowhere_and_weighs_nothing(dice: np.random.Generator) -> None:
    z = standardised(dice.standard_normal((100, 4)) + 2 * dice.standard_normal((100, 1)))
    z[50:, 3] = np.nan
    z = standardised(z)
    found = components(z)
    assert found.weights == pytest.approx([1, 1, 1, 0.5]) and found.variances.sum() == pytest.approx(3.5)
    assert (np.abs(found.loadings) <= 1 + 1e-12).all() and (found.loadings**2).sum(axis=1) == pytest.approx(1)


def test_shuffled_descriptors_are_no_more_than_chance(dice: np.random.Generator) -> None:
    noise = standardised(dice.standard_normal((150, 12)))
    assert (components(noise).variances > parallel_analysis(noise)).sum() <= 1
    z = standardised(dice.standard_normal((150, 12)) + dice.standard_normal((150, 1)))
    assert (components(z).variances > parallel_analysis(z)).sum() == 1


def test_modified_z_by_hand() -> None:
    z = modified_z(np.array([[1.0], [2.0], [3.0], [4.0], [50.0], [np.nan]]))
    assert z[2, 0] == 0 and np.isnan(z[5, 0])
    assert z[0, 0] == pytest.approx(-2 / (1.4826 * 1))  # below: distances 2, 1, 0, their median 1
    assert z[4, 0] == pytest.approx(47 / (1.4826 * 1))  # above: 0, 1, 47


def test_the_report_finds_what_was_put_in() -> None:
    columns = tied()
    columns["mix.tempo"][7] = 400.0
    report = describe_library(catalog(columns))
    json.dumps(report, allow_nan=False)
    assert report["tracks"] == 200 and report["pca"]["kept"] == 2
    first, second = (
        {name for name, r in one["loadings"].items() if abs(r) > 0.6} for one in report["pca"]["components"]
    )
    bright = {"mix.spectral_centroid", "mix.spectral_flatness", "mix.dynamic_range"}
    beat = {"mix.tempo", "drums.onset_strength", "drums.loudness", "drums.level_db"}
    assert {frozenset(first), frozenset(second)} == {frozenset(bright), frozenset(beat)}
    by_name = {one["descriptor"]: one["explained"] for one in report["importance"]}
    assert by_name["mix.spectral_centroid"] > 0.85 and by_name["mix.key_clarity"] < 0.2
    assert sum(one["contribution"] for one in report["importance"]) == pytest.approx(1, abs=1e-3)
    [pair] = [one for one in report["correlations"]["between_sources"] if {one["one"], one["other"]} == {"mix.tempo", "drums.onset_strength"}]  # fmt: skip
    assert pair["tracks"] == 133 and pair["r"] > 0.6
    odd = report["outliers"]["tracks"][0]
    assert (
        odd["id"] == 8
        and odd["strongest"][0]["descriptor"] == "mix.tempo"
        and odd["strongest"][0]["unit"] == "BPM"
    )


def test_a_silent_stem_is_missing_not_zero() -> None:
    report = describe_library(catalog(tied()))
    drums = report["missing"]["sources"]["drums"]
    assert (drums["sounds_in"], drums["silent_in"]) == (133, 67)
    # -120 dB where the drums are silent would tie their level to nothing but their silence
    i, j = (report["correlations"]["names"].index(f"drums.{name}") for name in ("level_db", "loudness"))
    assert report["correlations"]["matrix"][i][j] > 0.9


def test_few_tracks_and_dead_columns_are_left_out_and_named(dice: np.random.Generator) -> None:
    columns = tied(40)
    columns["mix.majorness"] = np.full(40, 0.5)
    columns["piano.loudness"] = np.where(np.arange(40) < 6, -20.0 + np.arange(40), np.nan)
    columns["mix.pulse_clarity"] = np.where(np.arange(40) < 38, dice.random(40), np.nan)
    report = describe_library(catalog(columns))
    assert report["missing"]["left_out"] == {
        "mix.majorness": "the same in every track",
        "piano.loudness": "only 6 of 40 tracks have it",
    }
    assert report["missing"]["beyond_silence"] == {"mix.pulse_clarity": 2}


def test_pairs_that_never_sound_together_are_unknown(dice: np.random.Generator) -> None:
    n = 60
    columns = tied(n)
    first = np.arange(n) < 25
    columns["bass.loudness"] = np.where(first, dice.standard_normal(n), np.nan)
    columns["guitar.loudness"] = np.where(first, np.nan, dice.standard_normal(n))
    report = describe_library(catalog(columns))
    names = report["correlations"]["names"]
    assert (
        report["correlations"]["matrix"][names.index("bass.loudness")][names.index("guitar.loudness")] is None
    )
    assert report["correlations"]["unknown_pairs"] >= 1


def test_small_libraries_are_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match="9 tracks and a report needs at least 10: add music"):
        describe_library(catalog(tied(9)))
    with pytest.raises(UserError, match="analysed by htdemucs_6s"):
        describe_library(catalog(tied(30)), separator="htdemucs_6s")


def test_separators_are_not_mixed() -> None:
    columns = tied(60)
    names = sorted(columns)
    matrix = np.stack([columns[name] for name in names], axis=1).astype(np.float32)
    made = Catalog([Piece(i, str(i)) for i in range(60)], ["unet"] * 45 + ["none"] * 15, names, matrix)
    report = describe_library(made)
    assert (report["separator"], report["tracks"], report["other_separators"]) == ("unet", 45, {"none": 15})
    assert describe_library(made, separator="none")["tracks"] == 15


def test_every_word_of_the_glossary_names_something_that_is_measured(real: dict[str, Any]) -> None:
    measured = {name.partition(".")[2] for name in real["descriptors"]} | {"tempo"}
    assert set(known()) <= measured | {"activity"}
    assert label("drums.spectral_centroid") == "brightness" and meaning("drums.spectral_centroid.std")
    assert label("mix.spectral_centroid.std") == "variation of brightness"
    assert label("mix.mfcc_3") == "outline of the tone colour" and label("mix.mfcc_12") == "mfcc 12"


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    """The report on the sample pieces."""

    analyses = sample_analyses()
    rows = [(Piece(i, f"Piece {i}"), one) for i, one in enumerate(analyses)]
    assert len(rows) == len(manifest())
    return describe_library(Catalog.build(rows))


def test_real_analyses(real: dict[str, Any]) -> None:
    json.dumps(real, allow_nan=False)
    assert real["tracks"] == 30 and real["pca"]["kept"] >= 2 and 0.3 < real["pca"]["explained_by_kept"] < 1
    assert real["missing"]["sources"]["vocals"]["silent_in"] > 0
