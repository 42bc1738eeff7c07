"""The process that draws for core.pictures.drawing: an order on standard input, the pictures on standard output."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.audio.decode import Audio, DecodeLimits, decode
from core.errors import UserError
from core.pictures.comparison import Side, comparison_picture
from core.pictures.journey import journey_picture
from core.pictures.library_map import map_picture
from core.pictures.profile import profile_picture
from core.pictures.spectrograms import chroma_picture, contrast_picture
from core.track_analysis import TrackAnalysis

Order = dict[str, Any]


def pictures(order: Order) -> dict[str, bytes]:
    """Return PNGs by name, of the order's kind."""
    return KINDS[order["kind"]](order)


def _details(order: Order) -> dict[str, bytes]:
    analysis, title, words = TrackAnalysis.from_json(order["analysis"]), order["title"], order["words"]
    made = {"profile": profile_picture(order["percentiles"], analysis, title, words)}
    if (sound := _sound(order["audio"], order["max_seconds"])) is not None:
        made["contrast"] = contrast_picture(sound, analysis, title, words)
        made["chroma"] = chroma_picture(sound, analysis, title, words)
    return made


def _comparison(order: Order) -> dict[str, bytes]:
    sides = []
    for track in order["tracks"]:
        analysis = TrackAnalysis.from_json(track["analysis"])
        sides.append(Side(track["title"], analysis, _sound(track["audio"], order["max_seconds"])))
    parts = [tuple(part) for part in order["parts"]]
    return {"comparison": comparison_picture(sides[0], sides[1], parts, order["words"])}


def _sound(path: str | None, max_seconds: float) -> Audio | None:
    """The audio; None where it is no longer kept or cannot be read."""
    if path is None:
        return None
    try:
        return decode(Path(path), DecodeLimits(max_seconds=max_seconds))
    except UserError:
        return None


KINDS: dict[str, Callable[[Order], dict[str, bytes]]] = {
    "details": _details,
    "comparison": _comparison,
    "journey": lambda order: {"journey": journey_picture(order["drawn"], order["words"])},
    "map": lambda order: {"map": map_picture(order["drawn"], order["words"])},
}


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(10)
    order = json.load(sys.stdin)
    made = pictures(order)
    json.dump({name: base64.b64encode(content).decode() for name, content in made.items()}, sys.stdout)


if __name__ == "__main__":
    main()
