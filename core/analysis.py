"""From a file to everything that is known about its sound: decode, separate, describe. The one pipeline."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.audio.decode import DecodeLimits, decode
from core.audio.descriptors import describe
from core.audio.device import fastest_device
from core.audio.spectrum import resample
from core.errors import UserError, fact
from core.genre.model import current
from core.separation.base import Progress, Separator
from core.track_analysis import ANALYSER_VERSION, TrackAnalysis, content_hash

log = logging.getLogger(__name__)

DECODED, SEPARATED = 0.05, 0.95
"""Progress once the file is decoded and once the stems are there."""


def analyse(
    path: Path,
    separator: Separator,
    progress: Progress | None = None,
    limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    *,
    genre_model: Path | None = None,
) -> TrackAnalysis:
    """Decode, separate and describe one audio file; `genre_model` is another model than the bundled one.

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
    return replace(analysis, latent=_latent(described.power_mel, analysis, genre_model))


def _latent(power_mel: Any, analysis: TrackAnalysis, genre_model: Path | None) -> dict[str, Any] | None:
    """The genre model's vector and genres, in 27 ms, since spectrogram and descriptors are there; None without a model, and
    for silence."""
    try:
        model = current(genre_model)
    except UserError as error:
        log.warning("No latent vectors: %s", error)
        return None
    if model is None or power_mel is None:
        return None
    result = model.classify(power_mel, analysis.features(), analysis.separated_by)
    return result.to_json() if result is not None else None
