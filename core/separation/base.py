"""What a separator is: what is known about it before it is loaded, and what it does. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.audio.activity import Gating
from core.audio.types import STEMS, Samples
from core.errors import UserError

HEARD = 0.05
"""Share of the time from which on a stem counts as present; shorter activity is mostly the separator's mistake."""

Progress = Callable[[float], None]
"""Called with the share that is done, 0..1. It may raise Cancelled to stop the work."""


class Cancelled(Exception):  # noqa: N818 - a request, not an error
    """Raised by a progress callback when nobody wants the result any more."""


class Separator(Protocol):
    """Splits a mix into stems."""

    name: str
    """The name of its SeparatorInfo. Stored with every analysis, since percentiles never mix separators."""

    version: str
    """Changes whenever the stems may change: weights, overlap, code."""

    rate: int
    """Sample rate in Hz that `separate` expects and returns."""

    gate: Gating
    """Decides when a stem sounds: `core.audio.activity.Gate`, or one that was learnt (`core.audio.detector`)."""

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        """Split `mix`, shape (2, n) at `rate`, into {stem: (2, n)}; a separator may leave stems out.

        The same input gives the same output. Raises Cancelled when `progress` does.
        """
        ...


@dataclass(frozen=True)
class SeparatorOptions:
    """What the operator sets; each separator takes what concerns it."""

    threads: int | None = None
    """Number of CPU threads; None leaves it to PyTorch."""
    weights: Path | None = None
    """Folder with weights that this package does not contain."""
    htdemucs: Mapping[str, Any] = field(default_factory=dict)
    """The section `[htdemucs]` of config.toml: overlap and precision."""


@dataclass(frozen=True)
class SeparatorInfo:
    """What everybody may know about a separator without loading it.

    It stands in the separator's own file, which must not import torch when it is imported: the bot reads it, too.
    A package adds a separator by an entry point of the group `moodstem.separators` that names its SeparatorInfo.
    """

    name: str
    """As in config.toml and in stored analyses: letters, digits, '_', '.' and '-'."""
    label: str
    """What cards call it, in Markdown; translated where the catalogues have it."""
    rank: int
    """Of several analyses of a track, the one whose separator has the lowest rank counts."""
    reliability: Mapping[str, float]
    """How far each stem can be trusted, 0..1: the share of the possible gain in SI-SDR that it reaches. Rules on a stem
    count as much as the fourth root of it, those on a stem that is not listed not at all."""
    load: Callable[[SeparatorOptions], Separator]
    """Load it. Raises UserError when that cannot be done, in a sentence that says what to do."""
    uses_gpu: bool = False
    at_hand: Callable[[SeparatorOptions], bool] | None = None
    """Whether the weights that it needs are on this machine; None where it needs none. When one that needs weights
    cannot be loaded, the bundled separator takes over."""

    @property
    def is_estimate(self) -> bool:
        """Return whether its stems contain so much of each other that cards should say so."""
        return 0 < sum(self.reliability.get(stem, 0.0) for stem in STEMS) < 0.5 * len(STEMS)


def check_stereo(mix: Samples) -> None:
    """Raise UserError unless `mix` is (2, n), float32 and finite."""
    if mix.ndim != 2 or mix.shape[0] != 2 or mix.dtype != np.float32:
        raise UserError(
            f"Separation needs stereo float32 audio, not {mix.dtype} of shape {mix.shape}: decode it first."
        )
    if not np.isfinite(mix).all():
        raise UserError("The audio contains samples that are not numbers: export it again.")


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Have PyTorch use `count` CPU threads inside the block: sums depend on it in their last digits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
