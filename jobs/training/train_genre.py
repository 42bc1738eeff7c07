"""Train genre networks and measure them beside the documents' classifiers, by artist: resumable, with pictures.

    moodstem train genre emotify/tracks.csv --out OUT --network texture --folds 5
    moodstem train genre fma_small --size small --out OUT --network cnn --network crnn

OUT holds `report.json`, `table.md`, confusion matrices and learning curves as PNG, and `genre.safetensors`: the first
network that hears sound, ready for `moodstem similar --by latent`. Starting the same command again goes on where it stopped.

Without folds the parts are the data set's own (FMA), or three fifths, one and one by artist; with folds each fold is the test
once, the next one stops the training early, and the shipped weights are trained on everything, for as many epochs as the
folds took in the median.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UserError
from core.genre.data import PARTS, Collection, collect, counts, folds, parts_of, shared_artists
from core.genre.neighbours import neighbours, unit
from core.genre.prepared import Prepared, prepare
from core.separation.base import Progress
from jobs.training import genre_baselines
from jobs.training.genre_fit import PLANS, Fitted, Plan, fit

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


@dataclass(frozen=True)
class Split:
    """One training: rows for each part."""

    name: str
    parts: dict[str, list[int]]
    seed: int


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
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train and measure; returns the report that it writes to `out`/report.json.

    `changes` replace fields of each network's Plan. Raises UserError for data that cannot be learned from, or when `out`
    holds a training with other settings; Cancelled when `progress` does, and what was done stays.
    """
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    say = progress or (lambda share: None)
    found = collect(source, size, metadata)
    plans = {name: replace(PLANS[name], **(changes or {})) for name in networks}
    _settle(out, source, size, seconds, fold_count, repeats, seed, plans)
    data = prepare(
        found.examples,
        cache or out / "heard",
        seconds=seconds,
        with_statistics=baselines or "cnn1d" in networks,
        threads=threads,
        progress=lambda share: say(LISTENING * share),
    )
    genres = sorted({one.genre for one in data.examples})
    labels = np.array([genres.index(one.genre) for one in data.examples])
    splits = _splits(data, fold_count, repeats, seed)
    say(LISTENING)
    steps = _Steps(len(splits) * (len(networks) + baselines) + (1 if fold_count else 0), say)
    report: dict[str, Any] = {"data": _about(data, found, source, splits, fold_count, repeats), "models": {}}
    models: dict[str, Any] = report["models"]
    guesses: dict[str, list[np.ndarray]] = {}
    fitted: dict[str, list[Fitted]] = {name: [] for name in networks}
    for split in splits:
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
        models.setdefault(name, {}).update(_measure(answers, splits, labels, genres))
        if name in fitted:
            models[name]["slice_accuracy"] = float(np.mean([one.slice_accuracy for one in fitted[name]]))
            models[name]["epochs"] = [one.epoch for one in fitted[name]]
            models[name]["retrieval"] = _retrieval(data, splits, [one.vectors for one in fitted[name]])
        if name in DOCUMENTS:
            models[name]["document"] = DOCUMENTS[name]
    if baselines:
        report["retrieval_by_statistics"] = _retrieval(
            data, splits, [_scaled(data, split) for split in splits]
        )
    report["documents"] = {"note": NOTE, "accuracy": DOCUMENTS}
    report["weights"] = _weights(
        out, data, labels, genres, networks, plans, fitted, splits, fold_count, seed, report, steps
    )
    from jobs.training.genre_pictures import draw

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


def _measure(
    answers: Sequence[np.ndarray], splits: Sequence[Split], labels: np.ndarray, genres: list[str]
) -> dict[str, Any]:
    """Accuracy over all test tracks, its spread, and the confusion matrix (rows: the true genre)."""
    matrix = np.zeros((len(genres), len(genres)), int)
    single = []
    for guess, split in zip(answers, splits, strict=True):
        true = labels[np.asarray(split.parts["test"])]
        np.add.at(matrix, (true, guess), 1)
        single.append(float((true == guess).mean()))
    hits, sums, told = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    recall = hits / np.maximum(sums, 1)
    return {
        "accuracy": float(hits.sum() / matrix.sum()),
        "balanced_accuracy": float(recall[sums > 0].mean()),
        "macro_f1": float((2 * hits / np.maximum(sums + told, 1)).mean()),
        "of_each_split": [round(value, 4) for value in single],
        "std_over_splits": float(np.std(single)),
        "confusion": matrix.tolist(),
    }


def _retrieval(data: Prepared, splits: Sequence[Split], vectors: Sequence[np.ndarray]) -> dict[str, float]:
    """How good the vectors are for similarity, among the test tracks of each split, by cosine: how many of the five nearest by
    other artists have the same genre, and for how many tracks the nearest of all is by the same artist, where there is one."""
    genres = np.array([one.genre for one in data.examples])
    artists = np.array([one.artist for one in data.examples])
    same_genre: list[float] = []
    same_artist: list[bool] = []
    for split, rows in zip(splits, vectors, strict=True):
        test = np.asarray(split.parts["test"])
        matrix = unit(rows)
        for place, own in enumerate(test):
            mates = artists[test] == artists[own]
            near, _ = neighbours(matrix, matrix[place], 5, np.flatnonzero(mates).tolist())
            if len(near):
                same_genre.append(float((genres[test[near]] == genres[own]).mean()))
            if mates.sum() > 1:
                nearest, _ = neighbours(matrix, matrix[place], 1, [place])
                same_artist.append(bool(mates[nearest[0]]))
    return {
        "same_genre_of_5": float(np.mean(same_genre)) if same_genre else 0.0,
        "same_artist_first": float(np.mean(same_artist)) if same_artist else 0.0,
    }


def _scaled(data: Prepared, split: Split) -> np.ndarray:
    """The 518 statistics of the test tracks, standardised by the others."""
    known = np.nan_to_num(data.statistics[np.asarray(split.parts["training"] + split.parts["validation"])])
    rows = np.nan_to_num(data.statistics[np.asarray(split.parts["test"])])
    return np.asarray(np.clip((rows - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6), -5, 5))


def _weights(
    out: Path, data: Prepared, labels: np.ndarray, genres: list[str], networks: Sequence[str], plans: dict[str, Plan],
    fitted: dict[str, list[Fitted]], splits: Sequence[Split], count: int, seed: int, report: dict[str, Any], steps: _Steps,
) -> dict[str, Any] | None:  # fmt: skip
    """The model file of the first network that hears sound."""
    import torch

    from core.genre.model import save
    from core.genre.network import NETWORKS, build

    name = next((name for name in networks if NETWORKS[name].hears == "slices"), None)
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
    facts = {
        "trained_on": f"{about['tracks']} tracks by {about['artists']} artists of {about['source']}",
        "accuracy": f"{report['models'][name]['accuracy']:.3f} ({about['split']})",
    }
    path = out / "genre.safetensors"
    return {"network": name, "file": path.name, "version": save(network, name, genres, path, facts), **facts}


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
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(path)
