"""Arousal and valence from the nine moods: the plane on which listeners know moods to lie (Russell 1980)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.library.catalog import Catalog
from core.recommend.topic_scores import prepare

AROUSAL = {
    "power": 1, "joyful_activation": 1, "tension": 1,
    "transcendence": -1, "tenderness": -1, "peacefulness": -1,
}  # fmt: skip
VALENCE = {"joyful_activation": 1, "tenderness": 1, "peacefulness": 1, "tension": -1, "sadness": -1}
"""High arousal are tension, power and joy, low arousal is peacefulness (Trost et al. 2012) and, as slow and soft music
expresses them (Gabrielsson & Lindström 2010), tenderness and solemnity; joy, tenderness and peacefulness are positive,
tension and sadness negative. Wonder, nostalgia and sadness are left out of arousal and wonder, nostalgia, power and
transcendence out of valence: the literature is divided on them, and EMOPIA's development half did not need them."""

Vector = NDArray[np.float64]


def axis(moods: Mapping[str, Vector], signs: Mapping[str, int]) -> Vector:
    """Mean of the scores of the moods that count for it less that of those against it, (tracks,)."""
    up = np.mean([moods[mood] for mood, sign in signs.items() if sign > 0], axis=0)
    down = np.mean([moods[mood] for mood, sign in signs.items() if sign < 0], axis=0)
    result: Vector = up - down
    return result


def ranked(values: NDArray[np.floating]) -> Vector:
    """The share of tracks that lie below each, 0..1; equal ones share their mean rank."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return (below - 1) / 2 / max(len(values) - 1, 1)


def plane(catalog: Catalog) -> Vector:
    """(tracks, 2): valence and arousal of each track as its place in the library, 0..1."""
    return catalog.scored(_plane)


def _plane(catalog: Catalog) -> Vector:
    prepared = prepare(catalog)
    moods = {mood: prepared.scores({mood: 1.0}).astype(np.float64) for mood in {**AROUSAL, **VALENCE}}
    return np.stack([ranked(axis(moods, VALENCE)), ranked(axis(moods, AROUSAL))], axis=1)
