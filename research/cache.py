"""Analyses of files that are not in the library (evaluation, calibration), kept on disk."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.analysis import analyse
from core.separation.base import Progress, Separator
from core.track_analysis import ANALYSER_VERSION, TrackAnalysis, content_hash


def analyse_cached(
    path: Path, separator: Separator, folder: Path, progress: Progress | None = None
) -> TrackAnalysis:
    """`core.analysis.analyse`, computed once for each content, separator and version."""
    return kept_or_made(content_hash(path), separator, folder, lambda: analyse(path, separator, progress))


def kept_or_made(
    digest: str, separator: Separator, folder: Path, make: Callable[[], TrackAnalysis]
) -> TrackAnalysis:
    """The analysis that `folder` keeps for this digest (of what it is made from), separator and version, else `make`'s."""
    kept = folder / f"{digest[:32]}-{separator.name}-{separator.version}-{ANALYSER_VERSION}.json"
    if kept.is_file():
        return TrackAnalysis.from_json(json.loads(kept.read_text("utf-8")))
    analysis = make()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as file:
        json.dump(analysis.to_json(), file, allow_nan=False)
    Path(file.name).replace(kept)
    return analysis
