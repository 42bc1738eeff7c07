"""What real music measures like, for libraries that are too small to tell.

`reference.json` holds, for each separator, quantiles of every feature that rules and similarity use, and the rank
correlations between them, from which the laboratory draws made-up tracks. `moodstem calibrate --write` makes it from a
folder of music; only these summaries are kept.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def references() -> dict[str, dict[str, Any]]:
    """Return {separator: {tracks, quantiles: {feature: ascending from minimum to maximum}, correlation: upper triangle}}."""
    path = files("core.library").joinpath("reference.json")
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def quantiles(separator: str, name: str) -> list[float] | None:
    """Return the feature's quantiles. The whole track measures alike whichever separator ran, a stem does not."""
    tables = {key: one["quantiles"] for key, one in references().items()}
    own: list[float] | None = tables.get(separator, {}).get(name)
    if own is None and name.startswith("mix."):
        return next((table[name] for table in tables.values() if name in table), None)
    return own
