"""What an analysis of a recording holds: plain data, which core.analysis makes and everything else reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.audio.activity import SILENT_DB
from core.errors import Fact

ANALYSER_VERSION = 2
"""Raise it whenever a descriptor's value may change: stored analyses are then made anew in the background."""


@dataclass(frozen=True)
class TrackAnalysis:
    """What one separator and this analyser say about one recording; plain data, ready for JSON.

    `descriptors[source][name]` is `{"mean", "std", "unit"}` for descriptors that vary over frames and
    `{"value", "unit"}` for those that hold for the whole track (tempo, majorness, musical contrast...).
    A stem that does not sound has no entry. `activity_curve[stem]` is its activity in equal slices of the
    track, 0..1, for the picture.
    """

    content_hash: str
    duration_s: float
    separator: str
    separator_version: str
    analyser_version: int
    tempo_bpm: float | None
    key: str | None
    mode: str | None
    musical_contrast: dict[str, float]
    instruments: dict[str, dict[str, float]]
    descriptors: dict[str, dict[str, dict[str, Any]]]
    activity_curve: dict[str, list[float]]
    notes: list[Fact] = field(default_factory=list)
    latent: dict[str, Any] | None = None
    """What the genre network says of its middle half minute (core.genre.model.Heard); kept in a table of its own, so that
    an analysis from the library has none."""

    @property
    def separated_by(self) -> str:
        """Name and version of the separator."""
        return f"{self.separator} {self.separator_version}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name; the tables in them are its own, not copies (copying them takes 3 ms)."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrackAnalysis:
        return cls(**data)

    def features(self) -> dict[str, float]:
        """Flat view for rules and vectors: 'drums.activity', 'mix.tempo', 'mix.spectral_centroid' (the mean
        or the single value) and 'mix.spectral_centroid.std' (any other statistic).

        A stem that does not sound has an activity and the level of silence, whatever leaks into it; nothing else.
        """
        flat = {
            f"{stem}.{name}": SILENT_DB if name == "level_db" and stem not in self.descriptors else value
            for stem, facts in self.instruments.items()
            for name, value in facts.items()
        }
        for source, descriptors in self.descriptors.items():
            for name, statistics in descriptors.items():
                for statistic, value in statistics.items():
                    if statistic == "unit":
                        continue
                    suffix = "" if statistic in ("mean", "value") else f".{statistic}"
                    flat[f"{source}.{name}{suffix}"] = value
        return flat


def content_hash(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hexadecimal, by which the same audio file is analysed once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
