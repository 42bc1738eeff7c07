"""`moodstem eval` and `calibrate` from outside, on recordings made for it: the figures go the way that they must."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from core.moods import profile

MOODSTEM = Path(sys.executable).with_name("moodstem")
RATE = 22050


def sound(number: int) -> Any:
    """(n,) six seconds: every other one quick, loud, bright and in major, the rest slow, soft, plain and in minor."""
    lively = number % 2 == 1
    beats = (140 if lively else 60) + 3 * number
    root = (220 if lively else 110) * 2 ** (number / 24)
    t = np.arange(6 * RATE) / RATE
    notes = [root, root * (1.26 if lively else 1.19), root * 1.5]
    partials = range(1, 8 if lively else 2)
    chord = sum(np.sin(2 * np.pi * note * k * t) / k for note in notes for k in partials)
    return chord * np.exp(-(8 if lively else 1) * (t % (60 / beats))) * (0.2 if lively else 0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings, their labels in list.csv, and the data folder that all tests here share."""
    folder = tmp_path_factory.mktemp("measured")
    with (folder / "list.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "artist", "genre", "joyful_activation", "peacefulness"])
        for number in range(12):
            soundfile.write(folder / f"{number}.wav", sound(number), RATE)
            lively = number % 2 == 1
            high, low = 0.9 - 0.01 * number, 0.1 + 0.01 * number
            rows.writerow(
                [
                    f"{number}.wav",
                    f"artist {number // 2}",
                    "dance" if lively else "ambient",
                    high if lively else low,
                    low if lively else high,
                ]
            )
    return folder


@pytest.fixture
def measure(folder: Path) -> Any:
    def call(*arguments: object, code: int = 0) -> Any:
        process = subprocess.run(
            [MOODSTEM, *map(str, arguments), *(["--json"] if code == 0 else [])],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "MOODSTEM_DATA": str(folder / "data")},
            timeout=200,
        )
        assert process.returncode == code and "Traceback" not in process.stderr, process.stderr
        return json.loads(process.stdout) if code == 0 else process.stderr

    return call


def test_relevance(measure: Any) -> None:
    found = measure("eval", "relevance", "list.csv", "--separator", "none")
    assert found["tracks"] == 12 and set(found["moods"]) == {"joyful_activation", "peacefulness"}
    assert all(mood["spearman"] > 0.3 for mood in found["moods"].values())
    assert found["baselines"]["random"] < 0.3 < found["mean_spearman"]
    assert found["weights"] == "shipped" and found["baselines"]["mix_only"] == found["mean_spearman"]


def test_similarity(measure: Any) -> None:
    found = measure("eval", "similarity", "list.csv", "--separator", "none")
    for kind in found["kinds"].values():
        assert kind["precision"] > 0.9 > found["random"], "the same genre by other artists comes first"
        assert kind["asymmetry"] < 1e-5


def test_calibrate_prints_and_writes_nothing_unasked(measure: Any) -> None:
    weights = Path(profile.__file__).with_name("weights.toml")
    shipped = weights.read_bytes()
    report = measure("calibrate", "list.csv", "--separator", "none")
    assert (report["tracks"], report["artists"], report["separator"]) == (12, 6, "none")
    assert report["stems_add"] == 0, "there are none"
    assert report["mean_spearman"]["cross_validated"] > 0.3
    assert weights.read_bytes() == shipped


def test_questionnaire(measure: Any) -> None:
    found = measure("eval", "questionnaire")
    assert found["questions"] == 7 and found["at_once"]["questions"] == 5
    assert found["at_once"]["correlation"] < found["correlation"] < found["ceiling"]["correlation"]
    assert found["random_order"]["correlation"] < found["correlation"]


def test_separation(measure: Any, folder: Path) -> None:
    song = folder / "songs" / "one"
    song.mkdir(parents=True)
    rng = np.random.default_rng(0)
    t = np.arange(4 * 44_100) / 44_100
    drums = 0.4 * np.exp(-40 * (t % 0.5)) * rng.standard_normal(len(t))
    soundfile.write(song / "drums.wav", drums, 44_100)
    soundfile.write(song / "bass.wav", 0.3 * np.sin(2 * np.pi * 55 * t), 44_100)
    found = measure("eval", "separation", folder / "songs", "--separator", "unet")
    assert found["songs"] == 1 and set(found["stems"]) == {"drums", "bass"}
    assert found["stems"]["drums"]["si_sdr_db"] > found["stems"]["drums"]["mix_si_sdr_db"]


def test_taste(measure: Any, folder: Path) -> None:
    """Two crowds, each with a taste of its own."""
    rng = np.random.default_rng(1)
    with (folder / "liked.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user", "item", "value"])
        for user in range(60):
            for item in rng.choice(20, size=8, replace=False):
                rows.writerow([f"u{user}", f"i{item + 20 * (user % 2)}", 1])
    found = measure("eval", "taste", folder / "liked.csv")
    assert (found["users"], found["items"], found["interactions"]) == (60, 40, 480)
    assert found["ours"]["ndcg_at_10"] > 2 * found["peers"]["popularity"]["ndcg_at_10"]


def test_quadrants(measure: Any, folder: Path) -> None:
    clips = folder / "clips"
    clips.mkdir()
    for number in range(12):
        soundfile.write(clips / f"Q{1 if number % 2 else 3}_song{number}_0.wav", sound(number), RATE)
    found = measure("eval", "quadrants", clips, "--clips", 12)
    assert found["clips"] == found["held_out"]["clips"] + found["development"]["clips"]
    assert found["development"]["rules"]["arousal_auc"] == found["held_out"]["rules"]["arousal_auc"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,genre,artist\n0.wav,rock,\n", "Line 2 of bad.csv has no artist"),
        ("path,genre,artist\ngone.wav,rock,x\n", "names gone.wav, which is not there"),
        ("path,sadness\n0.wav,much\n", "must be a number, not 'much'"),
    ],
)
def test_a_wrong_list_is_named_with_its_line(measure: Any, folder: Path, text: str, says: str) -> None:
    (folder / "bad.csv").write_text(text, encoding="utf-8")
    assert says in measure("eval", "similarity", "bad.csv", "--separator", "none", code=1)
