"""Which separator works: a fixed list of names, since model files can run code (see `htdemucs`)."""

from __future__ import annotations

import logging
from pathlib import Path

from core.errors import UserError
from core.separation.base import Progress, Samples, Separator

SEPARATORS = ("auto", "htdemucs_6s", "unet", "none")

log = logging.getLogger(__name__)


class NoSeparator:
    """Leaves the mix whole: no stems, so only rules on the mix speak."""

    name = "none"
    version = "1"
    rate = 44_100

    def __init__(self) -> None:
        self.reliability: dict[str, float] = {}
        self.gate_db: dict[str, float] = {}

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        if progress is not None:
            progress(1.0)
        return {}


def load_separator(
    name: str = "auto", *, weights_dir: Path | None = None, threads: int | None = None
) -> Separator:
    """Load a separator: 'htdemucs_6s' (weights in `weights_dir`, never downloaded), 'unet' (bundled), 'none',
    or 'auto' (htdemucs_6s where its weights are, else unet).

    `threads` limits the CPU threads of separation. Raises UserError for other names and for missing or
    unreadable weights; 'auto' logs that and takes the bundled separator.
    """
    if name not in SEPARATORS:
        raise UserError(f"There is no separator {name!r}; choose one of {', '.join(SEPARATORS)}.")
    if name == "none":
        return NoSeparator()
    if name in ("auto", "htdemucs_6s"):
        from core.separation.htdemucs import has_weights, load_htdemucs

        if name == "htdemucs_6s":
            return load_htdemucs(weights_dir, threads=threads)
        if weights_dir is not None and has_weights(weights_dir):
            try:
                return load_htdemucs(weights_dir, threads=threads)
            except UserError as error:
                log.warning("%s The bundled separator takes over.", error)
    from core.separation.unet import load_unet

    return load_unet(threads)
