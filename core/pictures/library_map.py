"""The map of the library as a picture: readable with thirty tracks, whose names are written, and with many thousand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from core.pictures.canvas import (
    DRAWING,
    FAINT,
    GRID,
    PANEL,
    PLAIN,
    TEXT,
    as_png,
    new_figure,
    put_number,
    put_title,
    safe_title,
)
from core.pictures.colours import MOOD_COLOURS

SIZE = (11.0, 11.5)


def map_picture(drawn: Mapping[str, Any], words: Mapping[str, str]) -> bytes:
    """PNG of 1100 x 1150 pixels.

    `drawn`: points [[x, y]], moods (the best-fitting of each), titles (of each, or none of many), picked (places in
    points of what was recommended last, in order) with picked_titles, directions [[label, x, y, strength, mood]], axes
    [[lower, upper]] x 2; `words` are those of bot.words.pictures.map_words.
    """
    with DRAWING:
        figure = new_figure(SIZE)
        put_title(figure, 0.035, 0.965, words["title"], 0.935, fontsize=25)
        figure.text(0.035, 0.93, words["key"], color=FAINT, fontsize=16, **PLAIN)
        picked = drawn["picked"]
        bottom = 0.075 + (0.035 * math.ceil(len(picked) / 2) + 0.03 if picked else 0)
        axes = figure.add_axes((0.075, bottom, 0.89, 0.90 - bottom))
        _points(axes, drawn)
        figure.canvas.draw()  # so that the extents of texts are known
        taken = _directions(axes, drawn)
        _picked(figure, axes, drawn, words, bottom)
        if len(drawn["titles"]) == len(drawn["points"]):
            _titles(axes, drawn, taken)
        return as_png(figure)


def _points(axes: Axes, drawn: Mapping[str, Any]) -> None:
    axes.set_facecolor(PANEL)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set(xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), xticks=[], yticks=[])
    axes.axhline(0, color=GRID, linewidth=1, zorder=1)
    axes.axvline(0, color=GRID, linewidth=1, zorder=1)
    (left, right), (low, high) = drawn["axes"]
    style: dict[str, Any] = {"color": FAINT, "fontsize": 16}
    if left:
        axes.set_xlabel(f"← {left}      {right} →", **style)
    if low:
        axes.set_ylabel(f"← {low}      {high} →", **style)
    points = np.asarray(drawn["points"], dtype=np.float64).reshape(-1, 2)
    count = max(len(points), 1)
    axes.scatter(
        points[:, 0], points[:, 1], s=min(max(30_000 / count, 5), 130), alpha=min(max(60 / count**0.5, 0.35), 0.95),
        c=[MOOD_COLOURS[mood] for mood in drawn["moods"]], linewidths=0, zorder=5,
    )  # fmt: skip


def _directions(axes: Axes, drawn: Mapping[str, Any]) -> list[Text]:
    """Arrows from the middle, as long as the direction holds; their names around the rim, moved apart where they would
    lie on each other. Returns the names."""
    rows = sorted(drawn["directions"], key=lambda row: math.atan2(row[2], row[1]))
    angles = apart([math.atan2(row[2], row[1]) for row in rows])
    found = []
    for (name, x, y, strength, mood), angle in zip(rows, angles, strict=True):
        axes.annotate(
            "", (1.1 * strength * x, 1.1 * strength * y), (0, 0),
            arrowprops={"arrowstyle": "-|>", "color": MOOD_COLOURS[mood], "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0}, zorder=4,
        )  # fmt: skip
        across, along = 1.33 * math.cos(angle), 1.36 * math.sin(angle)
        axes.plot(
            [1.1 * strength * x, 0.93 * across], [1.1 * strength * y, 0.93 * along], ":", color=MOOD_COLOURS[mood], linewidth=1.2, alpha=0.7, zorder=3
        )  # fmt: skip
        place = min(max(across, -1.26), 1.26), along
        box = {"boxstyle": "round,pad=0.2", "facecolor": PANEL, "edgecolor": "none", "alpha": 0.8}
        style = {"fontsize": 17, "weight": "bold", "ha": "center", "zorder": 6, "bbox": box, **PLAIN}
        found.append(axes.text(*place, name, color=MOOD_COLOURS[mood], **style))
    return found


def apart(angles: Sequence[float], least: float = 0.27) -> list[float]:
    """Sorted angles in radians moved by as little as needed until neighbours are `least` apart, around the circle too."""
    moved = list(angles)
    for _ in range(200):
        changed = False
        for i in range(len(moved)):
            j = (i + 1) % len(moved)
            gap = moved[j] - moved[i] + (2 * math.pi if j == 0 else 0)
            if len(moved) > 1 and gap < least - 1e-9:
                moved[i] -= (least - gap) / 2
                moved[j] += (least - gap) / 2
                changed = True
        if not changed:
            break
    return moved


def _picked(
    figure: Figure, axes: Axes, drawn: Mapping[str, Any], words: Mapping[str, str], bottom: float
) -> None:
    """Numbered marks where the last recommendations lie, and their names below the map."""
    for number, place in enumerate(drawn["picked"], 1):
        x, y = drawn["points"][place]
        put_number(axes, x, y, number, size=23, color=TEXT, zorder=7)
    if not drawn["picked"]:
        return
    style = {"fontsize": 16, **PLAIN}
    top = bottom - 0.065
    figure.text(0.035, top, words["picked"], color=FAINT, **style)
    for number, title in enumerate(drawn["picked_titles"], 1):
        column, line = (number - 1) % 2, (number - 1) // 2
        figure.text(
            0.035 + 0.48 * column, top - 0.035 * (line + 1), f"{number}  {safe_title(title, 38)}", color=TEXT, **style
        )  # fmt: skip


def _titles(axes: Axes, drawn: Mapping[str, Any], taken: list[Text]) -> None:
    """Names beside their dots, each only where nothing else stands; an outline lifts them off the arrows."""
    outline = [withStroke(linewidth=3, foreground=PANEL)]
    boxes = [text.get_window_extent() for text in taken]
    frame = axes.get_window_extent()
    marks = [axes.transData.transform(drawn["points"][place]) for place in drawn["picked"]]
    for place, title in enumerate(drawn["titles"]):
        if place in drawn["picked"]:
            continue
        x, y = drawn["points"][place]
        for across, along, side in ((9, 0, "left"), (-9, 0, "right"), (0, 13, "center"), (0, -13, "center")):
            text = axes.annotate(
                safe_title(title, 24), (x, y), xytext=(across, along), textcoords="offset points", color=TEXT,
                fontsize=12, ha=side, zorder=6, alpha=0.9, path_effects=outline, **PLAIN,
            )  # fmt: skip
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in boxes) and not any(
                box.x0 - 12 < mx < box.x1 + 12 and box.y0 - 12 < my < box.y1 + 12 for mx, my in marks
            )
            if free and frame.x0 < box.x0 and box.x1 < frame.x1:
                boxes.append(box)
                break
            text.remove()
