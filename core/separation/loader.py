"""Which separator works: a fixed list of names, since model files can run code (see `htdemucs`), and what packages add."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from core.audio.activity import Gate, Gating
from core.audio.types import Samples
from core.errors import UserError
from core.separation.base import Progress, Separator

GROUP = "moodstem.separators"
SEPARATORS = ("auto", "htdemucs_6s", "unet", "none")

log = logging.getLogger(__name__)


class NoSeparator:
    """Leaves the mix whole: no stems, so only rules on the mix speak."""

    name = "none"
    version = "1"
    rate = 44_100

    def __init__(self) -> None:
        self.reliability: dict[str, float] = {}
        self.gate: Gating = Gate()

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        if progress is not None:
            progress(1.0)
        return {}


def plugin(name: str) -> EntryPoint | None:
    """A separator that an installed package brings: an entry point of the group `moodstem.separators`, named as the
    separator, that is a function `(threads: int | None) -> Separator`. Only what the operator installed is ever run."""
    return next(iter(entry_points(group=GROUP, name=name)), None)


def known(name: str) -> bool:
    """Whether `load_separator` has it, by itself or from an installed package."""
    return name in SEPARATORS or plugin(name) is not None


def load_separator(
    name: str = "auto",
    *,
    weights_dir: Path | None = None,
    threads: int | None = None,
    htdemucs: Mapping[str, Any] | None = None,
) -> Separator:
    """Load a separator by its name.

    'htdemucs_6s' takes the weights in `weights_dir`; without such a folder those that demucs keeps, which are fetched on
    first use. 'unet' is bundled, 'none' leaves the mix whole, 'auto' is htdemucs_6s where its weights are at hand, else
    unet, and never downloads. When the weights of htdemucs_6s cannot be had or read, one line in the log says so and the
    bundled separator takes over. `threads` limits the CPU threads; `htdemucs` is how htdemucs_6s is to work ("overlap",
    "precision", "compiled", see `load_htdemucs`). Raises UserError for other names that no installed
    package brings (`plugin`).
    """
    if name not in SEPARATORS:
        entry = plugin(name)
        if entry is None:
            raise UserError(f"There is no separator {name!r}; choose one of {', '.join(SEPARATORS)}.")
        loaded: Separator = entry.load()(threads)
        return loaded
    if name == "none":
        return NoSeparator()
    if name in ("auto", "htdemucs_6s"):
        from core.separation.htdemucs import load_htdemucs

        try:
            folder = _weights(weights_dir, fetch=name == "htdemucs_6s")
            if folder is not None or name == "htdemucs_6s":
                return load_htdemucs(folder, threads=threads, **htdemucs or {})
        except UserError as error:
            log.warning("%s The bundled separator takes over.", error)
    from core.separation.unet import load_unet

    return load_unet(threads)


def at_hand(name: str, *, weights_dir: Path | None = None) -> str:
    """What `load_separator` would give, by name, without loading or fetching anything: 'htdemucs_6s' or 'unet' for
    'auto', other names as they are. Weights that are there and cannot be read are found out when they are loaded.

    The bot tells with it what its workers use: it must not import PyTorch.
    """
    if name not in ("auto", "htdemucs_6s"):
        return name
    return "htdemucs_6s" if _weights(weights_dir, fetch=False) is not None else "unet"


def _weights(weights_dir: Path | None, *, fetch: bool) -> Path | None:
    """The folder with weights of htdemucs_6s; the one that is named, or else demucs' own."""
    from core.separation import download
    from core.separation.checkpoint import has_weights

    if weights_dir is not None:
        return weights_dir if fetch or has_weights(weights_dir) else None
    folder = download.cache_folder()
    if not has_weights(folder):
        if not fetch:
            return None
        download.fetch(folder)
    return folder
