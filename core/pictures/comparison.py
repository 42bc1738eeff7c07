"""Two tracks beside each other: their spectrograms, and what of their sound agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from core.audio.decode import Audio
from core.audio.spectrum import analyse_frames, mono
from core.pictures.canvas import DPI, DRAWING, FAINT, PANEL, PLAIN, TEXT, as_png, fit, new_figure, put_title
from core.pictures.spectrograms import facts, spectrogram
from core.track_analysis import TrackAnalysis

Part = tuple[str, str, str, float, str]

SIZE = (12.0, 10.0)
ALIKE, APART = "#69db7c", "#ff922b"
SIDES = ((0.085, 0.41), (0.555, 0.41))
"""Left edge and width of the two spectrograms, of the picture's width."""


@dataclass(frozen=True)
class Side:
    """One of the two tracks; `sound` is None where the audio is no longer kept."""

    title: str
    analysis: TrackAnalysis
    sound: Audio | None


def comparison_picture(left: Side, right: Side, parts: Sequence[Part], words: Mapping[str, str]) -> bytes:
    """PNG of 1200 x 1000 pixels: mel spectrograms in dB below each one's loudest, then what each descriptor adds.

    `parts`: (what is compared, its value on the left, on the right, what it adds to the similarity, how that is
    written), drawn as bars to the right of the middle where the two agree and to the left where they differ.
    """
    mels = [
        None if side.sound is None else analyse_frames(mono(side.sound.samples, side.sound.rate)).power_mel
        for side in (left, right)
    ]
    with DRAWING:
        figure = new_figure(SIZE)
        for side, mel, (start, width) in zip((left, right), mels, SIDES, strict=True):
            put_title(figure, start, 0.965, side.title, width, fontsize=21)
            line = figure.text(start, 0.922, facts(side.analysis, words), color=FAINT, fontsize=16, **PLAIN)
            fit(line, width * SIZE[0] * DPI)
            axes = figure.add_axes((start, 0.50, width, 0.39))
            if mel is None:
                axes.set_facecolor(PANEL)
                axes.set(xticks=[], yticks=[])
                axes.text(0.5, 0.5, words["gone"], color=FAINT, fontsize=16, ha="center", **PLAIN)
            else:
                spectrogram(axes, mel, side.analysis.duration_s, labels=True)
                if side is right:
                    axes.set_yticklabels([])
        _bars(figure.add_axes((0.0, 0.015, 1.0, 0.42)), parts, words)
        return as_png(figure)


def _bars(axes: Axes, parts: Sequence[Part], words: Mapping[str, str]) -> None:
    axes.set(xlim=(0, 1), ylim=(len(parts) - 0.3, -1.25))
    axes.axis("off")
    middle, half = 0.66, 0.13
    largest = max((abs(added) for *_, added, _ in parts), default=0.0) or 1.0
    style: dict[str, Any] = {"va": "center_baseline", "fontsize": 17, "parse_math": False}
    axes.text(0.035, -0.8, words["head"], color=TEXT, weight="bold", **style)
    axes.text(middle - 0.01, -0.8, words["apart"], color=APART, ha="right", **style)
    axes.text(middle + 0.01, -0.8, words["alike"], color=ALIKE, **style)
    for row, (name, here, there, added, written) in enumerate(parts):
        axes.text(0.035, row, name, color=TEXT, **style)
        axes.text(0.37, row, here, color=FAINT, ha="right", **style)
        axes.text(0.50, row, there, color=FAINT, ha="right", **style)
        axes.barh(row, half * added / largest, left=middle, height=0.62, color=ALIKE if added > 0 else APART)
        axes.text(middle + half + 0.03, row, written, color=TEXT, **style)
    axes.plot([middle, middle], [-0.45, len(parts) - 0.55], color=FAINT, linewidth=1.5)
