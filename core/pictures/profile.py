"""How a track lies within the library: a picture of percentiles, readable on Discord's dark theme at phone width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch

from core.audio.types import STEMS
from core.audio.vocabulary import compared, scales
from core.pictures.canvas import (
    BACKGROUND,
    DPI,
    DRAWING,
    FAINT,
    GRID,
    PANEL,
    SIZE,
    TEXT,
    as_png,
    fit,
    titled_figure,
)
from core.pictures.colours import STEM_COLOURS
from core.track_analysis import TrackAnalysis

ROWS, SCALES = compared(), scales()
LOW, HIGH = "#4dabf7", "#ff922b"
LABELS, RIGHT = 0.285, 0.975
"""Where the table starts and ends, of the picture's width."""


def profile_picture(
    percentiles: Mapping[str, float], analysis: TrackAnalysis, title: str, words: Mapping[str, str]
) -> bytes:
    """PNG of 1000 x 900 pixels.

    `percentiles` has the share of the library's tracks below this one, 0..1, for core.pictures.drawing.profile_features();
    what is missing there (a stem that does not sound) stays empty. `words` are those of bot.words.pictures.details_words.
    """
    sources = ["mix", *(stem for stem in STEMS if stem in analysis.instruments)]
    heard = [source for source in sources if source in analysis.descriptors]
    with DRAWING:
        figure = titled_figure(title, words["compared"])
        table = figure.add_axes((0, 0.325, 1, 0.54))
        _table(table, percentiles, sources, heard, words)
        _scales(figure.add_axes((0, 0.02, 1, 0.285)), percentiles, words)
        return as_png(figure)


def _table(
    axes: Axes,
    percentiles: Mapping[str, float],
    sources: list[str],
    heard: list[str],
    words: Mapping[str, str],
) -> None:
    step = (RIGHT - LABELS) / len(sources)
    axes.set(xlim=(0, 1), ylim=(len(ROWS) + 0.05, -0.95))
    axes.axis("off")
    for column, source in enumerate(sources):
        x = LABELS + (column + 0.5) * step
        silent = source not in heard
        head = axes.text(
            x, -0.45, words["track" if source == "mix" else source], ha="center", va="center_baseline",
            fontsize=17, weight="bold", color=FAINT if silent else STEM_COLOURS.get(source, TEXT),
        )  # fmt: skip
        fit(head, 0.96 * step * SIZE[0] * DPI)
        for row, name in enumerate(ROWS):
            share = None if silent else percentiles.get(f"{source}.{name}")
            if share is None:
                if not (source == "mix" and name == "activity"):
                    axes.text(
                        x, row + 0.5, "\u2013", ha="center", va="center_baseline", fontsize=17, color=GRID
                    )
                continue
            box = FancyBboxPatch(
                (x - 0.44 * step, row + 0.1), 0.88 * step, 0.8, boxstyle="round,pad=0,rounding_size=0.012",
                mutation_aspect=len(ROWS) / 0.54, facecolor=shade(share), edgecolor="none",
            )  # fmt: skip
            axes.add_patch(box)
            axes.text(
                x, row + 0.52, f"{100 * share:.0f}", ha="center", va="center_baseline", fontsize=19, color=TEXT, weight="bold"
            )  # fmt: skip
    for row, name in enumerate(ROWS):
        head = axes.text(
            0.035, row + 0.52, words[f"label.{name}"], va="center_baseline", fontsize=17, color=TEXT
        )
        fit(head, (LABELS - 0.04) * SIZE[0] * DPI)


def _scales(axes: Axes, percentiles: Mapping[str, float], words: Mapping[str, str]) -> None:
    axes.set(xlim=(0, 1), ylim=(len(SCALES) - 0.2, -0.55))
    axes.axis("off")
    low, high = LABELS + 0.1, RIGHT - 0.13
    for row, name in enumerate(SCALES):
        share = percentiles.get(f"mix.{name}")
        style: dict[str, Any] = {"va": "center_baseline", "fontsize": 16, "color": FAINT}
        name_ = axes.text(0.035, row, words[f"scale.{name}"], **{**style, "fontsize": 18})
        name_.set_color(TEXT if share is not None else FAINT)
        fit(name_, 0.225 * SIZE[0] * DPI)
        fit(axes.text(low - 0.02, row, words[f"low.{name}"], ha="right", **style), 0.11 * SIZE[0] * DPI)
        fit(axes.text(high + 0.02, row, words[f"high.{name}"], **style), 0.13 * SIZE[0] * DPI)
        axes.plot([low, high], [row, row], color=PANEL, linewidth=14, solid_capstyle="round", zorder=1)
        if share is None:
            continue
        middle, x = (low + high) / 2, low + share * (high - low)
        axes.plot([middle, x], [row, row], color=shade(share), linewidth=14, solid_capstyle="butt", zorder=2)
        axes.plot(
            x, row, "o", markersize=19, color=TEXT, markeredgecolor=BACKGROUND, markeredgewidth=3, zorder=3
        )
    axes.plot([(low + high) / 2] * 2, [-0.4, len(SCALES) - 0.6], color=GRID, linewidth=1.5, zorder=1.5)


def shade(share: float) -> tuple[float, float, float]:
    """Blue below the middle of the library, orange above, grey in it; white text is readable on all of them."""
    strength = min(abs(2 * share - 1), 1.0) ** 0.8 * 0.72
    ground, colour = to_rgb(GRID), to_rgb(HIGH if share > 0.5 else LOW)
    r, g, b = (low + strength * (high - low) for low, high in zip(ground, colour, strict=True))
    return r, g, b
