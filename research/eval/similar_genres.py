"""Do similar tracks belong together? Precision by genre among tracks by other artists, and how even the answers are.

Genre stands for what belongs together, as is usual where nobody was asked (it is one view of many, Sturm 2013). Tracks by
the same artist are left out, since they tell the artist, not the music (Pampalk, Flexer & Widmer 2005). Hubness is the
skewness of how often each track is among the neighbours of others (Radovanović, Nanopoulos & Ivanović 2010): 0 is even.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.types import STEMS
from core.errors import UserError
from core.library.catalog import Catalog
from core.recommend.acoustic_similarity import METRICS, sound_space
from core.recommend.similar import instrument_similarities, timbre_vectors
from core.track_analysis import TrackAnalysis
from research.eval.calibrate import LabelledTrack

NEIGHBOURS = 5

Table = NDArray[np.float64]


def evaluate(
    analyses: Sequence[TrackAnalysis], genres: Sequence[str], artists: Sequence[str]
) -> dict[str, Any]:
    """{tracks, separator, neighbours, kinds: {name: {precision, hubness, asymmetry}}, random}: each kind's share of the
    NEIGHBOURS most similar tracks by other artists that have the same genre, and the same for neighbours by chance.
    `asymmetry` is the largest difference between a similarity and the one the other way round.

    Raises UserError when there are fewer than two genres or too few artists.
    """
    genre, artist = np.array(genres), np.array(artists)
    others = artist[:, None] != artist[None]
    if len(set(genres)) < 2 or others.sum(axis=1).min() < NEIGHBOURS:
        raise UserError(
            f"Similarity is judged among tracks of at least two genres, each with {NEIGHBOURS} by other artists: give more."
        )
    tracks = [LabelledTrack(i, f"Track {i}", None, None, one.content_hash) for i, one in enumerate(analyses)]
    catalog = Catalog.build(zip(tracks, analyses, strict=True))
    same = (genre[:, None] == genre[None]) & others
    return {
        "tracks": len(analyses),
        "separator": analyses[0].separator,
        "neighbours": NEIGHBOURS,
        "kinds": {name: judged(table, same, others) for name, table in tables(catalog, analyses).items()},
        "random": float((same.sum(axis=1) / others.sum(axis=1)).mean()),
    }


def tables(catalog: Catalog, analyses: Sequence[TrackAnalysis]) -> dict[str, Table]:
    """{kind of similarity: (tracks, tracks)}; instruments only where any were told apart."""
    space = sound_space(catalog)
    features = [one.features() for one in analyses]
    own = [space.vector(flat, one.separator) for flat, one in zip(features, analyses, strict=True)]
    found = {
        f"sound, {metric}": np.stack([space.similarities(vector, metric) for vector in own]).astype(
            np.float64
        )
        for metric in METRICS
    }
    timbre = timbre_vectors(catalog)
    found["timbre, cosine"] = (timbre @ timbre.T).astype(np.float64)
    names = [f"{stem}.activity" for stem in STEMS]
    if any(catalog.has(name) for name in names):
        for metric in METRICS:
            found[f"instruments, {metric}"] = np.stack(
                [instrument_similarities(catalog, flat, names, metric) for flat in features]
            ).astype(np.float64)
    return found


def judged(table: Table, same: NDArray[np.bool_], others: NDArray[np.bool_]) -> dict[str, float]:
    """Of one kind of similarity; equal ones in the order of the tracks."""
    near = np.argsort(np.where(others, -table, np.inf), axis=1, kind="stable")[:, :NEIGHBOURS]
    times = np.bincount(near.ravel(), minlength=len(table)).astype(np.float64)
    spread = float(times.std())
    return {
        "precision": float(np.take_along_axis(same, near, axis=1).mean()),
        "hubness": float(((times - times.mean()) ** 3).mean() / spread**3) if spread else 0.0,
        "asymmetry": float(np.abs(table - table.T).max()),
    }
