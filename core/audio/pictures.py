"""Pictures of an analysis, readable on Discord's dark theme at phone width.

Drawn with Matplotlib's object interface on the Agg canvas: no global state, so any thread may draw. Titles come from
users and are drawn as plain text: no mathematics, no control characters, shortened to the width there is.
"""

from __future__ import annotations

import io
import threading
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.audio.filters import hz_to_mel
from core.audio.spectrum import HOP, N_MELS, RATE, analyse_frames, decibels, mono
from core.separation.base import STEMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from core.analysis import TrackAnalysis

STEM_COLOURS = {
    "drums": "#ff6b6b",
    "bass": "#ffa94d",
    "vocals": "#ffe066",
    "guitar": "#69db7c",
    "piano": "#4dabf7",
    "other": "#b197fc",
}
"""One colour for each stem wherever stems are drawn; distinct on dark grey, also for most colour-blind readers."""

BACKGROUND, PANEL, TEXT, FAINT, GRID = "#1e1f22", "#2b2d31", "#f2f3f5", "#a3a6ad", "#3f4248"
SIZE, DPI = (10.0, 9.0), 100
_LOCK = threading.Lock()


def safe_title(title: str, longest: int = 46) -> str:
    """One line of characters that the font has, shortened at the end; may be empty."""
    from matplotlib.font_manager import findfont, get_font

    drawn = get_font(findfont("DejaVu Sans:bold")).get_charmap()
    line = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in title if ord(c) in drawn or c.isspace())
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def analysis_picture(
    sound: NDArray[np.float32], analysis: TrackAnalysis, title: str, rate: int = 44100
) -> bytes:
    """PNG of 1000 x 900 pixels: the mix as a mel spectrogram in dB, and when each stem sounds.

    `sound` is the waveform, (n,) or (channels, n) at `rate` Hz, or its mel power, (128, T).
    """
    is_mel = sound.ndim == 2 and sound.shape[0] == N_MELS
    mel = sound if is_mel else analyse_frames(mono(sound, rate)).power_mel
    with _LOCK:
        figure = _figure()
        stems = [stem for stem in STEMS if stem in analysis.activity_curve]
        top = figure.add_axes((0.085, 0.42 if stems else 0.1, 0.885, 0.44 if stems else 0.76))
        _spectrogram(top, mel, analysis.duration_s, bottom=not stems)
        if stems:
            _activity(figure.add_axes((0.085, 0.085, 0.885, 0.3)), analysis, stems)
        figure.text(
            0.03,
            0.945,
            safe_title(title),
            color=TEXT,
            fontsize=24,
            weight="bold",
            va="center",
            parse_math=False,
        )
        figure.text(0.03, 0.893, _facts(analysis), color=FAINT, fontsize=17, va="center", parse_math=False)
        return _png(figure)


def _facts(analysis: TrackAnalysis) -> str:
    facts = [_clock(analysis.duration_s)]
    if analysis.tempo_bpm:
        facts.append(f"{analysis.tempo_bpm:.0f} BPM")
    if analysis.key:
        facts.append(f"{analysis.key} {analysis.mode}")
    return "  ·  ".join(facts)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _figure() -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor=BACKGROUND, metadata={"Software": None})
    return out.getvalue()


def _bare(axes: Axes) -> None:
    axes.set_facecolor(PANEL)
    axes.tick_params(colors=FAINT, labelsize=16, length=0, pad=6)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _time_axis(axes: Axes, seconds: float, labels: bool) -> None:
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300) if seconds / s <= 7), 600)
    ticks = np.arange(0, seconds + 1e-6, step)
    axes.set_xlim(0, seconds)
    axes.set_xticks(ticks, [_clock(t) for t in ticks] if labels else [""] * len(ticks))


def _spectrogram(axes: Axes, mel: NDArray[np.float32], seconds: float, bottom: bool) -> None:
    db = decibels(mel, top=None)
    db = np.maximum(db - db.max(), -70)
    columns = min(db.shape[1], 900)
    edges = np.linspace(0, db.shape[1], columns + 1).astype(int)
    db = np.maximum.reduceat(db, edges[:-1], axis=1)
    _bare(axes)
    axes.imshow(
        db, origin="lower", aspect="auto", cmap="magma", vmin=-70, vmax=0, extent=(0, seconds, 0, N_MELS)
    )
    hz = (100, 500, 1000, 2000, 5000, 10000)
    axes.set_yticks([_mel_row(f) for f in hz], ["100", "500", "1k", "2k", "5k", "10k"])
    axes.text(0.01, 0.975, "Hz", transform=axes.transAxes, color=TEXT, fontsize=15, va="top")
    _time_axis(axes, seconds, labels=bottom)


def _mel_row(hz: float) -> float:
    """Row of a frequency in the 128 bands of Slaney's mel scale up to 11025 Hz."""

    return float(hz_to_mel(hz) / hz_to_mel(RATE / 2)) * (N_MELS + 1) - 0.5


def _activity(axes: Axes, analysis: TrackAnalysis, stems: list[str]) -> None:
    from matplotlib.colors import to_rgb

    _bare(axes)
    rows = np.zeros((len(stems), 100, 3))
    panel = np.array(to_rgb(PANEL))
    for row, stem in enumerate(stems):
        curve = np.asarray(analysis.activity_curve[stem])
        curve = np.interp(np.linspace(0, 1, 100), np.linspace(0, 1, len(curve)), curve)[:, None]
        rows[row] = panel + curve * (np.array(to_rgb(STEM_COLOURS[stem])) - panel)
    axes.imshow(
        rows, aspect="auto", interpolation="nearest", extent=(0, analysis.duration_s, len(stems) - 0.5, -0.5)
    )
    for line in range(len(stems) - 1):
        axes.axhline(line + 0.5, color=BACKGROUND, linewidth=5)
    axes.set_yticks([])
    for row, stem in enumerate(stems):
        share = analysis.instruments[stem]["activity"]
        box: dict[str, Any] = {
            "facecolor": BACKGROUND,
            "alpha": 0.75,
            "edgecolor": "none",
            "boxstyle": "round,pad=0.25",
        }
        axes.text(
            0.012, (len(stems) - row - 0.5) / len(stems), f"{stem}  {share:.0%}", transform=axes.transAxes,
            color=STEM_COLOURS[stem], fontsize=16, weight="bold", va="center", bbox=box,
        )  # fmt: skip
    _time_axis(axes, analysis.duration_s, labels=True)


__all__ = ["HOP", "STEM_COLOURS", "analysis_picture", "safe_title"]
