"""A package that adds a separator, installed for the length of a test."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from core.recommend.table import trust
from core.separation.registry import describe, installed
from tests.fakes.package import installed_package, write_package

MODULE = '''
from core.audio.activity import Gate
from core.separation.base import SeparatorInfo


class Halves:
    """Half of the mix is the drums, half the bass."""

    name, version, rate, gate = "halves", "1", 44_100, Gate()

    def separate(self, mix, progress=None):
        if progress is not None:
            progress(1.0)
        return {"drums": mix / 2, "bass": mix / 2}


INFO = SeparatorInfo(
    name="halves", label="Halves 1.0", rank={rank}, reliability={reliability!r}, load=lambda options: Halves()
)
'''

RELIABILITY = {"drums": 0.81, "bass": 0.16}


def write_plugin(
    folder: Path,
    *,
    rank: int = 15,
    reliability: dict[str, float] = RELIABILITY,
    module: str = MODULE,
    entry: str = "moodstem_halves:INFO",
) -> Path:
    """Write the package moodstem-halves into `folder`, and return it."""
    source = module.replace("{rank}", str(rank)).replace("{reliability!r}", repr(reliability))
    return write_package(folder, "moodstem_halves", source, "moodstem.separators", f"halves = {entry}")


def installed_plugin(folder: Path) -> AbstractContextManager[None]:
    """Have this process find what `write_plugin` wrote."""
    return installed_package(folder, "moodstem_halves", installed, describe, trust)
