"""The commands that fit and measure what ships beside the separator: on few and short recordings, from outside."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio import tempo
from core.audio.types import RATE, STEMS
from core.separation.unet import WEIGHTS, detector_file, load_unet
from research.training import gate, reliability
from research.training import tempo_weights as tempo_fitting
from tests.core.audio.rhythms import render


def test_the_tempo_that_is_felt_is_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(tempo.__file__).with_name("tempo.json").read_bytes()
    with (tmp_path / "list.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "bpm", "group"])
        for number, bpm in enumerate((72, 84, 96, 104, 112, 120, 128, 138, 150, 160)):
            path = tmp_path / f"{bpm}.wav"
            soundfile.write(path, render("rock" if number % 2 else "four on the floor", bpm, 12.0), RATE)
            rows.writerow([path, bpm, f"drummer {number}"])
    tempo_fitting.main([str(tmp_path / "list.csv")])
    recordings, _, right, *_ = capsys.readouterr().out.split()
    assert recordings == "10" and float(right) >= 0.8, "half and double tempo fit too; those are not felt"
    assert Path(tempo.__file__).with_name("tempo.json").read_bytes() == shipped, "nothing is written unasked"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five songs of four seconds, as `research.training.render` writes them: drums throughout, a bass that comes and goes."""
    folder = tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(3)
    rate, seconds = 44_100, 4
    time = np.arange(rate * seconds) / rate
    lines = []
    for number in range(5):
        song = folder / f"song{number}"
        song.mkdir()
        beat = np.exp(-40 * (time % 0.5)) * rng.standard_normal(len(time)) * 0.3
        plays = (time // 1 + number) % 2
        bass = 0.3 * np.sin(2 * np.pi * (55 + 5 * number) * time) * plays
        for stem in STEMS:
            sound = {"drums": beat, "bass": bass}.get(stem)
            if sound is not None:
                soundfile.write(song / f"{stem}.flac", np.stack([sound, sound], 1), rate, subtype="PCM_16")
        lines.append(json.dumps({"song": f"song{number}", "file": f"song{number}.mid"}))
    (folder / "index.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    copy = tmp_path / WEIGHTS.name
    shutil.copy(WEIGHTS, copy)
    shutil.copy(WEIGHTS.with_suffix(".json"), copy.with_suffix(".json"))
    return copy


def test_when_stems_sound_is_learnt(songs: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate.main([str(songs), "--weights", str(weights)])
    found = json.loads(capsys.readouterr().out)
    assert found["songs"] == 5 and found["penalty"] in gate.PENALTIES
    assert set(found["activity_error"]) == set(STEMS) and found["activity_error"]["drums"] < 0.1
    assert json.loads(weights.with_suffix(".json").read_text())["activity_error"] == found["activity_error"]
    assert detector_file(weights).exists()
    load_unet(weights=weights)  # which refuses a detector that is not its own


def test_how_far_stems_can_be_trusted(songs: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reliability.main([str(songs), "--weights", str(weights)])
    table = json.loads(capsys.readouterr().out)
    facts = json.loads(weights.with_suffix(".json").read_text())
    assert table["songs"] == facts["songs"] == 5
    assert facts["gain_over_mix_db"]["drums"] > 1
    assert all(0.05 <= facts["reliability"][stem] <= 0.95 for stem in STEMS)
    assert facts["reliability"]["piano"] == 0.05, "a stem that was in no song is not trusted"
