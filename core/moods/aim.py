"""Match the mood, or move it: the profile that music is chosen for, from the profile that a listener has.

`lift` and `settle` move a part of some moods' weight to others and leave the rest, all by the shares of aims.toml, so
the sum of the weights stays what it was. That something of the present mood stays follows the iso principle (Starcke,
Mayr & von Georgi 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import Refusal
from core.moods.profile import MOODS, Profile, tables

AIMS = ("match", "lift", "settle")


def aim_entry(aim: str) -> Mapping[str, Any]:
    """Return the aim's entry in aims.toml, its label by language. Raises UserError for an unknown one."""
    if aim not in AIMS:
        raise Refusal("no-aim", name=aim, aims=", ".join(AIMS))
    row: Mapping[str, Any] = tables("aims")["aim"][aim]
    return row


def aim_emoji(aim: str) -> str:
    """For buttons."""
    return str(aim_entry(aim)["emoji"])


def aimed(profile: Profile, aim: str) -> Profile:
    """The profile to choose music for. Preferences stay; the uncertainty, which is about the present, goes.

    Where a target would weigh more than 1, all weights are scaled down together: only their proportions count.
    Raises UserError for an unknown aim, and when there is no mood to start from.
    """
    row = aim_entry(aim)
    if aim == "match":
        return profile
    if not any(profile.moods.values()):
        raise Refusal("aim-without-mood", aim=aim)
    target = _target(profile.moods, row)
    highest = max(1.0, *target.values())
    return Profile(
        {mood: weight / highest for mood, weight in target.items() if weight > 0},
        preferences=profile.preferences,
    )


def _target(moods: Mapping[str, float], row: Mapping[str, Any]) -> dict[str, float]:
    """The weights after the aim of this row, with the sum that they had."""
    stays, towards = row["stays"], row["towards"]
    moved = {mood: moods.get(mood, 0.0) * (1 - stays.get(mood, 1.0)) for mood in MOODS}
    share = sum(moved.values()) / sum(towards.values())
    return {mood: moods.get(mood, 0.0) - moved[mood] + share * towards.get(mood, 0.0) for mood in MOODS}


def aim_moves(profile: Profile, aim: str) -> tuple[list[str], list[str]]:
    """Return up to two moods that the aim takes weight from and two that it gives weight to, most first."""
    target = _target(profile.moods, aim_entry(aim))
    change = {mood: target[mood] - profile.moods.get(mood, 0.0) for mood in MOODS}
    losing = [mood for mood in sorted(MOODS, key=lambda mood: change[mood]) if change[mood] < -0.02][:2]
    gaining = [mood for mood in sorted(MOODS, key=lambda mood: -change[mood]) if change[mood] > 0.02][:2]
    return losing, gaining
