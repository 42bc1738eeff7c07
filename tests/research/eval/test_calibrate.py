"""Calibration recovers weights that made the labels, keeps the signs, and never judges by tracks that it has seen."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.moods.profile import MOODS, tables
from core.recommend.table import calibration, load_rules
from core.track_analysis import TrackAnalysis
from research.cli.calibration import lines
from research.eval import calibrate as module
from research.eval.calibrate import KEPT, Labelled, calibrate, fit, fitted_to, folds, spearman
from research.eval.relevance import auc, lift, prior_correlation, relevance

RNG = np.random.default_rng(5)


def labelled_by_loudness(
    count: int = 60, artists: int = 12
) -> tuple[list[dict[str, Any]], list[TrackAnalysis]]:
    """Labels for power follow loudness, those for peacefulness its opposite; tempo means nothing."""
    loudness, tempo = RNG.normal(-15, 4, count), RNG.uniform(60, 170, count)
    rows, analyses = [], []
    for i in range(count):
        noise = RNG.normal(0, 0.1)
        rows.append(
            {
                "path": f"{i}.ogg",
                "artist": f"artist {i % artists}",
                "power": float(np.clip(0.5 + (loudness[i] + 15) / 16 + noise, 0, 1)),
                "peacefulness": float(np.clip(0.5 - (loudness[i] + 15) / 16 + noise, 0, 1)),
            }
        )
        mix = {
            "loudness": {"value": float(loudness[i]), "unit": "LUFS"},
            "tempo": {"value": float(tempo[i]), "unit": "BPM"},
        }
        analyses.append(
            TrackAnalysis(
                f"{i:064x}"[::-1],
                60.0,
                "none",
                "1",
                1,
                float(tempo[i]),
                "C",
                "major",
                {},
                {},
                {"mix": mix},
                {},
            )
        )
    return rows, analyses


def test_the_weights_find_what_made_the_labels_and_keep_their_signs() -> None:
    design = RNG.normal(size=(400, 4))
    label = design @ np.array([1.0, 0.5, 0.0, -0.5])
    prior = np.array([0.5, 0.5, 0.5, 0.5])
    weights = fit(design, label, prior, strength=1.0)
    assert weights.sum() == pytest.approx(prior.sum())
    assert weights[0] > weights[1] > weights[2]
    assert weights.min() >= 0 and weights[3] == pytest.approx(weights.min())
    assert weights[3] > 0, "no rule is switched off"


def test_a_strong_pull_keeps_the_literatures_weights() -> None:
    design = RNG.normal(size=(100, 3))
    prior = np.array([1.0, 0.2, 0.6])
    assert fit(design, design[:, 1] + design.sum(axis=1), prior, strength=1e9) == pytest.approx(
        prior, rel=1e-3
    )


def test_without_a_signal_nothing_is_learned() -> None:
    design = RNG.normal(size=(100, 2))
    prior = np.array([1.0, 1.0])
    assert fit(design, -design.sum(axis=1), prior, 1.0) is prior
    assert 0 < KEPT < 1


def test_folds_never_split_an_artist() -> None:
    groups = np.array([f"artist {i % 9}" for i in range(50)])
    for train, test in folds(groups):
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(UserError, match="two artists"):
        folds(np.array(["Ada", "Ada"]))


def test_the_report_says_what_calibration_brings_and_writes_nothing_unasked() -> None:
    before = {rule.id: rule.weight for rule in load_rules()}
    rows, analyses = labelled_by_loudness()
    report = calibrate(rows, analyses, seeds=(0,))
    assert report["tracks"] == 60 and report["artists"] == 12 and report["separator"] == "none"
    assert report["written"] == [] and before == {rule.id: rule.weight for rule in load_rules()}
    means = report["mean_spearman"]
    assert means["cross_validated"] > 0.8 and means["cross_validated"] > means["uncalibrated"] - 0.02
    assert report["stems_add"] == pytest.approx(0) and report["stems"] == {}, "there are no stems here"
    loud = report["weights"]["power.mix.loudness"]
    assert loud["after"] > loud["before"], "the only thing that tells"
    assert set(report["moods"]) == {"power", "peacefulness"}
    json.dumps(report, allow_nan=False)


def test_a_stem_that_tells_adds_to_the_mix_and_one_that_does_not_adds_nothing() -> None:
    rows, analyses = labelled_by_loudness()
    analyses = [replace(analysis, separator="htdemucs_6s") for analysis in analyses]
    drums = RNG.random(len(rows))
    for row, analysis, activity in zip(rows, analyses, drums, strict=True):
        row["power"] = float(np.clip(0.5 * row["power"] + 0.5 * activity, 0, 1))
        analysis.instruments["drums"] = {"activity": float(activity)}
        analysis.instruments["bass"] = {"activity": float(RNG.random())}
    shares: list[float] = []
    report = calibrate(rows, analyses, seeds=(0,), advance=shares.append)
    stems = report["stems"]
    assert stems["drums"]["added"] > 0.05 and stems["drums"]["lost"] > 0.05
    assert "bass" not in stems or abs(stems["bass"]["added"]) < 0.05
    assert shares[-1] == 1 and shares == sorted(shares)
    text = "\n".join(lines(report))
    assert "60 tracks by 12 artists, separator htdemucs_6s." in text
    assert re.search(r"^drums +\d+ +[\d.]+ +\+0\.\d{3} +\+0\.\d{3}$", text, re.M)
    assert re.search(r"^  mix\.loudness +0\.60 +\d\.\d\d +x \d\.\d$", text, re.M)
    assert "mean (all moods but wonder)" in text and "Nothing was written" in text


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tables that may be written: the rules without weights in a folder that stands for the packages' own."""
    from core.library import reference
    from core.recommend import table
    from research import reference as made

    real = table.files
    shutil.copy(str(real("core.moods").joinpath("rules.toml")), tmp_path)
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    monkeypatch.setattr(reference, "files", lambda package: tmp_path)
    monkeypatch.setattr(made, "files", lambda package: tmp_path)
    monkeypatch.setattr(
        table, "files", lambda package: tmp_path if package == "core.moods" else real(package)
    )
    table.forget_tables()
    reference.references.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    table.forget_tables()
    reference.references.cache_clear()


def test_what_is_written_is_used_and_its_tracks_are_cross_validated(written: Path) -> None:
    rows, analyses = labelled_by_loudness()
    assert relevance(rows, analyses)["weights"] == "shipped"
    report = calibrate(rows, analyses, write=True, seeds=(0,))
    assert report["written"] == ["reference.json", "weights.toml"]
    assert calibration()["tracks"] == 60 and len(fitted_to()) == 60
    assert "mix.loudness" in json.loads((written / "reference.json").read_text())["none"]["quantiles"]
    shipped = {rule.id: rule.weight for rule in load_rules()}
    assert shipped["power.mix.loudness"] == report["weights"]["power.mix.loudness"]["after"]
    assert relevance(rows, analyses)["weights"] == "cross-validated by artist"
    others, theirs = labelled_by_loudness()
    for i, analysis in enumerate(theirs):
        object.__setattr__(analysis, "content_hash", f"x{i:063x}")
    assert relevance(others, theirs)["weights"] == "shipped"


def test_relevance_has_the_shape_of_the_contract() -> None:
    rows, analyses = labelled_by_loudness(24, 6)
    found = relevance(rows, analyses)
    assert found["tracks"] == 24 and set(found["moods"]) == {"power", "peacefulness"}
    assert set(found["baselines"]) == {"random", "mix_only", "uncalibrated", "ridge", "extra_trees"}
    assert abs(found["baselines"]["random"]) < 0.1 < 0.7 < found["mean_spearman"]
    assert all(set(row) == {"spearman", "lift_at_10", "auc"} for row in found["moods"].values())
    json.dumps(found, allow_nan=False)


def test_ten_tracks_by_nobody_in_particular_are_enough_to_measure() -> None:
    rows, analyses = labelled_by_loudness(10, 10)
    for row in rows:
        del row["artist"]
    found = relevance(rows, analyses)
    assert -1 <= found["mean_spearman"] <= 1
    json.dumps(found, allow_nan=False)


def test_labels_must_be_there() -> None:
    rows, analyses = labelled_by_loudness(6, 3)
    with pytest.raises(UserError, match="column of numbers for a mood"):
        Labelled.of([{"path": row["path"]} for row in rows], analyses)
    object.__setattr__(analyses[0], "separator", "unet")
    with pytest.raises(UserError, match="one separator"):
        calibrate(rows, analyses)


def test_measures_of_a_perfect_and_a_reversed_order() -> None:
    label = np.linspace(0, 1, 40)
    assert auc(label, label) == 1 and auc(-label, label) == 0 and auc(np.zeros(40), label) == 0.5
    assert lift(label, label) > 1.7 and lift(-label, label) < 0.3
    assert spearman(label, label) == 1 and spearman(np.zeros(40), label) == 0


def test_the_prior_is_the_labels_correlation_without_the_listeners_noise() -> None:
    """Two moods that listeners' noise holds apart are nearer to each other than their labels are."""
    reliability = np.array(tables("questions")["prior"]["reliability"])
    common = RNG.normal(size=(4000, 1))
    true = (common + RNG.normal(size=(4000, len(MOODS)))) / np.sqrt(2)  # any two correlate by 0.5
    noise = RNG.normal(size=true.shape) * np.sqrt(1 / reliability - 1)
    rows = [dict(zip(MOODS, row, strict=True)) for row in true + noise]
    found = prior_correlation(rows)
    assert np.abs(found - found.T).max() < 1e-12 and np.diag(found) == pytest.approx(1)
    assert found[~np.eye(len(MOODS), dtype=bool)] == pytest.approx(0.5, abs=0.06)


def test_the_shipped_weights_belong_to_shipped_rules() -> None:
    assert calibration()["tracks"] == len(fitted_to()) > 100
    weights = {rule.id: rule.weight for rule in load_rules()}
    assert all(weight > 0 for weight in weights.values()), "a rule without weight is dead"
