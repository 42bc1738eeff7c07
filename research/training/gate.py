"""Learn when each stem of the bundled U-Net truly sounds, and write it beside the weights.

    python -m research.training.gate FOLDER

FOLDER is what `research.training.render --flac` makes, of songs with a SoundFont that training never heard. Fitted is the
logistic regression of core.audio.detector, on every eleventh frame, with the penalty that gives the least error on
songs left out (four folds, by song); the error printed and stated is that of the same folds: mean absolute error of the
share of time that a stem sounds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.audio.activity import sounding, stem_activity, tidy
from core.audio.detector import VIEWS, held, levels, seen
from core.audio.spectrum import Frames, analyse_frames, mono
from core.audio.types import STEMS, Samples
from core.separation.base import Separator
from core.separation.unet import WEIGHTS, detector_file, load_unet
from research.eval.separated import read_song

EVERY, FOLDS = 11, 4
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Of the sum of squared weights, against the cross-entropy summed over stems."""

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Heard:
    """A song's frames: what the detector sees, (T, VIEWS * 3 * stems), which stems sound in truth and which are above
    the floor and hold enough, (T, stems)."""

    song: str
    seen: NDArray[np.float32]
    truth: NDArray[np.bool_]
    loud: NDArray[np.bool_]


def hear(song: str, truth: dict[str, Samples], separator: Separator) -> Heard:
    """Separate the sum of the true stems and look at both."""
    mix = sum(truth.values())
    assert isinstance(mix, np.ndarray)
    whole = analyse_frames(mono(mix, separator.rate))
    true, estimated = _frames(truth, separator.rate), _frames(separator.separate(mix), separator.rate)
    sounds = stem_activity(
        {stem: frames.power_mel for stem, frames in true.items()},
        {stem: frames.rms for stem, frames in true.items()},
        whole.power_mel,
    )
    found = levels({stem: estimated[stem].power_mel for stem in STEMS}, whole.power_mel)
    views = seen(found)
    silent = np.zeros(len(whole.rms), np.bool_)
    return Heard(
        song,
        np.concatenate([np.broadcast_to(view, views[0].shape) for view in views], axis=1),
        np.stack([sounds.get(stem, silent) for stem in STEMS], axis=1),
        np.stack([sounding(estimated[stem].rms) for stem in STEMS], axis=1) & held(found),
    )


def _frames(stems: dict[str, Samples], rate: int) -> dict[str, Frames]:
    return {stem: analyse_frames(mono(samples, rate)) for stem, samples in stems.items()}


def fit(songs: list[Heard], penalty: float) -> Weights:
    """Weights, (VIEWS * 3 * stems, stems), and bias, (stems,)."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    inputs = torch.from_numpy(np.concatenate([song.seen[::EVERY] for song in songs]))
    wanted = torch.from_numpy(np.concatenate([song.truth[::EVERY] for song in songs]).astype(np.float32))
    weights = torch.zeros(inputs.shape[1], len(STEMS), requires_grad=True)
    bias = torch.zeros(len(STEMS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = binary_cross_entropy_with_logits(inputs @ weights + bias, wanted)
        value = entropy * len(STEMS) + penalty * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().numpy(), bias.detach().numpy()


def errors(songs: list[Heard], weights: Weights) -> NDArray[np.float64]:
    """How far the share of time that each stem sounds is off, (songs, stems)."""
    found = []
    for song in songs:
        sounds = (song.seen @ weights[0] + weights[1] > 0) & song.loud
        found.append(
            [
                abs(float(tidy(sounds[:, place]).mean()) - float(song.truth[:, place].mean()))
                for place in range(len(STEMS))
            ]
        )
    return np.array(found)


def left_out(songs: list[Heard], penalty: float) -> NDArray[np.float64]:
    """`errors` of songs by weights that were fitted without them."""
    names = sorted({song.song for song in songs})
    fold = {name: place % FOLDS for place, name in enumerate(np.random.default_rng(0).permutation(names))}
    found = []
    for number in range(FOLDS):
        weights = fit([song for song in songs if fold[song.song] != number], penalty)
        found.append(errors([song for song in songs if fold[song.song] == number], weights))
    return np.concatenate(found)


def read(folder: Path, separator: Separator) -> list[Heard]:
    """The songs of a folder in the order of its index; the same song rendered twice has one name."""
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    return [
        hear(line["song"], read_song(folder / Path(line["file"]).stem), separator)
        for line in lines
        if (folder / Path(line["file"]).stem).is_dir()
    ]


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description="Learn when the bundled separator's stems sound.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    songs = read(options.folder, load_unet(weights=options.weights))
    tried = {penalty: left_out(songs, penalty) for penalty in PENALTIES}
    best = min(tried, key=lambda penalty: float(tried[penalty].mean()))
    weights, bias = fit(songs, best)
    shaped = np.ascontiguousarray(weights.reshape(VIEWS, -1, len(STEMS)))
    save_file({"weights": shaped, "bias": bias}, detector_file(options.weights))
    means = {stem: round(float(mean), 3) for stem, mean in zip(STEMS, tried[best].mean(axis=0), strict=True)}
    facts_file = options.weights.with_suffix(".json")
    facts = json.loads(facts_file.read_text()) | {"activity_error": means}
    facts_file.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps({"songs": len(songs), "penalty": best, "activity_error": means}, indent=1))


if __name__ == "__main__":
    main()
