"""The sample pieces, with the analyses that ship with them, so that the first recommendation needs no wait."""

from __future__ import annotations

import asyncio
import gzip
import json
from importlib.resources import files
from typing import Any

from core.library.samples import ALBUM, Sample, manifest
from core.library.sources.base import Source
from core.library.tracks import Library, put_analysis, put_track
from core.track_analysis import TrackAnalysis, content_hash

SOURCE = Source(origin="sample", rank=2, in_scope_sql="1", placeholder=True)

ANALYSES = "analyses.json.gz"


def shipped_analyses() -> dict[str, dict[str, Any]]:
    """Return {content hash: analysis} of the shipped samples."""
    path = files("core.library.samples").joinpath(ANALYSES)
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    return found


async def ensure_samples(library: Library) -> None:
    """Add the samples or bring them up to date; write nothing if they are."""
    samples = await asyncio.to_thread(_samples)
    known = {track.content_hash: track for track in await library.tracks(SOURCE.origin)}
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
        for digest, (sample, analysis) in samples.items():
            current = known.get(digest)
            if (
                current is not None
                and current.path == str(sample.path)
                and shown.get(current.id) == (analysis.separator_version, analysis.analyser_version)
                and (current.id in heard or analysis.latent is None)
            ):
                continue
            track_id = await put_track(
                transaction,
                digest,
                str(sample.path),
                SOURCE.origin,
                sample.title,
                sample.artist,
                sample.genre,
                analysis.duration_s,
                ALBUM,
            )
            await put_analysis(transaction, track_id, analysis)


def _samples() -> dict[str, tuple[Sample, TrackAnalysis]]:
    analyses = shipped_analyses()
    found = {}
    for sample in manifest():
        digest = content_hash(sample.path)
        if digest in analyses:
            found[digest] = sample, TrackAnalysis.from_json(analyses[digest])
    return found
