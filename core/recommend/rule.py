"""A rule: which descriptor of which source speaks for a topic, and how well a track suits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SATURATION = 0.9
"""Percentiles outside the middle 90% fit no better or worse: the extremes of a library are often outliers."""

LOW, HIGH = 0.35, 0.65
"""Percentiles below and above which a value is called low and high."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Rule:
    """One line of rules.toml or steers.toml; exactly one of `mood`, `occasion`, `preference` and `steer` is set.

    `direction` is 'low', 'high' or 'range'; a range has its two ends and its margin in the descriptor's unit.
    """

    id: str
    mood: str | None
    occasion: str | None
    preference: str | None
    source: str
    descriptor: str
    direction: str
    weight: float
    text: str
    citation: str
    range: tuple[float, float] | None = None
    margin: float | None = None
    steer: str | None = None

    @property
    def topic(self) -> str:
        if self.steer:
            return f"steer.{self.steer}"
        return self.mood or self.occasion or f"preference.{self.preference}"

    @property
    def feature(self) -> str:
        return f"{self.source}.{self.descriptor}"

    def fit(self, values: Matrix, percentiles: Matrix) -> Matrix:
        """How well values (in their unit) and percentiles (0..1) suit the rule, -1..1; NaN where they are missing."""
        if self.range is not None and self.margin is not None:
            return range_fit(values, *self.range, self.margin)
        return percentile_fit(percentiles, -1.0 if self.direction == "low" else 1.0)


def range_fit(values: Matrix, low: Any, high: Any, margin: Any) -> Matrix:
    """1 between low and high, falling by 2 over each margin beyond, at least -1."""
    beyond = np.maximum(np.maximum(low - values, values - high), 0)
    fit: Matrix = np.maximum(1 - 2 * beyond / margin, -1)
    return fit


def percentile_fit(percentiles: Matrix, sign: Any) -> Matrix:
    """-1 to 1 as the percentile goes from 0 to 1 (or from 1 to 0 for a negative sign), saturating at both ends."""
    fit: Matrix = np.clip(sign * (2 * percentiles - 1) / np.float32(SATURATION), -1, 1)
    return fit
