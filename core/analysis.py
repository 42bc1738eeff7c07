"""From a file to everything that is known about its sound: decode, separate, describe. The one pipeline."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.audio.activity import SILENT_DB
from core.audio.decode import DecodeLimits, decode
from core.audio.descriptors import describe
from core.audio.device import fastest_device
from core.audio.spectrum import resample
from core.errors import Fact, UserError, fact
from core.separation.base import Progress, Separator

log = logging.getLogger(__name__)

DECODED, SEPARATED = 0.05, 0.95
"""Progress once the file is decoded and once the stems are there."""

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
        """Its fields; the tables in them are its own, not copies (copying them takes 3 ms)."""
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
    """SHA-256 of the file's bytes, in hexadecimal: the same audio file is analysed once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def analyse(
    path: Path,
    separator: Separator,
    progress: Progress | None = None,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
) -> TrackAnalysis:
    """Decode, separate and describe one audio file.

    Raises core.errors.UserError with one clear sentence when the file cannot be analysed, and Cancelled when
    `progress` does. Deterministic: the same file and the same separator give the same analysis.
    """
    say = progress or (lambda share: None)
    say(0.0)
    digest = content_hash(path) if path.is_file() else ""
    audio = decode(path, limits)
    say(DECODED)
    mix = resample(audio.samples, audio.rate, separator.rate)
    stems = separator.separate(mix, lambda share: say(DECODED + (SEPARATED - DECODED) * share))
    say(SEPARATED)
    described = describe({"mix": mix, **stems}, separator.rate, separator.gate, fastest_device())
    say(1.0)
    notes = list(audio.notes)
    if "mix" not in described.descriptors and not any(note["code"] == "silent" for note in notes):
        notes.append(fact("nothing-heard"))
    analysis = TrackAnalysis(
        content_hash=digest,
        duration_s=audio.seconds,
        separator=separator.name,
        separator_version=separator.version,
        analyser_version=ANALYSER_VERSION,
        tempo_bpm=described.tempo_bpm,
        key=described.key,
        mode=described.mode,
        musical_contrast=described.musical_contrast,
        instruments=described.instruments,
        descriptors=described.descriptors,
        activity_curve=described.activity_curve,
        notes=notes,
    )
    return replace(analysis, latent=_latent(described.power_mel, analysis))


def genre_model() -> str:
    """The version of the genre network in use; empty where there is none."""
    from core.genre.model import current_version

    try:
        return current_version()
    except UserError as error:
        log.warning("No latent vectors: %s", error)
        return ""


def _latent(power_mel: Any, analysis: TrackAnalysis) -> dict[str, Any] | None:
    """27 ms, since spectrogram and descriptors are there; None without a model, and for silence."""
    from core.genre.model import current

    try:
        model = current()
    except UserError as error:
        log.warning("No latent vectors: %s", error)
        return None
    if model is None or power_mel is None:
        return None
    heard = model.hear(power_mel, analysis.features(), analysis.separated_by)
    return heard.to_json() if heard is not None else None
