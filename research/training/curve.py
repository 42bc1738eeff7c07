"""The learning curve of a training run as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_curve(out: Path, step: str = "step", loss: str = "error energy / stem energy") -> None:
    """Draw `curve.png` from `log.jsonl`: training and validation loss over steps, with these names on the axes."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([row["step"] for row in rows], [row["loss"] for row in rows], label="training")
    held = [row for row in rows if "validation" in row]
    axes.plot(
        [row["step"] for row in held], [row["validation"] for row in held], label="held-out songs and font"
    )
    axes.set_xlabel(step)
    axes.set_ylabel(loss)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(out / "curve.png", dpi=100)
