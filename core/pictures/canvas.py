"""What all pictures share: figures readable on Discord's dark theme at phone width, titles, letters that fit.

Drawn with Matplotlib's object interface on the Agg canvas: no global state, so any thread may draw. Titles come from
users and are drawn as plain text: no mathematics, no control characters, shortened to the width there is.
"""

from __future__ import annotations

import io
import threading
import unicodedata
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

BACKGROUND, PANEL, TEXT, FAINT, GRID = "#1e1f22", "#2b2d31", "#f2f3f5", "#a3a6ad", "#3f4248"
"""Discord's dark theme."""

PLAIN: dict[str, Any] = {"va": "center", "parse_math": False}
"""Of what users wrote: no mathematics."""

SIZE, DPI = (10.0, 9.0), 100
"""Inches, and dots per inch."""

DRAWING = threading.Lock()
"""Held by everything that draws: Matplotlib's caches of fonts are shared."""


def new_figure(size: tuple[float, float] = SIZE) -> Figure:
    """An empty figure of so many inches, at DPI."""
    figure = Figure(figsize=size, dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def titled_figure(title: str, facts: str) -> Figure:
    """A figure of SIZE inches with the title and a line of facts below it."""
    figure = new_figure()
    put_title(figure, 0.035, 0.947, title, 0.935, fontsize=25)
    line = figure.text(0.035, 0.892, facts, color=FAINT, fontsize=18, **PLAIN)
    fit(line, 0.935 * SIZE[0] * DPI)
    return figure


def put_title(figure: Figure, x: float, y: float, title: str, width: float, *, fontsize: float) -> None:
    """A bold title, shortened to `width` (share of the figure's)."""
    longest = 46
    line = figure.text(
        x, y, safe_title(title, longest), color=TEXT, fontsize=fontsize, weight="bold", **PLAIN
    )
    while line.get_window_extent().width > width * figure.bbox.width and longest > 5:
        longest -= 2
        line.set_text(safe_title(title, longest))


def safe_title(title: str, longest: int = 46) -> str:
    """One line of characters that the font has, shortened at the end; may be empty."""
    drawn = get_font(findfont("DejaVu Sans:bold")).get_charmap()
    line = "".join(
        " " if unicodedata.category(c)[0] in "CZ" else c for c in title if ord(c) in drawn or c.isspace()
    )
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def fit(text: Text, width: float, smallest: float = 9.0) -> None:
    """Smaller letters where the text is wider than `width` pixels: words are longer in some languages."""
    size = float(text.get_fontsize())
    while text.get_window_extent().width > width and size > smallest:
        size -= 0.5
        text.set_fontsize(size)


def bare(axes: Axes, labelsize: float = 16) -> None:
    """A panel without frame and ticks."""
    axes.set_facecolor(PANEL)
    axes.tick_params(colors=FAINT, labelsize=labelsize, length=0, pad=6)
    for spine in axes.spines.values():
        spine.set_visible(False)


def put_number(
    axes: Axes, x: float, y: float, number: int, *, size: float, color: Any, zorder: float
) -> None:
    """A numbered dot."""
    edge: dict[str, Any] = {"markeredgecolor": BACKGROUND, "markeredgewidth": 2}
    axes.plot(x, y, "o", markersize=size, color=color, zorder=zorder, **edge)
    style: dict[str, Any] = {"weight": "bold", "ha": "center", "va": "center_baseline"}
    axes.text(x, y, str(number), color=BACKGROUND, fontsize=14, zorder=zorder + 1, **style)


def as_png(figure: Figure) -> bytes:
    """Return the figure as PNG; call it, like everything that draws, while holding DRAWING."""
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor=figure.get_facecolor(), metadata={"Software": None})
    return out.getvalue()
