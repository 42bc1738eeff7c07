"""The analyses of the sample pieces that ship with the product.

python -m research.composer.analyse_samples             # all anew: after new pieces, weights or descriptors
python -m research.composer.analyse_samples --latents   # only the latent vectors: after another genre model
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from core.genre.model import classify_file
from core.library.samples import sample_folder
from core.library.sources.samples import ANALYSES, shipped_analyses
from core.separation.registry import load_separator
from core.track_analysis import ANALYSER_VERSION, TrackAnalysis, content_hash
from research.cache import analyse_cached


def analyse_samples() -> None:
    """Analyse every sample with the bundled separator and write what ships."""
    separator = load_separator("unet")
    cache = (
        Path(tempfile.gettempdir()) / "moodstem-samples"
    )  # so that an interrupted run goes on where it stopped
    analyses = {}
    with click.progressbar(sorted(sample_folder().glob("*.ogg")), label="samples") as paths:
        for path in paths:
            analysis = analyse_cached(path, separator, cache)
            analyses[analysis.content_hash] = analysis.to_json()
    _write(analyses)


def hear_samples() -> None:
    """Make only the latent vectors and what genres are told anew: after another genre model."""
    analyses = shipped_analyses()
    for path in sorted(sample_folder().glob("*.ogg")):
        digest = content_hash(path)
        known = TrackAnalysis.from_json(analyses[digest])
        heard = classify_file(path, known.features(), known.separated_by)
        analyses[digest]["latent"] = heard.to_json() if heard else None
    _write(analyses)


def _write(analyses: dict[str, dict[str, Any]]) -> None:
    target = sample_folder() / ANALYSES
    text = json.dumps(_rounded(analyses), separators=(",", ":"), sort_keys=True, allow_nan=False)
    target.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{len(analyses)} samples, analyser {ANALYSER_VERSION}, {target.stat().st_size / 1000:.0f} kB")


def _rounded(value: Any) -> Any:
    """Six digits are more than any descriptor is worth, and halve the file."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


if __name__ == "__main__":
    hear_samples() if "--latents" in sys.argv else analyse_samples()
