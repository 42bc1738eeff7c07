"""The kinds of jobs: each is a module that defines `KIND` (see `base`)."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from jobs.kinds.base import Kind


@functools.cache
def kinds() -> Mapping[str, Kind[Any, Any]]:
    """Return every kind of job by its name."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    return {module.KIND.name: module.KIND for module in modules if hasattr(module, "KIND")}
