"""A package that adds a separator, installed for the length of a test: a module, its metadata and its entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.recommend.table import trust
from core.separation.registry import describe, installed

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
    """Write what pip would install for the package moodstem-halves into `folder`, and return it."""
    info = folder / "moodstem_halves-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moodstem-halves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[moodstem.separators]\nhalves = {entry}\n")
    source = module.replace("{rank}", str(rank)).replace("{reliability!r}", repr(reliability))
    (folder / "moodstem_halves.py").write_text(source)
    return folder


@contextmanager
def installed_plugin(folder: Path) -> Iterator[None]:
    """Have this process find what `write_plugin` wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        _forget()
        try:
            yield
        finally:
            sys.modules.pop("moodstem_halves", None)
            patch.undo()
            _forget()


def _forget() -> None:
    for remembered in (installed, describe, trust):
        remembered.cache_clear()
