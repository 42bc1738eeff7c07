"""The engines: those of this package, and those that installed packages add by entry point. Imports no Ray."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import create_model

from core.plugins import with_plugins
from core.settings import JobSettings
from jobs.engines import local
from jobs.engines.base import EngineInfo
from jobs.engines.cluster import engine as ray

BUNDLED = (local.INFO, ray.INFO)


@cache
def installed() -> Mapping[str, EngineInfo]:
    """Return all engines by name. Packages that the operator installed are imported for it."""
    return with_plugins(BUNDLED, "moodstem.engines", EngineInfo)


@cache
def job_settings() -> type[JobSettings]:
    """Return the settings under `[jobs]`, with the keys of every installed engine."""
    kinds = tuple(info.settings for info in installed().values() if info.settings is not None)
    names: Any = Literal[tuple(installed())]
    return create_model("JobSettings", __base__=kinds, engine=(names, "local"))
