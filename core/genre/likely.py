"""Which genres a network's probabilities amount to, if any."""

from __future__ import annotations

from collections.abc import Mapping

SURE = 0.6
"""One genre, or two together, must have as much. Of neighbours such as pop and rock a network often knows only that it is
one of them, and that is then what is said."""


def likely(genres: Mapping[str, float]) -> list[str]:
    """The one genre, or the two, likeliest first, that it takes a track for; none where it is not sure."""
    best = sorted(genres.items(), key=lambda one: (-one[1], one[0]))[:2]
    if best and best[0][1] >= SURE:
        return [best[0][0]]
    return [genre for genre, _ in best] if sum(share for _, share in best) >= SURE and len(genres) > 2 else []
