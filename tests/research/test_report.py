"""`moodstem report`: tables and pages about a whole library."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

from bot.cli import main
from tests.make import plucked

MOODSTEM = Path(sys.executable).with_name("moodstem")


@pytest.fixture
def moodstem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line in this process, since a new one would compile librosa's transforms first."""
    monkeypatch.setenv("MOODSTEM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, code: int = 0) -> Any:
        result = CliRunner().invoke(main, [str(one) for one in arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and result.stdout else result.output

    return call


def write_plucked(path: Path, hz: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plucked(2.0, hz))


def features(path: Path) -> Any:
    return pandas.read_csv(path, index_col=0, header=[0, 1, 2])


def test_fma_numbers_files_as_fma_does(moodstem: Any, tmp_path: Path) -> None:
    write_plucked(tmp_path / "fma" / "000" / "000140.wav", 440)
    write_plucked(tmp_path / "fma" / "000" / "000002.wav", 220)
    (tmp_path / "fma" / "001").mkdir()
    (tmp_path / "fma" / "001" / "001000.mp3").write_text("Dear listener")
    report = moodstem("report", "fma", "fma", "--csv", "features.csv", "--json")
    table = features(tmp_path / "features.csv")
    assert table.index.tolist() == [2, 140] == [track["track_id"] for track in report["tracks"]]
    assert table.shape == (2, 518) and report["columns"] == 518
    [(path, sentence)] = report["failed"]
    assert path.endswith("001000.mp3") and "not an audio file" in sentence
    pitch = table["spectral_centroid"]["median"]["01"]
    assert pitch[140] == pytest.approx(2 * pitch[2], rel=0.1)


def test_fma_numbers_other_folders_and_says_which_is_which(moodstem: Any, tmp_path: Path) -> None:
    write_plucked(tmp_path / "music" / "b.wav", 440)
    write_plucked(tmp_path / "music" / "Ann - a song.wav", 220)
    said = moodstem("report", "fma", "music", "--csv", "mine.csv")
    assert "2 tracks with 518 columns: mine.csv" in said
    known = pandas.read_csv(tmp_path / "mine-tracks.csv")
    assert known["track_id"].tolist() == [1, 2] == features(tmp_path / "mine.csv").index.tolist()
    assert known["title"].tolist() == ["a song", "b"] and known["artist"][0] == "Ann"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--csv", "a.csv"), "There is no folder nowhere"),
        (("empty", "--csv", "a.csv"), "There are no audio files in empty"),
        (("bad", "--csv", "a.csv"), "No file could be described"),
        (("bad", "--csv", "missing/a.csv"), "There is no folder"),
    ],
)
def test_fma_says_what_is_wrong(moodstem: Any, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp3").write_text("Dear listener")
    assert says in moodstem("report", "fma", *arguments, code=1)
    assert not list(tmp_path.glob("*.csv*")) and not list(tmp_path.glob(".*.part"))


def test_fma_stopped_in_the_middle_keeps_what_is_done(tmp_path: Path) -> None:
    write_plucked(tmp_path / "music" / "000.wav", 330)
    for number in range(1, 400):
        os.link(tmp_path / "music" / "000.wav", tmp_path / "music" / f"{number:03d}.wav")
    process = subprocess.Popen(
        [MOODSTEM, "report", "fma", "music", "--csv", "features.csv"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "MOODSTEM_DATA": str(tmp_path / "data")},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )  # fmt: skip
    part = tmp_path / ".features.csv.part"
    while not part.is_file() or part.stat().st_size < 60_000:  # some rows behind the header
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (
        process.returncode == 1 and "of 400 tracks are in the table" in errors and "Traceback" not in errors
    )
    table = features(tmp_path / "features.csv")
    assert 0 < len(table) < 400 and not table.isna().to_numpy().any() and not part.exists()
    assert f"{len(table)} tracks" in out


def test_descriptors_of_the_samples(moodstem: Any) -> None:
    report = moodstem("report", "descriptors", "--json")
    assert report["tracks"] == 30 and len(report["pca"]["components"]) >= 2
    said = moodstem("report", "descriptors")
    assert "30 tracks" in said and "whole track" in said and "Tracks that stand out" in said
    assert "Say either" in moodstem("report", "descriptors", "--json", "--html", code=2)
    assert "cannot be written" in moodstem("report", "descriptors", "--html", "no/where.html", code=1)


def test_the_page_is_one_file_with_everything_in_it(moodstem: Any, tmp_path: Path) -> None:
    assert "page.html: 30 tracks" in moodstem("report", "descriptors", "--html", "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>") and "data:image/png;base64," in page
    assert not re.search(r'(?:src|href)="(?!data:)|url\(|@import|https?://', page), "it loads nothing"
    assert "prefers-color-scheme: dark" in page and "The Clockmaker&#39;s Sonata" in page
    printed = moodstem("report", "descriptors", "--html")
    assert page in printed


def test_titles_cannot_become_markup() -> None:
    from core.library.catalog import Catalog
    from research.cli.report_page import page
    from research.eval.descriptors import describe_library
    from tests.research.eval.test_descriptors import Piece, tied

    columns = tied(30)
    names = sorted(columns)
    evil = "</script><script>alert(1)</script>"
    pieces = [Piece(i, evil, evil) for i in range(30)]
    matrix = np.stack([columns[name] for name in names], axis=1)
    text = page(describe_library(Catalog(pieces, ["<i>"] * 30, names, matrix)))
    assert "<script>alert" not in text and "separated by\n&lt;i&gt;" in text
