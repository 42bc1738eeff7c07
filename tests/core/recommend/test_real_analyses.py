"""The rules against analyses of real audio: every rule finds its descriptor, and none is dead."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.types import STEMS
from core.library.catalog import Catalog
from core.moods.profile import MOODS, Profile
from core.recommend.rules import recommend
from core.recommend.similar import COMPARED, TIMBRE
from core.recommend.table import load_rules
from core.recommend.topic_scores import prepare
from research.eval.relevance import auc


def test_every_rule_names_a_descriptor_that_analyses_have(samples: Catalog) -> None:
    """A stem that no sample lets sound has no descriptors of its sound; then the other stems say whether they exist."""
    for rule in load_rules():
        sources = [rule.source] if rule.source == "mix" else [rule.source, *STEMS]
        assert any(samples.has(f"{source}.{rule.descriptor}") for source in sources), rule.id
    assert all(samples.has(name) for name in (*TIMBRE, *COMPARED))


def test_no_rule_is_dead(samples: Catalog) -> None:
    """Every rule that speaks at all tells some samples from others."""
    prepared = prepare(samples)
    for rule in load_rules():
        fits = prepared.fit(rule)
        if np.isfinite(fits).sum() >= 10 and any(prepared.shares[rule.id]):
            assert np.nanmax(fits) - np.nanmin(fits) > 0.2, rule.id


def test_every_unit_is_known(samples: Catalog) -> None:
    for rule in load_rules():
        if samples.has(rule.feature):
            assert rule.feature.removesuffix(".std") in samples.units, rule.feature


def test_pure_moods_give_different_lists_with_reasons(samples: Catalog) -> None:
    lists = {}
    for mood in MOODS:
        found = recommend(samples, Profile({mood: 1.0}), None, 5)
        lists[mood] = tuple(one.track.id for one in found)
        assert all(len(one.reasons) >= 3 for one in found[:3])
    assert len(set(lists.values())) == len(MOODS)
    assert not set(lists["power"]) & set(lists["peacefulness"])


def test_samples_are_found_by_the_moods_they_were_composed_for(samples: Catalog) -> None:
    """samples.toml says what each piece was composed to sound like, and knows nothing of the rules."""
    import tomllib
    from importlib.resources import files
    from pathlib import Path

    from core.track_analysis import content_hash

    folder = Path(str(files("core.library.samples")))
    rows = tomllib.loads((folder / "samples.toml").read_text("utf-8"))["sample"]
    intended = {content_hash(folder / row["file"]): row["moods"] for row in rows}
    prepared = prepare(samples)
    areas = []
    for mood in MOODS:
        label = np.array([float(mood in intended.get(track.content_hash, ())) for track in samples.tracks])
        if 0 < label.sum() < len(label):
            areas.append(auc(prepared.scores({mood: 1.0}).astype(float), label))
    assert len(areas) >= 8 and np.mean(areas) > 0.72


@pytest.mark.parametrize(
    ("occasion", "low", "high"),
    [
        ("relaxation", ["mix.tempo", "mix.loudness", "drums.level_db"], ["mix.contrast_dark_ratio"]),
        ("workout", ["mix.contrast_dark_ratio"], ["mix.tempo", "drums.level_db", "bass.level_db"]),
        ("study", ["vocals.activity", "mix.loudness"], []),
        ("celebration", [], ["mix.loudness", "mix.pulse_clarity", "drums.activity", "mix.majorness"]),
        ("sleep", ["mix.loudness", "mix.spectral_centroid", "drums.activity"], []),
        ("commute", [], ["mix.pulse_clarity", "mix.majorness"]),
        ("party", [], ["drums.level_db", "bass.level_db", "mix.pulse_clarity"]),
        ("focus", ["vocals.activity"], ["mix.beat_regularity"]),
    ],
)
def test_occasions_sound_as_they_should(
    samples: Catalog, occasion: str, low: list[str], high: list[str]
) -> None:
    """The eight picks for each occasion stand apart from the library as a whole."""
    picked = [samples.index(one.track.id) for one in recommend(samples, Profile(), occasion, 8)]
    for feature, sign in [(name, -1) for name in low] + [(name, 1) for name in high]:
        percentiles = samples.percentiles(feature)
        apart = float(np.nanmean(percentiles[picked]) - np.nanmean(percentiles))
        assert sign * apart > 0.08, (feature, apart)
