"""What a listener is in the mood for: nine moods, how sure we are, and listening preferences."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from core.errors import Refusal

MOODS = (
    "wonder",
    "transcendence",
    "tenderness",
    "nostalgia",
    "peacefulness",
    "power",
    "joyful_activation",
    "tension",
    "sadness",
)
"""The nine of the Geneva Emotional Music Scale (Zentner, Grandjean & Scherer 2008)."""

PREFERENCES = ("vocals", "harmony", "rhythm", "brightness")


@cache
def tables(name: str) -> dict[str, Any]:
    """One of this package's TOML tables, read once: 'questions', 'rules' or 'occasions'."""
    return tomllib.loads(files("core.moods").joinpath(f"{name}.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Profile:
    """Weights of moods in 0..1, their standard deviations, and preferences in -1 (less) .. 1 (more).

    Moods and preferences that are left out weigh 0. Raises UserError for unknown names and numbers out of range.
    """

    moods: dict[str, float] = field(default_factory=dict)
    uncertainty: dict[str, float] = field(default_factory=dict)
    preferences: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, values, names, low in (
            ("mood", self.moods, MOODS, 0.0),
            ("mood", self.uncertainty, MOODS, 0.0),
            ("preference", self.preferences, PREFERENCES, -1.0),
        ):
            for name, value in values.items():
                if name not in names:
                    raise Refusal("no-such-name", what=what, name=name, names=", ".join(names))
                if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= 1):
                    raise Refusal("weight-out-of-range", what=what, name=name, low=low, value=value)

    def to_json(self) -> dict[str, dict[str, float]]:
        return {
            "moods": dict(self.moods),
            "uncertainty": dict(self.uncertainty),
            "preferences": dict(self.preferences),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Profile:
        return cls(data.get("moods", {}), data.get("uncertainty", {}), data.get("preferences", {}))

    def strongest(self, n: int = 3) -> list[tuple[str, float]]:
        """The `n` strongest moods with their weights, strongest first; moods that weigh nothing are left out.

        Equal weights keep the order of MOODS.
        """
        weighted = [(mood, self.moods.get(mood, 0.0)) for mood in MOODS]
        return sorted((pair for pair in weighted if pair[1] > 0), key=lambda pair: -pair[1])[:n]
