"""Where tracks come from: each source of music is one module here that defines `SOURCE`; `base` says what that is."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from core.library.sources.base import Source

MEMBER_OWNED_SQL = "(SELECT origin FROM source WHERE member_owned)"
"""The origins of tracks that members bring; the table `source` holds what queries ask of sources."""


@functools.cache
def sources() -> Mapping[str, Source]:
    """Return every source of music by the origin of its tracks, the most lasting first."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    found: list[Source] = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    return {source.origin: source for source in sorted(found, key=lambda source: -source.rank)}
