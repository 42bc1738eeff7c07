"""What every separator has in common: the six stems and the protocol."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from core.audio.activity import Gating
from core.audio.types import Samples

HEARD = 0.05
"""Share of the time from which on a stem counts as there; what sounds for less is mostly what a separator mistook."""

Progress = Callable[[float], None]
"""Called with the share that is done, 0..1. It may raise Cancelled to stop the work."""


class Cancelled(Exception):  # noqa: N818 - a request, not an error
    """Raised by a progress callback when nobody wants the result any more."""


class Separator(Protocol):
    """Splits a mix into stems."""

    name: str
    """Stored with every analysis, since percentiles never mix separators: 'htdemucs_6s', 'unet', 'none'."""

    version: str
    """Changes whenever the stems may change: weights, overlap, code."""

    rate: int
    """Sample rate in Hz that `separate` expects and returns."""

    reliability: dict[str, float]
    """How far each stem can be trusted, 0..1; rules on a stem count that much."""

    gate: Gating
    """From when on a stem counts as sounding (core.audio.activity); learnt for one that leaks much (core.audio.detector)."""

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        """Split `mix`, shape (2, n) at `rate`, into {stem: (2, n)}; a separator may leave stems out.

        The same input gives the same output. Raises Cancelled when `progress` does.
        """
        ...


def separate_all(
    separator: Separator, mixes: Iterable[Samples], progress: Progress | None = None
) -> Iterator[dict[str, Samples]]:
    """The stems of each of `mixes`, in order; a separator that has a `separate_all` of its own takes them together.

    `mixes` may be read some tracks ahead; `progress` is told the share of the track that comes next.
    """
    together = getattr(separator, "separate_all", None)
    if together is not None:
        yield from together(mixes, progress)
    else:
        for mix in mixes:
            yield separator.separate(mix, progress)
