"""Train genre networks and measure them beside the documents' classifiers, by artist: resumable, with pictures.

    moodstem train genre emotify/tracks.csv --out OUT --network texture --folds 5
    moodstem train genre fma_small --size small --out OUT --network cnn --network crnn
    moodstem train genre emotify/tracks.csv --out OUT --folds 5 --repeats 3 --seconds 60 --stems     # what ships

OUT holds `report.json`, `table.md`, confusion matrices and learning curves as PNG, and `genre.safetensors`: the first
network that hears sound, ready for `moodstem similar --by latent`. Starting the same command again goes on where it stopped.

Beside the networks stands core.genre.fused, with --stems also by what each separated instrument does; it is part of
genre.safetensors and tells the genres there. It knows one separator by name and version: after another one is bundled, run
the last of these commands again in a new OUT, copy genre.safetensors to core/genre/weights, and run
`python -m research.composer.analyse_samples --latents`.

Without folds the parts are the data set's own (FMA), or three fifths, one and one by artist; with folds each fold is the test
once, the next one stops the training early, and the shipped weights are trained on everything, for as many epochs as the
folds took in the median.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UserError
from core.separation.base import Progress
from research.training import genre_baselines, genre_ours
from research.training.genre_data import PARTS, Collection, collect, counts, folds, parts_of, shared_artists
from research.training.genre_features import Prepared, prepare
from research.training.genre_fit import PLANS, Fitted, Plan, fit
from research.training.genre_fused import Rows
from research.training.genre_measures import Split, against_classifiers, measured, worth_of_neighbours

DOCUMENTS: dict[str, float] = {
    "cnn": 0.67,
    "crnn": 0.75,
    "cnn1d": 0.2849,
    "logistic regression, mfcc": 0.1123,
    "SVC, mfcc": 0.1213,
    "MLP, mfcc": 0.1049,
    "logistic regression, mfcc/contrast/chroma/centroid/tonnetz": 0.1290,
    "SVC, mfcc/contrast/chroma/centroid/tonnetz": 0.1341,
    "MLP, mfcc/contrast/chroma/centroid/tonnetz": 0.0925,
    "logistic regression, mfcc/contrast/chroma/centroid/zcr": 0.1306,
    "SVC, mfcc/contrast/chroma/centroid/zcr": 0.1364,
    "MLP, mfcc/contrast/chroma/centroid/zcr": 0.0937,
}
"""The documents' accuracies, all on FMA. Of eight genres in equal shares chance has 0.125, which the last nine are at."""
NOTE = (
    "The documents' figures are for FMA, on other tracks and genres: they stand beside these to tell which network is which,"
    " not to be compared in size."
)
LISTENING = 0.3
"""Share of the progress that is listening to the recordings."""


def train(
    source: Path,
    out: Path,
    *,
    networks: Sequence[str] = ("texture",),
    size: str | None = None,
    metadata: Path | None = None,
    seconds: float = 30.0,
    fold_count: int = 0,
    repeats: int = 1,
    baselines: bool = True,
    changes: dict[str, Any] | None = None,
    cache: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    separated: genre_ours.Separated | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train and measure; returns the report that it writes to `out`/report.json.

    `changes` replace fields of each network's Plan; `separated` gives the analysis of a file, so that genres are told by
    its stems, too. Raises UserError for data that cannot be learned from, or when `out`
    holds a training with other settings; Cancelled when `progress` does, and what was done stays.
    """
    found = collect(source, size, metadata)  # what is refused is refused at once
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    say = progress or (lambda share: None)
    plans = {name: replace(PLANS[name], **(changes or {})) for name in networks}
    _settle(out, source, size, seconds, fold_count, repeats, seed, plans)
    data = prepare(
        found.examples,
        cache or out / "heard",
        seconds=seconds,
        with_statistics=baselines or "cnn1d" in networks,
        threads=threads,
        progress=lambda share: say(LISTENING * share / 3),
    )
    analyses = []
    for place, example in enumerate(data.examples if separated else []):
        assert separated is not None
        analyses.append(separated(example.path))
        say(LISTENING * (1 + (place + 1) / len(data.examples)) / 3)
    rows = genre_ours.rows_of(data, analyses, lambda share: say(LISTENING * (2 + share) / 3))
    genres = sorted({one.genre for one in data.examples})
    labels = np.array([genres.index(one.genre) for one in data.examples])
    splits = _splits(data, fold_count, repeats, seed)
    say(LISTENING)
    steps = _Steps(len(splits) * (len(networks) + baselines) + (1 if fold_count else 0), say)
    report: dict[str, Any] = {"data": _about(data, found, source, splits, fold_count, repeats), "models": {}}
    models: dict[str, Any] = report["models"]
    guesses: dict[str, list[np.ndarray]] = {}
    fitted: dict[str, list[Fitted]] = {name: [] for name in networks}
    shares: dict[str, list[np.ndarray]] = {}
    for split in splits:
        ours, values = genre_ours.answers(
            rows, labels, len(genres), data.examples, split.parts["training"] + split.parts["validation"],
            split.parts["test"], split.seed, out / "fused" / f"{split.name}.json",
        )  # fmt: skip
        for head, told in ours.items():
            name = genre_ours.NAMES[head]
            guesses.setdefault(name, []).append(told.argmax(axis=1))
            shares.setdefault(name, []).append(np.sqrt(told))
            models.setdefault(name, {"chosen": []})["chosen"].append(values[head])
        for name in networks:
            began = time.monotonic()
            one = fit(
                name, plans[name], data, labels, len(genres), split.parts, out / name / split.name,
                seed=split.seed, advance=steps.part,
            )  # fmt: skip
            steps.step()
            fitted[name].append(one)
            guesses.setdefault(name, []).append(one.shares.argmax(axis=1))
            models.setdefault(name, {"parameters": one.parameters, "seconds": 0.0})
            models[name]["seconds"] += round(
                max(sum(row["seconds"] for row in one.log), time.monotonic() - began), 1
            )
        chosen = (
            _baselines(data, split, genres, guesses, steps, out / "classifiers" / f"{split.name}.json")
            if baselines
            else _majority(data, split, genres, guesses)
        )
        for name, values in chosen.items():
            models.setdefault(name, {"chosen": []})["chosen"].append(values)
    for name, answers in guesses.items():
        models.setdefault(name, {}).update(measured(answers, splits, labels, genres))
        if name in fitted:
            models[name]["slice_accuracy"] = float(np.mean([one.slice_accuracy for one in fitted[name]]))
            models[name]["epochs"] = [one.epoch for one in fitted[name]]
        if name in DOCUMENTS:
            models[name]["document"] = DOCUMENTS[name]
    report["neighbours"] = worth_of_neighbours(data, splits, fitted, shares, analyses, baselines)
    if baselines:
        report["paired"] = against_classifiers(data, labels, splits, guesses, models)
    report["documents"] = {"note": NOTE, "accuracy": DOCUMENTS}
    report["weights"] = _weights(
        out, data, labels, genres, networks, plans, fitted, splits, fold_count, seed, report, steps, rows
    )
    from research.training.genre_pictures import draw

    report["pictures"] = draw(
        out, report, {name: [one.log for one in runs] for name, runs in fitted.items()}, genres
    )
    _write(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False))
    _write(out / "table.md", table(report))
    say(1.0)
    return report


def _settle(
    out: Path,
    source: Path,
    size: str | None,
    seconds: float,
    count: int,
    repeats: int,
    seed: int,
    plans: dict[str, Plan],
) -> None:
    """Half a training with other settings is not gone on with."""
    out.mkdir(parents=True, exist_ok=True)
    common = {"source": str(source.resolve()), "size": size, "seconds": seconds, "folds": count, "seed": seed}
    for name, plan in plans.items():
        (out / name).mkdir(exist_ok=True)
        mine = {**common, "repeats": repeats, "plan": asdict(plan)}
        kept = out / name / "settings.json"
        if kept.is_file() and json.loads(kept.read_text()) != mine:
            raise UserError(
                f"{out / name} holds a training with other settings: choose another --out, or remove it."
            )
        _write(kept, json.dumps(mine))


def _splits(data: Prepared, count: int, repeats: int, seed: int) -> list[Split]:
    examples = data.examples
    splits = []
    for repeat in range(max(repeats, 1)):
        if count:
            held: list[Any] = list(folds(examples, count, seed + repeat))
            named = [
                [
                    PARTS[2] if own == fold else PARTS[1] if own == (fold + 1) % count else PARTS[0]
                    for own in held
                ]
                for fold in range(count)
            ]
        else:
            named = [parts_of(examples, seed + repeat)]
        for fold, parts in enumerate(named):
            assert not shared_artists(examples, parts)
            rows = {part: [row for row, own in enumerate(parts) if own == part] for part in PARTS}
            if not all(rows.values()):
                raise UserError("Some part of the split is empty: add music by more artists.")
            splits.append(Split(f"split-{repeat}-{fold}", rows, seed + repeat))
    return splits


def _about(
    data: Prepared, found: Collection, source: Path, splits: Sequence[Split], count: int, repeats: int
) -> dict[str, Any]:
    times = f", {repeats} times" if repeats > 1 else ""
    own = all(one.part for one in data.examples)
    return {
        "source": source.name,
        "tracks": len(data.examples),
        "artists": len({one.artist for one in data.examples}),
        "genres": counts(data.examples),
        "split": f"{count} folds by artist{times}"
        if count
        else ("the data set's own" if own else "by artist") + times,
        "parts": [{part: len(rows) for part, rows in split.parts.items()} for split in splits],
        "artists_in_two_parts": 0,
        "notes": found.notes,
        "failed": [[str(path), sentence] for path, sentence in data.failed[:50]],
        "failures": len(data.failed),
    }


class _Steps:
    """Progress over equal steps, the last share of which a network's epochs fill."""

    def __init__(self, count: int, say: Callable[[float], None]) -> None:
        self.count, self.done, self.say = count, 0, say

    def part(self, share: float) -> None:
        self.say(LISTENING + (1 - LISTENING) * min(self.done + share, self.count) / self.count)

    def step(self) -> None:
        self.done += 1
        self.part(0.0)


def _majority(
    data: Prepared, split: Split, genres: list[str], guesses: dict[str, list[np.ndarray]]
) -> dict[str, Any]:
    known = split.parts["training"] + split.parts["validation"]
    most = genre_baselines.majority(data.examples, known, split.parts["test"])
    guesses.setdefault("majority", []).append(np.array([genres.index(genre) for genre in most]))
    return {}


def _baselines(
    data: Prepared,
    split: Split,
    genres: list[str],
    guesses: dict[str, list[np.ndarray]],
    steps: _Steps,
    kept: Path,
) -> dict[str, Any]:
    """Classifiers learn from training and validation part together, and choose parameters inside them; each answer is
    written to `kept`, so that a run that was stopped does not ask again."""
    chosen = _majority(data, split, genres, guesses)
    known = split.parts["training"] + split.parts["validation"]
    answers: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    kept.parent.mkdir(parents=True, exist_ok=True)
    for number, (kind, features) in enumerate(genre_baselines.names()):
        steps.part(number / len(genre_baselines.names()))
        name = f"{kind}, {features}"
        if name not in answers:
            answers[name] = genre_baselines.predict(
                kind, features, data.examples, data.statistics, known, split.parts["test"], split.seed
            )
            _write(kept, json.dumps(answers))
        answer, chosen[name] = answers[name]
        guesses.setdefault(name, []).append(np.array([genres.index(one) for one in answer]))
    steps.step()
    return chosen


def _weights(
    out: Path, data: Prepared, labels: np.ndarray, genres: list[str], networks: Sequence[str], plans: dict[str, Plan],
    fitted: dict[str, list[Fitted]], splits: Sequence[Split], count: int, seed: int, report: dict[str, Any], steps: _Steps,
    rows: Rows,
) -> dict[str, Any] | None:  # fmt: skip
    """The model file of the first network that hears sound."""
    import torch

    from core.genre.model_file import HEAR_SOUND
    from research.training.genre_networks import build, save

    name = next((name for name in networks if name in HEAR_SOUND), None)
    if name is None:
        return None
    folder = out / name / splits[0].name
    if count:
        folder = out / name / "final"
        epochs = max(1, int(np.median([one.epoch for one in fitted[name]])))
        everything = list(range(len(labels)))
        plan = replace(plans[name], epochs=epochs, patience=epochs)
        parts: dict[str, Sequence[int]] = {"training": everything, "validation": [], "test": everything[:1]}
        fit(name, plan, data, labels, len(genres), parts, folder, seed=seed, advance=steps.part)
        steps.step()
    network = build(name, len(genres))
    network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    about = report["data"]
    best = genre_ours.NAMES["stems" if "stems" in rows.tables else "mix"]
    known = list(range(len(labels))) if count else splits[0].parts["training"] + splits[0].parts["validation"]
    fused = genre_ours.learned(rows, labels, len(genres), data.examples, known, seed)
    facts = {
        "trained_on": f"{about['tracks']} tracks by {about['artists']} artists of {about['source']}",
        "accuracy": f"{report['models'][best]['accuracy']:.3f} ({about['split']}), "
        f"the network alone {report['models'][name]['accuracy']:.3f}",
    }
    path = out / "genre.safetensors"
    return {
        "network": name,
        "file": path.name,
        "version": save(network, name, genres, path, facts, fused),
        **facts,
    }


def table(report: dict[str, Any]) -> str:
    """Accuracies as Markdown, the best first, beside the documents' figures."""
    about = report["data"]
    lines = [
        f"{about['tracks']} tracks by {about['artists']} artists, {len(about['genres'])} genres; {about['split']}. {NOTE}",
        "",
        "| Model | Accuracy | Balanced | The document's (FMA) |",
        "| --- | --- | --- | --- |",
    ]
    for name, model in sorted(report["models"].items(), key=lambda one: -one[1]["accuracy"]):
        beside = (
            f"{model['document']:.2f}"
            if "document" in model
            else (f"{DOCUMENTS[name]:.2f}" if name in DOCUMENTS else "")
        )
        lines.append(f"| {name} | {model['accuracy']:.3f} | {model['balanced_accuracy']:.3f} | {beside} |")
    lines += ["", "| Neighbours by | of five by other artists with the same genre |", "| --- | --- |"]
    for name, found in sorted(report["neighbours"].items(), key=lambda one: -one[1]["same_genre_of_5"]):
        lines.append(f"| {name} | {found['same_genre_of_5']:.3f} |")
    for one in report.get("paired", []):
        lines += [
            "",
            f"{one['one']} against {one['other']}: {one['difference']:+.3f}, standard error over artists"
            f" {one['standard_error_by_artist']:.3f}.",
        ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(path)
