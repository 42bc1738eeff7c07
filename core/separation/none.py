"""No separation: the mix stays whole, and only rules on the mix count."""

from __future__ import annotations

from core.audio.activity import Gate, Gating
from core.audio.types import Samples
from core.separation.base import Progress, SeparatorInfo


class NoSeparator:
    """See `core.separation.base.Separator`."""

    name = "none"
    version = "1"
    rate = 44_100

    def __init__(self) -> None:
        self.gate: Gating = Gate()

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        """Return no stems."""
        if progress is not None:
            progress(1.0)
        return {}


INFO = SeparatorInfo("none", "`none`", rank=90, reliability={}, load=lambda options: NoSeparator())
