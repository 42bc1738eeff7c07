"""Clips of Russell's quadrants: names, the halves, and whether the rules hear what was put in."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from core.errors import UserError
from core.moods.profile import MOODS
from core.track_analysis import TrackAnalysis
from research.eval.quadrants import AROUSAL, VALENCE, Clip, choose, clip_of, evaluate


def clips(songs: int = 40, each: int = 2) -> list[Clip]:
    return [
        Clip(f"Q{s % 4 + 1}_song{s}_{k}", s % 4 + 1, f"song{s}") for s in range(songs) for k in range(each)
    ]


def heard(clip: Clip, rng: np.random.Generator) -> TrackAnalysis:
    """Aroused clips are loud and full of notes, positive ones in a major key; MFCC are noise."""
    mix = {
        "loudness": -14.0 - 10 * (not clip.aroused) + rng.normal(0, 3),
        "onset_rate": 4.0 - 2 * (not clip.aroused) + rng.normal(0, 0.7),
        "majorness": (0.3 if clip.positive else -0.3) + rng.normal(0, 0.2),
    }
    described = {name: {"value": float(value), "unit": ""} for name, value in mix.items()}
    for i in range(1, 21):
        described[f"mfcc_{i}"] = {"mean": float(rng.normal()), "std": float(rng.random()), "unit": ""}
    return TrackAnalysis(clip.name, 30.0, "none", "1", 1, None, None, None, {}, {}, {"mix": described}, {})


def test_names_tell_quadrant_and_song() -> None:
    found = clip_of("folder/Q3_0vLPYiPN7qY_12.mid")
    assert found == Clip("Q3_0vLPYiPN7qY_12", 3, "0vLPYiPN7qY")
    assert not found.aroused and not found.positive
    assert clip_of("Q1_a_b_0.mp3") == Clip("Q1_a_b_0", 1, "a_b")
    assert clip_of("Q5_song_0.mid") is None and clip_of("readme.txt") is None


def test_a_song_is_in_one_half_only_and_both_halves_are_there() -> None:
    halves: dict[str, set[bool]] = {}
    for clip in clips():
        halves.setdefault(clip.song, set()).add(clip.held_out)
    assert all(len(half) == 1 for half in halves.values())
    assert {True, False} == {next(iter(half)) for half in halves.values()}


def test_the_choice_is_balanced_and_the_same_in_any_order() -> None:
    some = choose(clips(), 16)
    assert Counter(clip.quadrant for clip in some) == {1: 4, 2: 4, 3: 4, 4: 4}
    assert set(choose(clips()[::-1], 16)) == set(some)
    assert len(choose(clips(), 10_000)) == 80


def test_the_rules_hear_loud_and_major_and_noise_tells_nothing() -> None:
    rng = np.random.default_rng(3)
    every = clips()
    found = evaluate(every, [heard(clip, rng) for clip in every])
    rules, peer = found["held_out"]["rules"], found["held_out"]["mfcc_logistic_regression"]
    assert rules["arousal_auc"] > 0.9 and rules["valence_auc"] > 0.75 and rules["quadrants"] > 0.5
    assert peer["arousal_auc"] < 0.75 and peer["quadrants"] < 0.5
    assert found["held_out"]["clips"] + found["development"]["clips"] == found["clips"] == 80
    assert set(found["development"]["moods"]) == set(MOODS) >= set(AROUSAL) | set(VALENCE)
    json.dumps(found, allow_nan=False)


def test_too_few_songs_are_refused() -> None:
    few = clips(songs=2)
    with pytest.raises(UserError, match="four quadrants"):
        evaluate(few, [heard(clip, np.random.default_rng(0)) for clip in few])
