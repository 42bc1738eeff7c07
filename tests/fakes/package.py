"""A package with an entry point, as pip would install it, for the length of a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def write_package(folder: Path, module: str, source: str, group: str, entry: str) -> Path:
    """Write a package of one module into `folder`, and return it; `entry` is the line of its entry point."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (folder / f"{module}.py").write_text(source)
    return folder


@contextmanager
def installed_package(folder: Path, module: str, *remembering: Any) -> Iterator[None]:
    """Have this process find what `write_package` wrote; `remembering` are the cached functions that must look again."""
    forget: list[Callable[[], None]] = [function.cache_clear for function in remembering]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        for function in forget:
            function()
        try:
            yield
        finally:
            sys.modules.pop(module, None)
            patch.undo()
            for function in forget:
                function()
