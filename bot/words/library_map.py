"""The map of the library in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bot.words.i18n import mark, tr
from bot.words.moods import mood_adjective
from bot.words.named import word
from core.recommend.music_map import Axis

CORNERS = (mark("right"), mark("upper right"), mark("top"), mark("upper left"), mark("left"), mark("lower left"),
           mark("bottom"), mark("lower right"))  # fmt: skip


def map_in_words(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return what core.recommend.music_map.drawn gives as core.pictures.library_map needs it."""
    return {
        **drawn,
        "directions": [
            [mood_adjective(mood), x, y, strength, mood] for mood, x, y, strength in drawn["directions"]
        ],
        "axes": [list(axis_text(axis)) for axis in drawn["axes"]],
    }


def axis_text(axis: Axis) -> tuple[str, str]:
    """('slower', 'faster'), both empty where no measurement runs along the axis."""
    if axis is None:
        return "", ""
    lower, higher = (word("lower" if end == "low" else "higher", name) for name, end in axis)
    return lower, higher


def corner(x: float, y: float) -> str:
    """Which way a point lies from the middle: 'upper left'."""
    return tr(CORNERS[round(math.atan2(y, x) / (math.pi / 4)) % 8])
