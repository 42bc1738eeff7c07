"""Which separators there are, and that everything that is known of one comes from its own file, also of a plug-in's."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bot.words.explain import heard_by
from core.analysis import TrackAnalysis
from core.audio.types import STEMS
from core.errors import UserError
from core.library.loading import load_catalog
from core.library.recommendations import Reason
from core.library.schema import open_database
from core.library.scope import LibraryScope
from core.library.search import hit
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.moods.profile import MOODS, Profile
from core.recommend.rules import recommend
from core.recommend.table import PRESENCE, load_rules
from core.separation.registry import BUNDLED, at_hand, describe, load_separator, names
from core.spoken import speaking
from tests.core.recommend.worlds import catalog
from tests.fakes.separator_plugin import installed_plugin, write_plugin
from tests.make import save_analysis


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    with installed_plugin(write_plugin(tmp_path / "site")):
        yield tmp_path / "site"


def test_the_bundled_ones_state_what_they_are() -> None:
    assert set(names()) == {"auto", *(info.name for info in BUNDLED)}
    bundled = htdemucs, unet, none = [describe(name) for name in ("htdemucs_6s", "unet", "none")]
    assert htdemucs.rank < unet.rank < none.rank
    for info in (htdemucs, unet):
        assert set(info.reliability) == set(STEMS) and all(0 <= one <= 1 for one in info.reliability.values())
    assert not none.reliability
    assert [info.uses_gpu for info in bundled] == [True, False, False]
    assert [info.is_estimate for info in bundled] == [False, True, False]


def test_reading_about_them_is_light() -> None:
    code = "import sys, core.separation.registry as r; r.installed(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "scipy", "demucs", "librosa"} & set(loaded.split())


@pytest.mark.parametrize("name", ["htdemucs", "hf://someone/model", "../weights", "", "AUTO", "halves"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="choose one of auto, htdemucs_6s, unet, "):
        load_separator(name)


def test_a_package_brings_a_separator(plugin: Path) -> None:
    assert names()[:4] == ("auto", "htdemucs_6s", "halves", "unet")
    halves = load_separator("halves")
    mix = np.ones((2, 100), np.float32)
    assert halves.name == "halves" and set(halves.separate(mix)) == {"drums", "bass"}
    assert at_hand("halves") == "halves" and load_separator("auto", weights_dir=plugin).name == "unet"
    with pytest.raises(UserError, match="choose one of auto, htdemucs_6s, halves, unet, "):
        load_separator("other")


@pytest.mark.parametrize(
    ("module", "entry"),
    [
        ("raise OSError('no licence')", "moodstem_halves:INFO"),
        ("INFO = 7", "moodstem_halves:INFO"),
        ("", "moodstem_halves:INFO"),
        ("from core.separation.unet import INFO", "moodstem_halves:INFO"),
    ],
)
def test_a_package_that_does_not_do_what_it_should_is_left_out(
    tmp_path: Path, module: str, entry: str, caplog: pytest.LogCaptureFixture
) -> None:
    with installed_plugin(write_plugin(tmp_path, module=module, entry=entry)):
        assert "halves" not in names()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_command_line_finds_it_in_a_process_of_its_own(tmp_path: Path) -> None:
    site, song = write_plugin(tmp_path / "site"), tmp_path / "song.wav"
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(3 * 44_100) / 44_100)
    soundfile.write(song, np.stack([tone, tone], 1), 44_100)
    path = os.pathsep.join([str(site), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; main()", "analyze", str(song), "--separator", "halves", "--json"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path, "MOODSTEM_DATA": str(tmp_path / "data")},
    )  # fmt: skip
    [analysis] = json.loads(done.stdout)
    assert analysis["separator"] == "halves" and set(analysis["instruments"]) == {"drums", "bass"}


def reasons(separator: str) -> tuple[Reason, Reason]:
    """One for the drums and one for the whole mix, of two tracks in which both are as different as can be."""
    chosen = {}
    for mood in MOODS:
        for rule in load_rules():
            if rule.mood == mood and rule.descriptor not in PRESENCE and rule.range is None:
                chosen.setdefault((mood, rule.source), rule)
        if {(mood, "drums"), (mood, "mix")} <= set(chosen):
            break
    ours = chosen[mood, "drums"], chosen[mood, "mix"]
    world = catalog({rule.feature: [1.0, 2.0] for rule in ours}, separator=separator)
    found = recommend(world, Profile({mood: 1.0}), count=1, all_reasons=True)[0].reasons
    of = {reason.rule: reason for reason in found}
    return of[ours[0].id], of[ours[1].id]


@pytest.mark.parametrize("reliability", [0.81, 0.0016])
def test_a_rule_on_a_stem_counts_as_much_as_the_plug_in_says(tmp_path: Path, reliability: float) -> None:
    """That is the fourth root of it: 0.81 and 0.0016 make 0.95 and 0.2 of what a rule on the whole mix counts."""
    drums_of_htdemucs, mix_of_htdemucs = reasons("htdemucs_6s")
    with installed_plugin(write_plugin(tmp_path, reliability={"drums": reliability})):
        drums, mix = reasons("halves")
    share = abs(drums.contribution / mix.contribution)
    reference = abs(drums_of_htdemucs.contribution / mix_of_htdemucs.contribution)
    expected = (reliability / describe("htdemucs_6s").reliability["drums"]) ** 0.25
    assert share / reference == pytest.approx(expected, rel=1e-5)


def test_cards_call_it_by_its_label(plugin: Path) -> None:
    drums, mix = reasons("halves")
    said = heard_by("halves", [drums])
    assert said is not None and "Halves 1.0" in said and "95%" in said
    assert heard_by("halves", [mix]) is None
    with speaking("de"):
        assert "Halves 1.0" in (heard_by("halves", [drums]) or "")
        assert "dem eingebauten U-Net" in (heard_by("unet", [drums]) or "")
    assert "`gone`" in (heard_by("gone", [drums]) or "")


def heard(analysis: TrackAnalysis, separator: str, tempo: float) -> TrackAnalysis:
    return replace(analysis, separator=separator, tempo_bpm=tempo)


@pytest.mark.parametrize(("rank", "wins"), [(5, "halves"), (15, "halves"), (25, "unet"), (95, "unet")])
async def test_its_rank_says_whose_analysis_counts(tmp_path: Path, rank: int, wins: str) -> None:
    async with await open_database(tmp_path / "m.db") as database:
        library = Library(database)
        await ensure_samples(library)
        track = (await library.tracks())[0]
        analysis = await library.analysis(track.id)
        assert analysis is not None and analysis.separator == "unet"
        await save_analysis(library, track.id, heard(analysis, "halves", 77.0))

        async def counts() -> set[str]:
            """In the catalog, from which tracks are recommended, and in the library's search."""
            known, found = await hit(database, track.id), await load_catalog(database, LibraryScope(None))
            assert known is not None and known.separator is not None
            assert (known.tempo_bpm == 77.0) == (known.separator == "halves")
            return {known.separator, found.separators[[one.id for one in found.tracks].index(track.id)]}

        assert await counts() == {"unet"}, "one that nobody knows comes last"
    with installed_plugin(write_plugin(tmp_path / "site", rank=rank)):
        async with await open_database(tmp_path / "m.db") as database:
            assert await counts() == {wins}
            await save_analysis(Library(database), track.id, heard(analysis, "none", 60.0))
            assert await counts() == {wins}
    async with await open_database(tmp_path / "m.db") as database:
        assert await counts() == {"unet"}, "it was uninstalled"
