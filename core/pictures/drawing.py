"""Pictures of more than one track, drawn in a child process as those of `core.pictures.details`: two tracks
compared, the path of a journey, the map of the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.pictures.details import answer, drawn_by

if TYPE_CHECKING:
    from core.analysis import TrackAnalysis

MODULE = "core.pictures.drawing"


async def draw_comparison(
    tracks: Sequence[tuple[str, TrackAnalysis, Path | None]],
    similarity: float,
    parts: Sequence[tuple[str, str, str, float]],
    max_seconds: float,
) -> bytes:
    """PNG of two tracks, each (title, analysis, audio where it is kept), beside each other; see
    core.pictures.comparison for `parts`. Raises UserError."""
    order = {
        "kind": "comparison",
        "tracks": [
            {"title": title, "analysis": analysis.to_json(), "audio": str(audio) if audio else None}
            for title, analysis, audio in tracks
        ],
        "similarity": similarity,
        "parts": [list(part) for part in parts],
        "max_seconds": max_seconds,
    }
    return (await drawn_by(MODULE, order))["comparison"]


async def draw_journey(drawn: Mapping[str, object]) -> bytes:
    """PNG of what core.recommend.journey.drawn tells. Raises UserError."""
    return (await drawn_by(MODULE, {"kind": "journey", "drawn": dict(drawn)}))["journey"]


async def draw_map(drawn: Mapping[str, object]) -> bytes:
    """PNG of what core.recommend.music_map.drawn tells. Raises UserError."""
    return (await drawn_by(MODULE, {"kind": "map", "drawn": dict(drawn)}))["map"]


def compute(order: dict[str, Any]) -> dict[str, bytes]:
    """The child's side."""
    kind = str(order["kind"])
    return {kind: KINDS[kind](order)}


def _comparison(order: dict[str, Any]) -> bytes:
    from core.analysis import TrackAnalysis
    from core.audio.decode import DecodeLimits, decode
    from core.pictures.comparison import Side, comparison_picture

    sides = []
    for track in order["tracks"]:
        sound, rate = None, 44100
        if track["audio"] is not None:
            try:
                audio = decode(Path(track["audio"]), DecodeLimits(max_seconds=order["max_seconds"]))
                sound, rate = audio.samples, audio.rate
            except UserError:
                pass
        sides.append(Side(track["title"], TrackAnalysis.from_json(track["analysis"]), sound, rate))
    parts = [tuple(part) for part in order["parts"]]
    return comparison_picture(sides[0], sides[1], order["similarity"], parts)


def _journey(order: dict[str, Any]) -> bytes:
    from core.pictures.journey import journey_picture

    return journey_picture(order["drawn"])


def _map(order: dict[str, Any]) -> bytes:
    from core.pictures.library_map import map_picture

    return map_picture(order["drawn"])


KINDS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "comparison": _comparison,
    "journey": _journey,
    "map": _map,
}

if __name__ == "__main__":
    answer(compute)
