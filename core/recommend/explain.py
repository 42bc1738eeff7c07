"""Which reasons to tell: the strongest that each say something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.library.recommendations import Reason
from core.recommend.table import PRESENCE

WEIGHS = 0.005
"""A reason against a track is only named when it takes away this much."""

NEARLY = 0.6
"""A reason that counts this share of the strongest may stand for it where that was said already."""


class Explained(Protocol):
    """A recommendation, fresh or as it was stored."""

    @property
    def score(self) -> float: ...
    @property
    def reasons(self) -> Sequence[Reason]: ...
    @property
    def against(self) -> Sequence[Reason]: ...
    @property
    def missing(self) -> Sequence[str]: ...
    @property
    def parts(self) -> Mapping[str, float]: ...
    @property
    def separator(self) -> str: ...


def speaking_for(one: Explained) -> list[Reason]:
    """What speaks for the track; chance says nothing about it."""
    return [reason for reason in one.reasons if reason.contribution > 0 and reason.rule != "surprise"]


def distinct(reasons: Sequence[Reason], n: int, skip: Sequence[Reason] = ()) -> list[Reason]:
    """The first `n` reasons that say something that neither an earlier one nor `skip` has said.

    How long a stem sounds and how loud it is are one thing here: who cannot be heard is far back, too.
    """
    seen = {_about(reason) for reason in skip}
    found = []
    for reason in reasons:
        if _about(reason) not in seen:
            seen.add(_about(reason))
            found.append(reason)
    return found[:n]


def _about(reason: Reason) -> tuple[str, str, bool]:
    present = reason.source != "mix" and reason.descriptor in PRESENCE
    return reason.source, "presence" if present else reason.descriptor, reason.contribution > 0


def in_short(one: Explained, n: int, said: set[str]) -> list[Reason]:
    """`n` reasons for a list of picks: what mood and occasion say first, since all picks have the steers in common.

    A rule that stands with an earlier pick (`said`, which grows) is passed over for one that counts nearly as much.
    """
    chosen = sorted(speaking_for(one), key=lambda reason: reason.steer is not None)
    chosen = distinct(chosen, len(chosen))
    strong = [reason for reason in chosen if reason.contribution >= NEARLY * chosen[0].contribution]
    fresh = sorted(strong, key=lambda reason: reason.rule in said)
    shown = [*fresh, *(reason for reason in chosen if reason not in strong)][:n]
    said.update(reason.rule for reason in shown)
    return shown
