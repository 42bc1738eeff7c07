"""The path of a journey: how much of each mood every track has, and the way across the plane of valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from core.pictures.canvas import (
    DRAWING,
    FAINT,
    GRID,
    PLAIN,
    TEXT,
    as_png,
    bare,
    new_figure,
    put_number,
    put_title,
    safe_title,
)
from core.pictures.colours import MOOD_COLOURS

SIZE = (10.0, 13.0)
WAY = LinearSegmentedColormap.from_list("way", ["#6ea8fe", "#ffd866"])
"""From blue to yellow, which is also from dark to light."""

CORNERS = (
    (0.0, 1.1, "tense", "left", "center"),
    (1.0, 1.1, "lively", "right", "center"),
    (0.0, -0.1, "sad", "left", "center"),
    (1.0, -0.1, "calm", "right", "center"),
)
"""Russell's four quadrants (1980), named in `words` and written above and below the places that tracks can have."""


def journey_picture(drawn: Mapping[str, Any], words: Mapping[str, str]) -> bytes:
    """PNG of 1000 x 1300 pixels from core.recommend.journey.drawn, its ends in words, and
    bot.words.pictures.journey_words: above, each mood's place in the library for every
    track (dots) and what was aimed at (dashed); below, the tracks in the plane, numbered, from the first to the last."""
    with DRAWING:
        figure = new_figure(SIZE)
        put_title(figure, 0.035, 0.967, words["title"], 0.935, fontsize=25)
        figure.text(0.035, 0.932, words["key"], color=FAINT, fontsize=16, **PLAIN)
        _moods(figure.add_axes((0.13, 0.595, 0.84, 0.275)), drawn, words)
        _plane(figure.add_axes((0.13, 0.045, 0.84, 0.485)), drawn, words)
        return as_png(figure)


def _moods(axes: Axes, drawn: Mapping[str, Any], words: Mapping[str, str]) -> None:
    bare(axes, 15)
    count = len(drawn["titles"])
    steps = range(1, count + 1)
    axes.set(xlim=(0.6, count + 0.4), ylim=(-0.06, 1.06))
    axes.set_yticks([0, 0.5, 1], [words["least"], words["half"], words["most"]])
    axes.set_xticks(_numbered(count))
    for height in (0, 0.5, 1):
        axes.axhline(height, color=GRID, linewidth=1, zorder=1)
    for mood, places in drawn["curves"].items():
        colour = MOOD_COLOURS[mood]
        aims = drawn["aims"][mood]
        low, high = min(aims), max(aims)
        if high > low:
            planned = [(aim - low) / (high - low) for aim in aims]
            axes.plot(steps, planned, "--", color=colour, alpha=0.55, linewidth=2, zorder=2)
        line: dict[str, Any] = {"color": colour, "linewidth": 3, "markersize": 9, "label": words[mood]}
        axes.plot(steps, places, "-o", zorder=3, **line)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=4, frameon=False, fontsize=16, labelcolor=TEXT, handlelength=1.2
    )  # fmt: skip


def _numbered(count: int) -> list[int]:
    """Steps that have a number below them: all of a short journey, some of a long one."""
    every = 1 if count <= 16 else 5
    return [1, *(step for step in range(2, count) if step % every == 0), count]


def _plane(axes: Axes, drawn: Mapping[str, Any], words: Mapping[str, str]) -> None:
    bare(axes, 15)
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.15, 1.15))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(words["valence"], color=FAINT, fontsize=16)
    axes.set_ylabel(words["arousal"], color=FAINT, fontsize=16)
    axes.axhline(0.5, color=GRID, linewidth=1, zorder=1)
    axes.axvline(0.5, color=GRID, linewidth=1, zorder=1)
    for x, y, word, across, along in CORNERS:
        axes.text(x, y, words[word], color=FAINT, fontsize=18, ha=across, va=along, zorder=2)
    points: Sequence[tuple[float, float]] = [(x, y) for x, y in drawn["plane"]]
    first, last = drawn["plane_ends"]
    for (x, y), marker, name in ((first, "s", drawn["ends"][0]), (last, "*", drawn["ends"][1])):
        axes.plot(x, y, marker, markersize=24 if marker == "*" else 15, color=FAINT, alpha=0.75, zorder=2)
        axes.annotate(
            safe_title(str(name), 24), (x, y), xytext=(0, -24), textcoords="offset points", color=FAINT, fontsize=14,
            ha="left" if x < 0.15 else "right" if x > 0.85 else "center", zorder=2, **PLAIN,
        )  # fmt: skip
    colours = WAY(np.linspace(0, 1, len(points)))
    for k in range(len(points) - 1):
        axes.annotate(
            "", points[k + 1], points[k],
            arrowprops={"arrowstyle": "-|>", "color": colours[k], "linewidth": 2.5, "shrinkA": 13, "shrinkB": 13}, zorder=3,
        )  # fmt: skip
    for k, (x, y) in enumerate(points):
        put_number(axes, x, y, k + 1, size=25, color=colours[k], zorder=4)
