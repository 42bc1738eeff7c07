"""Are stems worth their hours? What each stem's rules add to the rules on the whole track, judged by listeners' labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.audio.types import STEMS
from core.recommend.table import Rule, trust
from research.eval.calibrate import Designs, Labelled, cross_validated, mean_spearman, spearman


def contributions(
    labelled: Labelled,
    rules: Sequence[Rule],
    seeds: Sequence[int],
    advance: Callable[[float], None] = lambda share: None,
) -> dict[str, dict[str, Any]]:
    """{stem: {rules, trust, with_mix, added, without, lost}} for every stem that was found and has rules on moods.

    Mean rank correlations over moods, nested cross-validation by artist with the weights fitted anew each time:
    `with_mix` of this stem's rules and those on the mix, `without` of all but this stem's. `added` is what the stem
    brings to the mix alone, `lost` what goes when only it is taken away; stems say much of the same, so what they add
    one by one is more than what they add together.
    """
    on_moods = [rule for rule in rules if rule.mood in labelled.moods and labelled.catalog.has(rule.feature)]
    stems = [stem for stem in STEMS if any(rule.source == stem for rule in on_moods)]
    work = len(stems) * 2 + 2
    done = 0

    def mean(sources: Sequence[str]) -> float:
        nonlocal done
        designs = Designs(labelled, rules, list(sources))
        runs = [cross_validated(labelled, designs, seed) for seed in seeds]
        done += 1
        advance(done / work)
        return float(
            np.mean(
                [
                    mean_spearman(
                        {
                            mood: spearman(run[:, k], labelled.labels[:, k])
                            for k, mood in enumerate(labelled.moods)
                        }
                    )
                    for run in runs
                ]
            )
        )

    mix, everything = mean(["mix"]), mean(["mix", *stems])
    found = {}
    for stem in stems:
        together = mean(["mix", stem])
        rest = mean(["mix", *(other for other in stems if other != stem)])
        found[stem] = {
            "rules": sum(rule.source == stem for rule in on_moods),
            "trust": float(np.mean([trust(separator, stem) for separator in labelled.catalog.separators])),
            "with_mix": together,
            "added": together - mix,
            "without": rest,
            "lost": everything - rest,
        }
    return found
