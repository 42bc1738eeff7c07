"""Measure from which level on each stem of the bundled U-Net truly sounds, and write it beside the weights.

    python -m jobs.training.gate HELD_OUT

HELD_OUT is a folder as `moodstem eval separation` reads it, of songs that training never saw. For each stem the gate
is the level, relative to the mix, at which the share of time that it sounds is nearest to the truth (least mean
absolute error over the songs); how far below the strongest stem a band still counts is chosen for all of them together.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from core.audio.activity import held_level_db, sounding, stem_activity, tidy
from core.audio.spectrum import Frames, analyse_frames, mono
from core.separation.base import STEMS, Samples, Separator
from core.separation.evaluate import read_song
from core.separation.unet import WEIGHTS, load_unet

LEVELS = np.arange(-36.0, 0.0, 1.0)
HOLDS = (-6.0, -4.0, -3.0, -2.0, -1.0)


def song_errors(truth: dict[str, Samples], separator: Separator) -> dict[str, list[list[float]]]:
    """{stem: error of the share of time at each of HOLDS and LEVELS} for one song."""
    mix = sum(truth.values())
    assert isinstance(mix, np.ndarray)
    whole = analyse_frames(mono(mix, separator.rate))
    true, estimated = _frames(truth, separator.rate), _frames(separator.separate(mix), separator.rate)
    sounds = stem_activity(
        {stem: frames.power_mel for stem, frames in true.items()},
        {stem: frames.rms for stem, frames in true.items()},
        whole.power_mel,
    )
    errors: dict[str, list[list[float]]] = {stem: [] for stem in STEMS}
    for hold in HOLDS:
        held = held_level_db(
            {stem: frames.power_mel for stem, frames in estimated.items()}, whole.power_mel, hold
        )
        for stem, frames in estimated.items():
            share = float(sounds[stem].mean()) if stem in sounds else 0.0
            heard = sounding(frames.rms)
            errors[stem].append(
                [abs(float(tidy((held[stem] > level) & heard).mean()) - share) for level in LEVELS]
            )
    return errors


def _frames(stems: dict[str, Samples], rate: int) -> dict[str, Frames]:
    return {stem: analyse_frames(mono(samples, rate)) for stem, samples in stems.items()}


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Measure the bundled separator's gates on held-out songs.")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    separator = load_unet()
    found = [
        song_errors(read_song(folder), separator)
        for folder in sorted(options.folder.iterdir())
        if folder.is_dir()
    ]
    facts_file = WEIGHTS.with_suffix(".json")
    facts = json.loads(facts_file.read_text())
    means = {stem: np.mean([errors[stem] for errors in found], axis=0) for stem in STEMS}
    best = int(np.argmin(np.sum([mean.min(axis=1) for mean in means.values()], axis=0)))
    facts["hold_db"] = HOLDS[best]
    facts["gate_db"] = {stem: float(LEVELS[np.argmin(means[stem][best])]) for stem in STEMS}
    facts["activity_error"] = {stem: round(float(means[stem][best].min()), 3) for stem in STEMS}
    facts_file.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps({name: facts[name] for name in ("hold_db", "gate_db", "activity_error")}, indent=1))


if __name__ == "__main__":
    main()
