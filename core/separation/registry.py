"""The separators: those of this package, and those that installed packages add by entry point. Imports no torch.

Names come from this list, never from a model file, since model files can run code (see `checkpoint`). Another separator
of this package is its own file and its line in BUNDLED.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.plugins import with_plugins
from core.separation import htdemucs, none, unet
from core.separation.base import Separator, SeparatorInfo, SeparatorOptions

BUNDLED = (htdemucs.INFO, unet.INFO, none.INFO)

FALLBACK = unet.INFO
"""Needs nothing that this package does not contain."""

UNKNOWN_RELIABILITY = {"drums": 0.5, "bass": 0.5, "vocals": 0.5, "guitar": 0.25, "piano": 0.25, "other": 0.25}
"""Assumed of a separator that made stored analyses and is not installed (any more)."""

log = logging.getLogger(__name__)


@cache
def installed() -> tuple[SeparatorInfo, ...]:
    """Return all separators, best rank first. Packages that the operator installed are imported for it."""
    found = with_plugins(BUNDLED, "moodstem.separators", SeparatorInfo)
    return tuple(sorted(found.values(), key=lambda info: (info.rank, info.name)))


def names() -> tuple[str, ...]:
    """Return the names that `load_separator` accepts."""
    return ("auto", *(info.name for info in installed()))


@cache
def describe(name: str) -> SeparatorInfo:
    """Return the SeparatorInfo of `name`; for one that is not installed, cautious assumptions and the last rank."""
    for info in installed():
        if info.name == name:
            return info

    def refuse(options: SeparatorOptions) -> Separator:
        raise UserError(f"There is no separator {name!r}; choose one of {', '.join(names())}.")

    return SeparatorInfo(name, f"`{name}`", sys.maxsize, UNKNOWN_RELIABILITY, refuse, uses_gpu=True)


def load_separator(
    name: str = "auto",
    *,
    weights_dir: Path | None = None,
    threads: int | None = None,
    htdemucs: Mapping[str, Any] | None = None,
) -> Separator:
    """Load a separator by its name; 'auto' is the best of this package that needs no download (see `at_hand`).

    The arguments are those of SeparatorOptions. When the weights of htdemucs_6s cannot be had or read, one line in the
    log says so and the bundled separator takes over. Raises UserError for a name that is not one of `names()`.
    """
    options = SeparatorOptions(threads, weights_dir, htdemucs or {})
    info = describe(at_hand(name, weights_dir=weights_dir) if name == "auto" else name)
    try:
        return info.load(options)
    except UserError as error:
        if info.at_hand is None:
            raise
        log.warning("%s The bundled separator takes over.", error)
        return FALLBACK.load(options)


def at_hand(name: str, *, weights_dir: Path | None = None) -> str:
    """Return the name of what `load_separator` would give without fetching anything.

    Weights that are there and cannot be read are found out when they are loaded. The bot tells with it what its workers
    use.
    """
    options = SeparatorOptions(weights=weights_dir)
    wanted = sorted(BUNDLED, key=lambda info: info.rank) if name == "auto" else [describe(name)]
    for info in wanted:
        if info.at_hand is None or info.at_hand(options):
            return info.name
    return FALLBACK.name
