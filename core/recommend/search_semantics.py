"""What a word of a search means in measured sound: how strongly each track has it.

- A mood or an occasion: the score s that the rules give it alone (-1..1); strength (1 + s) / 2. Met when s > 0, that
  is when more speaks for it than against it.
- An instrument: the share of the time that it sounds; met from SOUNDS on. 'without': one minus that share; met below
  HEARD.
- High or low in one descriptor of the whole track: its percentile in the library, or one minus it; met from CLEAR on.
"""

from __future__ import annotations

import numpy as np

from core.library.catalog import Catalog
from core.library.query import Meaning
from core.library.search import SOUNDS
from core.recommend.rule import Matrix
from core.recommend.table import trust
from core.recommend.topic_scores import prepare
from core.separation.base import HEARD

CLEAR = 0.6


def meaning_strengths(catalog: Catalog, meaning: Meaning) -> dict[int, float]:
    """{track id: strength, 0..1} of the tracks that sound as the word says."""
    values, met = _values(catalog, meaning)
    rows = np.flatnonzero(met).tolist()
    return {catalog.tracks[row].id: float(values[row]) for row in rows}


def _values(catalog: Catalog, meaning: Meaning) -> tuple[Matrix, np.ndarray]:
    """(tracks,) meaning_strengths, and whether each track meets the word; unknown values meet nothing."""
    if meaning.kind in ("mood", "occasion"):
        scores = prepare(catalog).scores({meaning.name: 1.0})
        return np.float32(0.5) * (1 + scores), scores > 0
    if meaning.kind in ("instrument", "without"):
        activity = catalog.values(f"{meaning.name}.activity")
        with np.errstate(invalid="ignore"):
            if meaning.kind == "instrument":
                return activity, activity >= SOUNDS
            return 1 - activity, activity < HEARD
    ranks = catalog.percentiles(meaning.name)
    share = ranks if meaning.kind == "high" else 1 - ranks
    with np.errstate(invalid="ignore"):
        return share, share >= CLEAR


def estimated(separator: str | None, meaning: Meaning) -> bool:
    """Can this separator not really tell this instrument from others?"""
    return (
        meaning.kind in ("instrument", "without") and trust(separator or "", meaning.name, "activity") == 0.0
    )
