"""The sample pieces in the database, with the analyses that ship with them, so that the first answer needs no wait.

python -m core.library.bundled --latents   # only the latent vectors: after another genre model
python -m core.library.bundled      # analyse the samples anew: after new pieces, weights or descriptors
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.analysis import ANALYSER_VERSION, TrackAnalysis, content_hash
from core.library.cache import analyse_cached
from core.library.samples import sample_folder
from core.library.tags import read_tags
from core.library.tracks import Library, put_analysis, put_track

ANALYSES = "analyses.json.gz"


def shipped_analyses() -> dict[str, dict[str, Any]]:
    """{content hash: analysis} as shipped."""
    path = files("core.library.samples").joinpath(ANALYSES)
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    return found


async def ensure_samples(library: Library) -> None:
    """Add the samples, or bring them up to date; writes nothing when they are."""
    samples = await asyncio.to_thread(_samples)
    known = {track.content_hash: track for track in await library.tracks("sample")}
    shown = {
        row["track_id"]: (row["separator_version"], row["analyser_version"])
        for row in await library.database.fetch(
            "SELECT track_id, separator_version, analyser_version FROM analysis"
        )
    }
    heard = {row["track_id"] for row in await library.database.fetch("SELECT track_id FROM latent")}
    async with library.database.transaction() as transaction:
        for digest, track in known.items():
            if digest not in samples:  # a piece that this version no longer has
                await transaction.run("DELETE FROM track WHERE id=?", (track.id,))
        for digest, (path, analysis) in samples.items():
            current = known.get(digest)
            if (
                current is not None
                and current.path == str(path)
                and shown.get(current.id) == (analysis.separator_version, analysis.analyser_version)
                and (current.id in heard or analysis.latent is None)
            ):
                continue
            tags = read_tags(path)
            track_id = await put_track(
                transaction,
                digest,
                str(path),
                "sample",
                tags.title,
                tags.artist,
                tags.genre,
                analysis.duration_s,
                tags.album,
            )
            await put_analysis(transaction, track_id, analysis)


def _samples() -> dict[str, tuple[Path, TrackAnalysis]]:
    analyses = shipped_analyses()
    found = {}
    for path in sorted(sample_folder().glob("*.ogg")):
        digest = content_hash(path)
        if digest in analyses:
            found[digest] = path, TrackAnalysis.from_json(analyses[digest])
    return found


def analyse_samples() -> None:
    """Analyse every sample with the bundled separator and write what ships."""
    import click

    from core.separation.registry import load_separator

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
    from core.genre.model import hear_file

    analyses = shipped_analyses()
    for path in sorted(sample_folder().glob("*.ogg")):
        digest = content_hash(path)
        known = TrackAnalysis.from_json(analyses[digest])
        heard = hear_file(path, known.features(), known.separated_by)
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
