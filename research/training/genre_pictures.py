"""Confusion matrices and learning curves of `moodstem train genre`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Log = list[dict[str, float]]


def draw(out: Path, report: dict[str, Any], logs: dict[str, list[Log]], genres: Sequence[str]) -> list[str]:
    """Pictures of each network and of the best other model; returns the files' names."""
    others = {name: model for name, model in report["models"].items() if name not in logs}
    best = max(others, key=lambda name: others[name]["accuracy"], default=None)
    made = []
    for name in [*logs, *([best] if best else [])]:
        model = report["models"][name]
        title = f"{name}: {model['accuracy']:.1%} of {int(np.sum(model['confusion']))} test tracks"
        file = f"confusion-{_plain(name)}.png"
        _confusion(out / file, np.array(model["confusion"]), genres, title)
        made.append(file)
    for name, runs in logs.items():
        file = f"curves-{_plain(name)}.png"
        _curves(out / file, runs, name)
        made.append(file)
    return made


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.replace(", ", "-"))


def _confusion(path: Path, matrix: np.ndarray, genres: Sequence[str], title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = 2.2 + 0.62 * len(genres)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(matrix):
        axes.text(
            column,
            row,
            str(value),
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.55 else "black",
        )
    axes.set_xticks(range(len(genres)), genres, rotation=40, ha="right")
    axes.set_yticks(range(len(genres)), genres)
    axes.set_xlabel("told")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10, wrap=True)
    figure.colorbar(picture, label="share of the true genre", shrink=0.8)
    figure.savefig(path, dpi=110)


def _curves(path: Path, runs: Sequence[Log], name: str) -> None:
    """Loss and accuracy over epochs; with several splits each thin, their mean thick."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, colour, label in ((what, "C0", "training"), (f"validation_{what}", "C1", "validation")):
            lines = [[row[key] for row in log if key in row] for log in runs]
            for line in lines:
                axes.plot(
                    range(1, len(line) + 1),
                    line,
                    color=colour,
                    alpha=0.3 if len(lines) > 1 else 1,
                    linewidth=1,
                )
            longest = max(map(len, lines), default=0)
            if len(lines) > 1 and longest:
                padded = np.array([line + [np.nan] * (longest - len(line)) for line in lines])
                seen = np.flatnonzero(
                    np.isfinite(padded).sum(axis=0) * 2 >= len(lines)
                )  # not of the few that went on
                axes.plot(seen + 1, np.nanmean(padded[:, seen], axis=0), color=colour, linewidth=2.2)
            axes.plot([], [], color=colour, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(f"{name}, {len(runs)} split{'s' if len(runs) > 1 else ''}", fontsize=11)
    figure.savefig(path, dpi=110)
