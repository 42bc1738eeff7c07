"""Which genre model is in use, and its version. Imports no torch: the bot asks for it, and a worker is ready seconds sooner.

A model is one safetensors file. Its metadata say the architecture, the genres, and what it was trained on; its version is
a hash of the network's weights, stored with every vector, since vectors of two models are never compared.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from core.errors import UserError

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).with_name("weights") / "genre.safetensors"
CODE_VERSION = 1
"""Raise it when the code of features, networks and model may give other vectors from the same weights."""

HEAR_SOUND = ("cnn", "crnn", "texture")
"""The networks (core.genre.network) that hear slices of a spectrogram and so make latent vectors."""

NO_MODEL = "{path} is not a genre model: make one with `moodstem train genre`."


@dataclass(frozen=True)
class ModelFile:
    """What a file holds: the network's weights, and "fused.*" beside them."""

    architecture: str
    genres: list[str]
    facts: dict[str, str]
    tensors: dict[str, NDArray[Any]]

    @property
    def version(self) -> str:
        own = {key: array for key, array in self.tensors.items() if not key.startswith("fused.")}
        return version_of(self.architecture, self.genres, own)


def model_file(chosen: Path | None) -> Path | None:
    """Return the model that the operator chose, which need not be there, else the bundled one, else None."""
    if chosen is not None:
        return chosen.expanduser()
    return BUNDLED if BUNDLED.is_file() else None


def modified_ns(path: Path) -> int:
    """Return when a file was written, in ns; 0 for one that is not there."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def read(path: Path) -> ModelFile:
    """Return the content of a model file. Raises UserError for anything else."""
    if not path.is_file():
        raise UserError(f"There is no genre model {path}: correct [jobs] genre_model, or leave it out.")
    try:
        with safe_open(path, framework="numpy") as file:
            facts = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        architecture, genres = facts["architecture"], [str(genre) for genre in json.loads(facts["genres"])]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(NO_MODEL.format(path=path)) from error
    if architecture not in HEAR_SOUND:
        raise UserError(f"{path} hears statistics, not sound: train cnn, crnn or texture for latent vectors.")
    return ModelFile(architecture, genres, facts, tensors)


def version_of(architecture: str, genres: list[str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Of what makes the vectors, and not of the file, whose metadata safetensors writes in any order."""
    digest = hashlib.sha256(f"{CODE_VERSION} {architecture} {genres}".encode())
    for key in sorted(tensors):
        digest.update(key.encode())
        digest.update(tensors[key].tobytes())
    return digest.hexdigest()[:12]


def current_version(chosen: Path | None = None) -> str:
    """Return the version of the model in use; empty where there is none, or where it cannot be read (logged)."""
    try:
        path = model_file(chosen)
        return _version(path, modified_ns(path)) if path is not None else ""
    except UserError as error:
        log.warning("No latent vectors: %s", error)
        return ""


@lru_cache(maxsize=1)
def _version(path: Path, written: int) -> str:
    return read(path).version
