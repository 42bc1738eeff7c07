"""The networks that can be trained, one of which hears no sound, and how a trained one becomes a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core.audio.types import Floats
from core.genre.fused import Fused
from core.genre.model_file import version_of
from core.genre.network import NETWORKS, Genre


class StatisticsCNN(Genre):
    """The documents' 1-D CNN over the 518 statistics: 91,180 parameters for sixteen genres."""

    def __init__(self, genres: int, dropout: float = 0.0) -> None:
        super().__init__(100, genres, dropout)
        self.layers = nn.Sequential(
            nn.Conv1d(1, 200, 32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(200, 8, 32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(8, 8, 32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Linear(296, 100), nn.ReLU(),
        )  # fmt: skip

    def think(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x.unsqueeze(1))
        return found


def build(name: str, genres: int, dropout: float = 0.0) -> Genre:
    """A network by its name, with random weights."""
    made: Genre = {**NETWORKS, "cnn1d": StatisticsCNN}[name](genres, dropout)
    return made


def parameters(network: nn.Module) -> int:
    """How many numbers it has learnt."""
    return sum(value.numel() for value in network.parameters())


def save(
    network: Genre,
    name: str,
    genres: list[str],
    path: Path,
    facts: dict[str, str],
    fused: Fused | None = None,
) -> str:
    """Write a model file and return its version."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    version = version_of(name, genres, {key: value.numpy() for key, value in tensors.items()})
    metadata = {"architecture": name, "genres": json.dumps(genres), **facts}
    if fused is not None:
        arrays, texts = _tensors(fused)
        tensors |= {key: torch.from_numpy(array) for key, array in arrays.items()}
        metadata |= {f"fused.{key}": text for key, text in texts.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata=dict(sorted(metadata.items())))
    part.replace(path)
    return version


def _tensors(fused: Fused) -> tuple[dict[str, Floats], dict[str, str]]:
    """What a model file keeps of it: arrays in single precision, and strings."""
    arrays: dict[str, Any] = {}
    for name, kind in fused.kinds.items():
        arrays[f"fused.{name}"] = np.stack([kind.mean, kind.spread])
        arrays[f"fused.{name}.scale"] = np.array([kind.scale])
    for name, head in fused.heads.items():
        arrays[f"fused.head.{name}"] = np.vstack([head.weights, head.bias[None]])
        arrays[f"fused.head.{name}.sharpness"] = np.array([head.sharpness])
    texts = {"stems": json.dumps(list(fused.stems)), "separator": fused.separator}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}, texts
