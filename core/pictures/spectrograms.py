"""Pictures of an analysis: spectrogram with activity, musical contrast, chroma. `words` are those of
bot.words.pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from core.audio import contrast, tonality
from core.audio.decode import Audio
from core.audio.filters import hz_to_mel
from core.audio.spectrum import analyse_frames, decibels, mono
from core.audio.types import KEYS, N_MELS, RATE, STEMS
from core.pictures.canvas import (
    BACKGROUND,
    DPI,
    DRAWING,
    FAINT,
    PANEL,
    SIZE,
    TEXT,
    as_png,
    bare,
    fit,
    titled_figure,
)
from core.pictures.colours import STEM_COLOURS
from core.track_analysis import TrackAnalysis

LEFT, WIDTH, BOTTOM, TOP = 0.125, 0.785, 0.065, 0.85


def analysis_picture(audio: Audio, analysis: TrackAnalysis, title: str, words: Mapping[str, str]) -> bytes:
    """PNG of 1000 x 900 pixels: the mix as a mel spectrogram in dB, and when each stem sounds."""
    mel = analyse_frames(mono(audio.samples, audio.rate)).power_mel
    stems = [stem for stem in STEMS if stem in analysis.activity_curve]
    with DRAWING:
        figure = titled_figure(title, facts(analysis, words))
        bottom = 0.435 if stems else BOTTOM
        axes = figure.add_axes((LEFT, bottom, WIDTH, TOP - bottom))
        spectrogram(axes, mel, analysis.duration_s, labels=not stems)
        if stems:
            _activity(figure.add_axes((LEFT, BOTTOM, WIDTH, 0.335)), analysis, stems, words)
        return as_png(figure)


def contrast_picture(audio: Audio, analysis: TrackAnalysis, title: str, words: Mapping[str, str]) -> bytes:
    """PNG of 1000 x 900 pixels: musical contrast before (gray spectrogram) and after (threshold 64, closing)."""
    magnitude = analyse_frames(mono(audio.samples, audio.rate), keep_magnitude=True).magnitude
    assert magnitude is not None
    gray = contrast.gray_picture(magnitude)
    with DRAWING:
        figure = titled_figure(title, words["regions"])
        height = (TOP - BOTTOM - 0.03) / 2
        for row, picture in enumerate((gray, contrast.close(contrast.binary_picture(magnitude)))):
            axes = figure.add_axes((LEFT, BOTTOM + (1 - row) * (height + 0.03), WIDTH, height))
            bare(axes)
            small = _narrow(picture.T, np.maximum)
            extent = (0, analysis.duration_s, 0, RATE / 2000)
            axes.imshow(small, origin="lower", aspect="auto", cmap="gray", vmin=0, vmax=255, extent=extent)
            axes.set_yticks([2, 4, 6, 8, 10], ["2k", "4k", "6k", "8k", "10k"])
            _time_axis(axes, analysis.duration_s, labels=row == 1)
            axes.annotate(
                (words["spectrogram"], words["sound"])[row], (0.985, 0.95), xycoords="axes fraction", color=TEXT,
                fontsize=17, ha="right", va="top", bbox={"boxstyle": "round,pad=0.35", "facecolor": BACKGROUND, "edgecolor": "none", "alpha": 0.85},
            )  # fmt: skip
        return as_png(figure)


def chroma_picture(audio: Audio, analysis: TrackAnalysis, title: str, words: Mapping[str, str]) -> bytes:
    """PNG of 1000 x 900 pixels: how much of each pitch class sounds over time."""
    signal = mono(audio.samples, audio.rate)
    energy = analyse_frames(signal, tonality.tuning(signal)).chroma
    top = energy.max(axis=0)
    chroma = np.where(top > 0, energy / np.maximum(top, 1e-12), 0)
    with DRAWING:
        figure = titled_figure(title, facts(analysis, words))
        axes = figure.add_axes((LEFT, BOTTOM, WIDTH, TOP - BOTTOM))
        bare(axes)
        extent = (0, analysis.duration_s, -0.5, 11.5)
        small = _narrow(chroma, np.add, 400) / _narrow(np.ones((1, chroma.shape[1])), np.add, 400)
        axes.imshow(small, origin="lower", aspect="auto", cmap="magma", interpolation="nearest", extent=extent)  # fmt: skip
        axes.set_yticks(range(12), [words[key] for key in KEYS])
        if analysis.key in KEYS:
            axes.get_yticklabels()[KEYS.index(analysis.key)].set(color=TEXT, weight="bold")
        _time_axis(axes, analysis.duration_s, labels=True)
        return as_png(figure)


def facts(analysis: TrackAnalysis, words: Mapping[str, str]) -> str:
    """Length, tempo and key: '3:07  ·  120 BPM  ·  D minor'."""
    found = [_clock(analysis.duration_s)]
    if analysis.tempo_bpm:
        found.append(f"{analysis.tempo_bpm:.0f} BPM")
    if analysis.key:
        found.append(words[f"{analysis.key} {analysis.mode}"])
    return "  ·  ".join(found)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _time_axis(axes: Axes, seconds: float, labels: bool) -> None:
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300) if seconds / s <= 7), 600)
    ticks = np.arange(0, seconds + 1e-6, step)
    axes.set_xlim(0, seconds)
    axes.set_xticks(ticks, [_clock(t) for t in ticks] if labels else [""] * len(ticks))


def _narrow(table: NDArray[Any], reduce: np.ufunc, columns: int = 800) -> NDArray[Any]:
    """At most `columns` columns, so that nothing flickers when a long track is drawn small."""
    if table.shape[1] <= columns:
        return table
    edges = np.linspace(0, table.shape[1], columns + 1).astype(int)[:-1]
    return np.asarray(reduce.reduceat(table, edges, axis=1))


def spectrogram(axes: Axes, mel: NDArray[np.float32], seconds: float, labels: bool) -> None:
    """Mel power (128, T) in dB below its loudest; `labels` at the time axis."""
    db = decibels(mel, top=None)
    db = _narrow(np.maximum(db - db.max(), -70), np.maximum)
    bare(axes)
    axes.imshow(
        db, origin="lower", aspect="auto", cmap="magma", vmin=-70, vmax=0, extent=(0, seconds, 0, N_MELS)
    )
    hz = (100, 500, 1000, 2000, 5000, 10000)
    axes.set_yticks([_mel_row(f) for f in hz], ["100 Hz", "500 Hz", "1 kHz", "2 kHz", "5 kHz", "10 kHz"])
    _time_axis(axes, seconds, labels)


def _mel_row(hz: float) -> float:
    """Row of a frequency in the 128 bands of Slaney's mel scale up to 11025 Hz."""

    return float(hz_to_mel(hz) / hz_to_mel(RATE / 2)) * (N_MELS + 1) - 0.5


def _activity(axes: Axes, analysis: TrackAnalysis, stems: list[str], words: Mapping[str, str]) -> None:
    bare(axes)
    rows = np.zeros((len(stems), 100, 3))
    panel = np.array(to_rgb(PANEL))
    for row, stem in enumerate(stems):
        curve = np.asarray(analysis.activity_curve[stem])
        curve = np.interp(np.linspace(0, 1, 100), np.linspace(0, 1, len(curve)), curve)[:, None]
        rows[row] = panel + curve * (np.array(to_rgb(STEM_COLOURS[stem])) - panel)
    extent = (0, analysis.duration_s, len(stems) - 0.5, -0.5)
    axes.imshow(rows, aspect="auto", interpolation="nearest", extent=extent)
    for line in range(len(stems) - 1):
        axes.axhline(line + 0.5, color=BACKGROUND, linewidth=7)
    shares = [analysis.instruments[stem]["activity"] for stem in stems]
    axes.set_yticks(range(len(stems)), [words[stem] for stem in stems])
    for label, stem, share in zip(axes.get_yticklabels(), stems, shares, strict=True):
        label.set(color=STEM_COLOURS[stem] if share >= 0.005 else FAINT, fontsize=18, weight="bold")
        fit(label, (LEFT - 0.025) * SIZE[0] * DPI)
    for row, share in enumerate(shares):
        axes.annotate(
            words["percent"].format(f"{100 * share:.0f}"), (1.012, row), xycoords=("axes fraction", "data"), color=TEXT if share >= 0.005 else FAINT,
            fontsize=17, va="center", parse_math=False,
        )  # fmt: skip
    _time_axis(axes, analysis.duration_s, labels=True)
