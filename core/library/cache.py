"""Analyses of files that are not in the library (evaluation, calibration), kept on disk."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from core.analysis import ANALYSER_VERSION, TrackAnalysis, analyse, content_hash
from core.separation.base import Progress, Separator


def analyse_cached(
    path: Path, separator: Separator, folder: Path, progress: Progress | None = None
) -> TrackAnalysis:
    """`core.analysis.analyse`, computed once for each content, separator and version."""
    key = f"{content_hash(path)[:32]}-{separator.name}-{separator.version}-{ANALYSER_VERSION}"
    kept = folder / f"{key}.json"
    if kept.is_file():
        return TrackAnalysis.from_json(json.loads(kept.read_text("utf-8")))
    analysis = analyse(path, separator, progress)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as file:
        json.dump(analysis.to_json(), file, allow_nan=False)
    Path(file.name).replace(kept)
    return analysis
