"""What cards, reports and pictures call the descriptors; glossary.toml has the words."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from core.i18n import mark, tr

_STATISTICS = {
    "std": mark("variation of {what}"),
    "p10": mark("low end of {what}"),
    "p90": mark("high end of {what}"),
}


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("core.library").joinpath("glossary.toml").read_text("utf-8"))


def known() -> tuple[str, ...]:
    """Descriptors that have a name of their own and are one number each, which a listener can follow."""
    return tuple(name for name, entry in _table().items() if not entry.get("row"))


def label(feature: str) -> str:
    """'brightness' for 'mix.spectral_centroid' and for 'spectral_centroid'; 'variation of brightness' for its .std."""
    parts = feature.split(".")
    name = parts[-2] if parts[-1] in _STATISTICS and len(parts) > 1 else parts[-1]
    words = tr(str(_table().get(name, {}).get("label", name.replace("_", " "))))
    return tr(_STATISTICS[parts[-1]], what=words) if parts[-1] in _STATISTICS else words


def end(feature: str, side: str) -> str:
    """What one end of a descriptor ('low' or 'high') is called where that is not the word with its label, else ''."""
    found = str(_table().get(feature.split(".")[-1], {}).get(side, ""))
    return tr(found) if found else ""


def meaning(feature: str) -> str:
    """What the descriptor measures, or ''."""
    parts = [part for part in feature.split(".") if part not in _STATISTICS]
    found = str(_table().get(parts[-1], {}).get("meaning", ""))
    return tr(found) if found else ""
