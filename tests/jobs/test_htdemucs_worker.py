"""htdemucs_6s where uploads and folders meet it: a real worker, set up from config.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.words.say import say
from core.settings import load_settings
from jobs.engines.base import Request
from jobs.engines.registry import make_engine
from tests.core.separation.conftest import SMALL
from tests.make import write_tone
from tests.refusals import refusal


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config.toml that names a folder of small weights; tests add to it."""
    from research.bench.separation import save_random_weights

    weights = tmp_path / "weights"
    weights.mkdir()
    save_random_weights(weights, SMALL)
    path = tmp_path / "config.toml"
    path.write_text(f'data = "{tmp_path / "data"}"\n[jobs]\nweights = "{weights}"\nthreads = 1\n')
    monkeypatch.setenv("MOODSTEM_CONFIG", str(path))
    return path


async def test_a_worker_separates_as_the_settings_say(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text() + '[htdemucs]\noverlap = 0.25\nprecision = "float32"\n')
    made = make_engine(load_settings())
    try:
        facts = await made.start()
        assert facts["separator"] == "htdemucs_6s" and facts["separator_version"].endswith(".1.25")
        heard: list[tuple[str, float]] = []
        song = write_tone(tmp_path / "song.wav", seconds=5.0)
        arguments = {"path": str(song), "name": "song.wav", "max_seconds": 60.0, "analysis": None}
        answer = await made.run(
            Request("analyse", arguments), lambda stage, share: heard.append((stage, share))
        )
        assert answer["analysis"]["separator_version"] == facts["separator_version"]
        assert len([stage for stage, _ in heard if stage == "separate"]) >= 4  # segments of 2 s every 1.5 s
    finally:
        await made.stop()


@pytest.mark.parametrize("line", ["overlap = 0.6", 'precision = "float16"', "shifts = 1"])
def test_other_values_are_told_in_one_sentence(config: Path, line: str) -> None:
    config.write_text(config.read_text() + f"[htdemucs]\n{line}\n")
    with refusal(rf"htdemucs\.{line.split()[0]}\b.*: correct that in ") as told:
        load_settings()
    assert "\n" not in say(told.value)
