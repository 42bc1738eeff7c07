"""What a listener is in the mood for: nine moods, how sure we are, and listening preferences."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from core.errors import Refusal
from core.i18n import LANGUAGES as SPOKEN
from core.i18n import spoken

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

LANGUAGES = tuple(SPOKEN)


@cache
def tables(name: str) -> dict[str, Any]:
    """One of this package's TOML tables, read once: 'questions', 'rules' or 'occasions'."""
    return tomllib.loads(files("core.moods").joinpath(f"{name}.toml").read_text("utf-8"))


def translated(texts: dict[str, Any], language: str | None = None) -> Any:
    """The text in `language` ('de', 'es-ES', ...; the reader's when not said), in English where there is none."""
    return texts.get((language or spoken()).split("-")[0].lower(), texts["en"])


def mood_label(mood: str, language: str | None = None) -> str:
    """The mood's name for buttons and tables: 'Joyful activation'."""
    return str(translated(tables("questions")["moods"][mood]["label"], language))


def mood_adjective(mood: str, language: str | None = None) -> str:
    """The mood inside a sentence: 'joyful'."""
    return str(translated(tables("questions")["moods"][mood]["adjective"], language))


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

    def summary(self, language: str | None = None) -> str:
        """One line about the listener: 'mostly calm and a little nostalgic'."""
        words = {
            name: str(translated(texts, language)) for name, texts in tables("questions")["summary"].items()
        }
        first, second = [*self.strongest(2), ("", 0.0), ("", 0.0)][:2]
        if first[1] < 0.2:
            return words["none"]
        line = f"{words['mostly']} {mood_adjective(first[0], language)}"
        if second[1] >= max(0.2, 0.45 * first[1]):
            line += f" {words['and']} {words['also']} {mood_adjective(second[0], language)}"
        return line
