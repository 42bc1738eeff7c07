"""What cards call a descriptor: words, never 'mfcc 4'."""

from __future__ import annotations

from bot.words.glossary import label, meaning
from core.recommend.table import load_rules
from research.eval.descriptors import known


def test_every_descriptor_of_a_rule_has_words_of_its_own() -> None:
    features = {rule.feature for rule in load_rules()}
    for feature in features:
        assert "_" not in label(feature) and "mfcc" not in label(feature).lower(), feature
        assert meaning(feature), feature
    of_the_mix = {feature for feature in features if feature.startswith("mix.")}
    assert len({label(feature) for feature in of_the_mix}) == len(of_the_mix)
    assert label("mix.mfcc_4.std") == "variation of finer tone colour"


def test_rows_of_tables_are_no_descriptors_of_a_report() -> None:
    assert "tempo" in known() and not {"mfcc_4", "spectral_contrast_2"} & set(known())
