"""Our own answer in `train_genre`: core.genre.fused beside the networks and classifiers, and what its neighbours are worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.genre.fused import Doubles, Fused, course
from core.track_analysis import TrackAnalysis
from research.training.genre_data import Example
from research.training.genre_features import Prepared
from research.training.genre_fused import Rows, learn, tell

NAMES = {"mix": "fused, whole sound", "stems": "fused, with stems"}

Separated = Callable[[Path], TrackAnalysis]


def rows_of(data: Prepared, analyses: Sequence[TrackAnalysis], say: Callable[[float], None]) -> Rows:
    """What `core.genre.fused` hears of each example, 30 ms for each; of stems where there are analyses. Calls `say` with the
    share that is done."""
    from core.genre.network import build
    from research.training.genre_fit import measured

    texture = measured("texture", build("texture", 1), data)
    courses = []
    for row in range(len(data.files)):
        courses.append(course(data.mel(row)))
        say((row + 1) / len(data.files))
    tables: dict[str, Doubles] = {
        "texture": np.stack([slices.mean(axis=0) for slices in texture]).astype(float),
        "course": np.stack(courses).astype(float),
    }
    if not analyses:
        return Rows(tables)
    features = [one.features() for one in analyses]
    names = named(features)
    tables["stems"] = np.array([[one.get(name, np.nan) for name in names] for one in features], float)
    return Rows(tables, names, analyses[0].separated_by)


def answers(
    rows: Rows,
    labels: np.ndarray,
    genres: int,
    examples: Sequence[Example],
    training: Sequence[int],
    test: Sequence[int],
    seed: int,
    kept: Path,
) -> tuple[dict[str, Doubles], dict[str, Any]]:
    """{"mix": (tracks, genres) probabilities, "stems"?: likewise} of the rows `test`, and what was chosen; kept in `kept`."""
    heads = ["mix", *(["stems"] if "stems" in rows.tables else [])]
    if kept.is_file():
        found = json.loads(kept.read_text("utf-8"))
        if set(heads) <= set(found["shares"]) and found["separator"] == rows.separator:
            return {head: np.array(found["shares"][head]) for head in heads}, found["chosen"]
    fused, chosen = learn(rows, labels, genres, examples, training, seed)
    shares = {head: tell(fused, rows, head, test) for head in heads}
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    listed = {head: table.round(6).tolist() for head, table in shares.items()}
    part.write_text(json.dumps({"shares": listed, "chosen": chosen, "separator": rows.separator}), "utf-8")
    part.replace(kept)
    return shares, chosen


def learned(
    rows: Rows, labels: np.ndarray, genres: int, examples: Sequence[Example], known: Sequence[int], seed: int
) -> Fused:
    """From the rows `known`: what ships."""
    return learn(rows, labels, genres, examples, known, seed)[0]


def heard_by_descriptors(analyses: Sequence[TrackAnalysis]) -> dict[str, np.ndarray]:
    """The vectors of /similar, (tracks, numbers): by sound and by timbre, which are learned from no genre."""
    from core.library.catalog import Catalog
    from core.recommend.acoustic_similarity import sound_space, wide
    from core.recommend.similar import timbre_vectors
    from research.eval.calibrate import LabelledTrack

    tracks = [LabelledTrack(i, f"Track {i}", None, None, one.content_hash) for i, one in enumerate(analyses)]
    catalog = Catalog.build(zip(tracks, analyses, strict=True))
    return {"sound": wide(sound_space(catalog).vectors), "timbre": timbre_vectors(catalog)}


def paired(
    right: Mapping[str, Sequence[np.ndarray]], tests: Sequence[Sequence[int]], examples: Sequence[Example], one: str, other: str
) -> dict[str, Any]:  # fmt: skip
    """How much oftener `one` is right than `other` on the same tracks, and the standard error of that.

    Tracks of an artist are right or wrong together and repeats have the same tracks, so artists are what is drawn: the error
    of a ratio over artists (Cochran 1977).
    """
    sums: dict[str, list[float]] = {}
    for ours, theirs, test in zip(right[one], right[other], tests, strict=True):
        for a, b, row in zip(ours, theirs, test, strict=True):
            entry = sums.setdefault(examples[row].artist, [0.0, 0.0])
            entry[0] += float(a) - float(b)
            entry[1] += 1
    table = np.array(list(sums.values()))
    difference = table[:, 0].sum() / table[:, 1].sum()
    left = table[:, 0] - difference * table[:, 1]
    error = np.sqrt(len(table) / max(len(table) - 1, 1) * (left**2).sum()) / table[:, 1].sum()
    splits = [float(np.mean(a) - np.mean(b)) for a, b in zip(right[one], right[other], strict=True)]
    return {
        "one": one, "other": other, "difference": float(difference), "standard_error_by_artist": float(error),
        "standard_error_over_splits": float(np.std(splits, ddof=1) / np.sqrt(len(splits))) if len(splits) > 1 else None,
    }  # fmt: skip


def named(stems: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """The descriptors that any of these tracks' stems have, in the order of the alphabet."""
    return tuple(sorted({name for one in stems for name in one if not name.startswith("mix.")}))
