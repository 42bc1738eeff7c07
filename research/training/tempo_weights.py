"""Fit the weights of core/audio/tempo.py: `python -m research.training.tempo_weights LIST.csv [--write]`.

LIST.csv has the columns path, bpm and group (recordings of one group are held out together). Listwise logistic
regression: the candidate within 4% of the true tempo is to get the highest score of its recording. Prints the share of
held-out recordings that are right (nine folds by group).
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.audio import rhythm, tempo
from core.audio.decode import decode
from core.audio.spectrum import analyse_frames, decibels, mono
from core.audio.types import Floats

TOLERANCE, PENALTY, FOLDS = 0.04, 5.0, 9


@dataclass(frozen=True)
class Example:
    group: str
    cues: tempo.Row
    right: tempo.Row
    weight: float = 1.0


def example(mel: Floats, bpm: float, group: str, weight: float = 1.0) -> Example | None:
    mel_db = decibels(mel)
    found = tempo.candidates(mel_db, len(rhythm.onsets(rhythm.onset_envelope(mel_db))))
    if found is None:
        return None
    return Example(group, found.cues, (np.abs(found.bpm / bpm - 1) < TOLERANCE).astype(float), weight)


def fit(examples: list[Example]) -> tempo.Row:
    """Weights of the cues, in the order of tempo.cue_names()."""
    from scipy.optimize import minimize

    used = [e for e in examples if e.right.any()]
    cues, right = np.vstack([e.cues for e in used]), np.concatenate([e.right for e in used])
    scale = cues.std(axis=0) + 1e-9
    standard = (cues - cues.mean(axis=0)) / scale
    sizes = [len(e.right) for e in used]
    starts, owner = np.concatenate([[0], np.cumsum(sizes)[:-1]]), np.repeat(np.arange(len(used)), sizes)
    weight = np.array([e.weight for e in used])

    def loss(b: tempo.Row) -> tuple[float, tempo.Row]:
        score = standard @ b
        e = np.exp(score - np.maximum.reduceat(score, starts)[owner])
        total, hit = np.add.reduceat(e, starts), np.add.reduceat(e * right, starts)
        slope = weight[owner] * (e / total[owner] - e * right / hit[owner])
        return float(
            -(weight * np.log(hit / total)).sum() + PENALTY * (b @ b)
        ), standard.T @ slope + 2 * PENALTY * b

    result = minimize(loss, np.zeros(cues.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(result.x / scale)


def held_out(examples: list[Example]) -> dict[str, bool]:
    """Whether each example is right when its group was left out, by position."""
    groups = sorted({e.group for e in examples})
    np.random.default_rng(0).shuffle(groups)
    right = {}
    for fold in range(FOLDS):
        out = set(groups[fold::FOLDS])
        weights = fit([e for e in examples if e.group not in out])
        for position, e in enumerate(examples):
            if e.group in out:
                right[str(position)] = bool(e.right[np.argmax(e.cues @ weights)])
    return right


def write(weights: tempo.Row, note: str, target: Path) -> None:
    table = {"note": note, "weights": dict(zip(tempo.cue_names(), weights.round(4).tolist(), strict=True))}
    target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Learn which of the tempi that fit a recording is felt.")
    parser.add_argument("list", type=Path)
    parser.add_argument("--write", action="store_true", help="keep the weights where the program reads them")
    options = parser.parse_args(arguments)
    made = [
        example(
            analyse_frames(mono(decode(Path(row["path"])).samples, 44100)).power_mel,
            float(row["bpm"]),
            row["group"],
        )
        for row in csv.DictReader(options.list.read_text(encoding="utf-8").splitlines())
    ]
    examples = [e for e in made if e is not None]
    right = held_out(examples)
    print(f"{len(examples)} recordings, {sum(right.values()) / len(right):.3f} of the held-out ones right")
    if options.write:
        note = f"fitted on {len(examples)} recordings of known tempo"
        write(fit(examples), note, Path(tempo.__file__).with_name("tempo.json"))


if __name__ == "__main__":
    main()
