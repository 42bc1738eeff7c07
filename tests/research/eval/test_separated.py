"""Separation measured on songs with known stems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.activity import Gate
from core.audio.types import Samples
from core.errors import UserError
from core.separation.base import Cancelled, Progress
from core.separation.registry import load_separator
from research.eval.separated import evaluate, hpss_stems, ideal_ratio_stems, sdr, si_sdr
from tests.core.separation.conftest import make_band

RATE = 44_100
Band = dict[str, np.ndarray[Any, Any]]


class Oracle:
    """Knows the answer: what a perfect separator would score."""

    name, version, rate = "oracle", "1", RATE

    def __init__(self, stems: Band) -> None:
        self.gate = Gate()
        self.stems = stems

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        return {stem: audio[:, : mix.shape[1]] for stem, audio in self.stems.items()}


@pytest.fixture(scope="module")
def band() -> Band:
    return make_band(16.0)


@pytest.fixture(scope="module")
def songs(band: Band, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    folder = tmp_path_factory.mktemp("songs")
    for name, suffix in (("first", "wav"), ("second", "flac")):
        (folder / name).mkdir()
        for stem, audio in band.items():
            soundfile.write(
                folder / name / f"{stem}.{suffix}", audio[:, : 8 * RATE].T, RATE, subtype="PCM_16"
            )
    (folder / "notes.txt").write_text("not a song")
    return folder


def test_si_sdr_of_known_signals() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1, (2, 50_000)).astype(np.float32)
    noise = rng.normal(0, 0.1, (2, 50_000)).astype(np.float32)
    assert si_sdr(truth, truth + noise) == pytest.approx(20, abs=0.2)
    assert si_sdr(truth, 7 * (truth + noise)) == pytest.approx(20, abs=0.2)
    assert sdr(truth, truth / 2) == pytest.approx(6.02, abs=0.01)
    assert si_sdr(truth, np.zeros_like(truth)) == -100


def test_ideal_mask_beats_hpss_which_beats_the_mix(band: Band) -> None:
    mix = np.sum(list(band.values()), axis=0, dtype=np.float32)
    simple, limit = hpss_stems(mix, list(band)), ideal_ratio_stems(mix, band)
    for stem in ("drums", "bass"):
        assert si_sdr(band[stem], limit[stem]) > si_sdr(band[stem], simple[stem]) > si_sdr(band[stem], mix)


def test_contract_and_a_perfect_separator(songs: Path, band: Band) -> None:
    seen: list[float] = []
    table = evaluate(songs, Oracle(band), seen.append)
    assert table["songs"] == 2 and table["separator"] == "oracle"
    assert set(table["stems"]) == set(band)
    for row in table["stems"].values():
        assert row["songs"] == 2 and row["si_sdr_db"] > 60 > row["irm_si_sdr_db"] > row["mix_si_sdr_db"]
        assert row["activity_error"] < 0.02
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_the_bundled_separator_lies_between_the_mix_and_the_limit(songs: Path) -> None:
    table = evaluate(songs, load_separator("unet", threads=1))
    for row in table["stems"].values():
        assert row["irm_si_sdr_db"] > row["si_sdr_db"] > row["mix_si_sdr_db"] + 1
    assert table["mean"]["gain_over_mix_db"] > 3


def test_can_be_cancelled(songs: Path, band: Band) -> None:
    def stop(done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(songs, Oracle(band), stop)


def test_wrong_folders_are_explained(tmp_path: Path, songs: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        evaluate(tmp_path / "nowhere", load_separator("none"))
    with pytest.raises(UserError, match="holds no song"):
        evaluate(tmp_path, load_separator("none"))
    with pytest.raises(UserError, match="makes no stems"):
        evaluate(songs, load_separator("none"))
