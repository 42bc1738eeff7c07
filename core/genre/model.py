"""A trained network at work: the genre of a recording and its latent vector, from the mel spectrogram that is there anyway.

A model is one safetensors file (core.genre.model_file). Beside the network, which makes the vectors, it may hold what
tells genres better (core.genre.fused).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.audio.decode import DecodeLimits, decode
from core.audio.spectrum import analyse_frames, mono
from core.audio.types import FRAME_RATE, HOP, Floats
from core.errors import UserError
from core.genre.features import SECONDS, Mel, excerpt, middle, slices
from core.genre.fused import SECONDS as MINUTE
from core.genre.fused import Fused, course
from core.genre.model_file import NO_MODEL, model_file, modified_ns, read
from core.genre.network import Genre, build

SLICES = 10
"""Slices of a half minute that a network hears, side by side."""


@dataclass(frozen=True)
class GenreResult:
    """Latent vector and genres of one recording. `vector` has length 1; `genres` sum to 1."""

    model: str
    vector: list[float]
    genres: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Model:
    """A network with its weights, for inference only. Deterministic on the same machine."""

    network: Genre
    genres: list[str]
    version: str
    fused: Fused | None

    def classify(
        self, power_mel: Floats, stems: Mapping[str, float] | None = None, separator: str = ""
    ) -> GenreResult | None:
        """Return vector and genres of the middle of a (128, T) mel power spectrogram; None where it is silent.

        The latent vector is the mean over ten slices of half a minute, scaled to length 1; genres are the mean of the slices'
        probabilities, or what `fused` says of a minute, and of the stems (TrackAnalysis.features) where `separator`, its name
        and version, is the one that it learned from.
        """
        mel = excerpt(power_mel, SECONDS)
        if mel is None:
            return None
        latent, shares = outputs(self.network, slices(mel, SLICES))
        vector = latent.mean(axis=0)
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        mean = shares.mean(axis=0)
        if self.fused is not None and (minute := excerpt(power_mel, MINUTE)) is not None:
            mean = self.fused.classify(texture(minute), course(minute), stems, separator)
        return GenreResult(
            self.version,
            [round(float(value), 6) for value in vector],
            {genre: round(float(share), 4) for genre, share in zip(self.genres, mean, strict=True)},
        )


def texture(mel: Mel) -> Floats:
    """Return the (440,) mean over an excerpt's slices of what core.genre.network.Texture measures."""
    with torch.inference_mode():
        measured = build("texture", 1).measure(torch.from_numpy(slices(mel)).float() / 255)
        return np.asarray(measured.mean(0).numpy())


def classify_file(
    path: Path, stems: Mapping[str, float] | None = None, separator: str = "", *, chosen: Path | None = None
) -> GenreResult | None:
    """Return vector and genres of an audio file by the chosen model, or the bundled one, without separating or
    describing it; None for silence.

    `stems` and `separator` are those of an analysis that is there already.

    Raises UserError as `decode` does, and where there is no model.
    """
    model = current(chosen)
    if model is None:
        raise UserError(
            "There is no genre model: make one with `moodstem train genre` and name it in [jobs] genre_model."
        )
    audio = decode(
        path, DecodeLimits(max_seconds=3600, memory_bytes=2 << 30, cpu_seconds=300, wall_seconds=300)
    )
    signal = mono(audio.samples, audio.rate)
    frames = len(signal) // HOP + 1
    part = middle(frames, round(max(SECONDS, MINUTE) * FRAME_RATE))
    # A few frames more on each side, so that the first and last ones hear what they hear in the whole track.
    first = max(part.start - 4, 0)
    whole = analyse_frames(signal[first * HOP : (part.stop + 4) * HOP]).power_mel
    return model.classify(whole[:, part.start - first : part.stop - first], stems, separator)


def outputs(network: Genre, heard: Any) -> tuple[Floats, Floats]:
    """Return latent vectors (n, width) and genre probabilities (n, genres) of slices (n, 128, 128) in bytes, or of statistics."""
    x = torch.from_numpy(np.ascontiguousarray(heard))
    with torch.inference_mode():
        latents, shares = [], []
        for part in torch.split(x, 32):
            latent = network.latent(part.float() / 255 if part.dtype == torch.uint8 else part.float())
            latents.append(latent)
            shares.append(torch.softmax(network.tell(latent), 1))
        return torch.cat(latents).numpy(), torch.cat(shares).numpy()


def load(path: Path) -> Model:
    """Return the model in a file (research.training.genre_networks.save). Raises UserError for anything else."""
    file = read(path)
    beside = {key: file.tensors.pop(key) for key in list(file.tensors) if key.startswith("fused.")}
    texts = {key.removeprefix("fused."): text for key, text in file.facts.items() if key.startswith("fused.")}
    try:
        fused = Fused.of(beside, texts, len(file.genres))
        network = build(file.architecture, len(file.genres))
        network.load_state_dict({key: torch.from_numpy(array) for key, array in file.tensors.items()})
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(NO_MODEL.format(path=path)) from error
    return Model(network.eval(), file.genres, file.version, fused)


def current(chosen: Path | None = None) -> Model | None:
    """Return the model in use, loaded once; None where there is none. Raises UserError when it cannot be loaded."""
    path = model_file(chosen)
    return _loaded(path, modified_ns(path)) if path is not None else None


@lru_cache(maxsize=2)
def _loaded(path: Path, written: int) -> Model:
    return load(path)
