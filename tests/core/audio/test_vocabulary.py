"""descriptors.toml against what is measured: neither knows a descriptor that the other does not."""

from __future__ import annotations

import re

from core.audio.vocabulary import compared, descriptors, phrases, scales
from core.library.catalog import DERIVED
from core.library.sources.samples import shipped_analyses


def test_every_descriptor_has_a_table_and_every_table_a_descriptor() -> None:
    rows = {one.rows: one for one in descriptors().values() if one.rows}
    met = set(DERIVED)
    for analysis in shipped_analyses().values():
        met |= {name for facts in analysis["instruments"].values() for name in facts}
        for measured in analysis["descriptors"].values():
            for name, statistics in measured.items():
                known = descriptors().get(name)
                if known is None or not known.unit:
                    known = rows[re.sub(r"_\d+$", "", name)]
                assert statistics["unit"] == known.unit, name
                met |= {known.name, name}
    assert set(descriptors()) <= met


def test_pictures_compare_what_has_words() -> None:
    assert all(descriptors()[name].label for name in compared())
    assert all(scale.label and scale.low and scale.high for scale in scales().values())


def test_phrases_of_a_statistic_are_its_own() -> None:
    mean, spread = phrases("onset_strength"), phrases("onset_strength.std")
    assert mean is not None and spread is not None and mean.low != spread.low
    assert phrases("mfcc_12") is None and phrases("tempo.p90") is None
