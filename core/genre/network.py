"""The documents' networks, layer by layer, and a small one of ours (docs/training.md says what they leave open and what
was chosen). The latent vector is what the last layer sees: 380 and 68 numbers, 128 in ours."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from core.genre.features import FRAMES

CNN_WIDTHS = (47, 95, 95, 142, 190)
CNN_POOLS = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))
CRNN_WIDTHS = (68, 137, 137, 137)
CRNN_POOLS = ((2, 2), (4, 2), (4, 2), (4, 2))
CRNN_UNITS = 68
RATES = (1, 2, 3, 5, 8, 13, 21, 34, FRAMES // 2 + 1)
"""Edges of the modulation spectrum's bands, in steps of 0.34 Hz."""
TEXTURE = 3 * 64 + 16 * (len(RATES) - 1) + 16 * 15 // 2


class SamePool(nn.Module):
    """Max-pooling as Keras' padding="same": the output has ceil(size / pool) points."""

    def __init__(self, pool: tuple[int, int]) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size, pool in zip(reversed(x.shape[2:]), reversed(self.pool), strict=True):
            lacking = -size % pool
            padding += [lacking // 2, lacking - lacking // 2]
        if any(padding):
            x = nn.functional.pad(x, padding, value=float("-inf"))
        return nn.functional.max_pool2d(x, self.pool)


class Genre(nn.Module):
    """From slices (batch, 128 frames, 128 bands), 0..1: `measure` has nothing to learn, `think` makes the latent vector of
    it, and `tell` (after dropout) turns that into logits."""

    width: int
    """Numbers of the latent vector."""
    measures: bool = False
    """Whether `measure` does anything; its answers are then kept, so that an epoch takes no time."""

    def __init__(self, width: int, genres: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.dropout = nn.Dropout(dropout)
        self.tell = nn.Linear(width, genres)

    def measure(self, x: Tensor) -> Tensor:
        return x

    def think(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def latent(self, x: Tensor) -> Tensor:
        return self.think(self.measure(x))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.tell(self.dropout(self.latent(x)))
        return logits


class CNN(Genre):
    """The documents' CNN on mel-spectrogram slices: 489,680 parameters for eight genres."""

    def __init__(self, genres: int, dropout: float = 0.0) -> None:
        super().__init__(2 * CNN_WIDTHS[-1], genres, dropout)
        layers: list[nn.Module] = []
        for inputs, outputs, pool in zip((1, *CNN_WIDTHS), CNN_WIDTHS, CNN_POOLS, strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), SamePool(pool)]
        self.layers = nn.Sequential(*layers)
        for layer in (*layers, self.tell):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def think(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)  # pitch x time
        found: Tensor = self.layers(x).flatten(1)
        return found


class CRNN(Genre):
    """Convolutions, then two recurrent layers over eight steps of time; the last step is the latent vector."""

    def __init__(self, genres: int, dropout: float = 0.0) -> None:
        super().__init__(CRNN_UNITS, genres, dropout)
        layers: list[nn.Module] = []
        for inputs, outputs, pool in zip((1, *CRNN_WIDTHS), CRNN_WIDTHS, CRNN_POOLS, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ELU(), nn.MaxPool2d(pool),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers)
        self.recurrent = nn.GRU(CRNN_WIDTHS[-1], CRNN_UNITS, num_layers=2, batch_first=True)

    def think(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        steps = self.layers(x).squeeze(2).transpose(1, 2)  # (batch, 8, 137)
        found: Tensor = self.recurrent(steps.contiguous())[0][:, -1]
        return found


class Texture(Genre):
    """Ours, for few recordings and slow machines: one hidden layer on what a slice is like, without an order in time.

    Of 64 bands: mean, standard deviation, mean change from frame to frame; of 16: how strongly they fluctuate at eight
    rates from 0.3 Hz on (modulation spectrum), and how far each two go together. 440 numbers, scaled by the training set.
    170 recordings are too few to learn these filters: a network that learned them overfitted (docs/five-documents.md).
    """

    measures = True
    mean: Tensor
    std: Tensor
    window: Tensor
    upper: Tensor

    def __init__(self, genres: int, dropout: float = 0.0) -> None:
        super().__init__(128, genres, dropout)
        self.register_buffer("mean", torch.zeros(TEXTURE))
        self.register_buffer("std", torch.ones(TEXTURE))
        self.register_buffer("window", torch.hann_window(FRAMES, periodic=False)[:, None], persistent=False)
        self.register_buffer("upper", torch.triu_indices(16, 16, 1), persistent=False)
        self.hide = nn.Dropout(0.6 * dropout)
        self.hidden = nn.Linear(TEXTURE, self.width)

    def measure(self, x: Tensor) -> Tensor:
        """(batch, 128 frames, 128 bands) to (batch, 440)."""
        batch = len(x)
        bands = x.reshape(batch, FRAMES, 64, 2).mean(3)
        middle = bands.mean(1, keepdim=True)
        apart = bands - middle
        spectrum = torch.fft.rfft(apart * self.window, dim=1).abs()
        rates = [spectrum[:, low:high].mean(1) for low, high in itertools.pairwise(RATES)]
        swing = torch.log(torch.stack(rates, 1) + 1e-3).reshape(batch, len(rates), 16, 4).mean(3)
        coarse = apart.reshape(batch, FRAMES, 16, 4).mean(3)
        coarse = coarse / (coarse.norm(dim=1, keepdim=True) + 1e-3)
        together = (coarse.transpose(1, 2) @ coarse)[:, self.upper[0], self.upper[1]]
        change = (bands[:, 1:] - bands[:, :-1]).abs().mean(1)
        parts = [middle.squeeze(1), apart.square().mean(1).sqrt(), change, swing.flatten(1), together]
        return torch.cat(parts, 1)

    def think(self, x: Tensor) -> Tensor:
        scaled = ((x - self.mean) / self.std).clamp(-4, 4)
        return nn.functional.elu(self.hidden(self.hide(scaled)))


NETWORKS: dict[str, Any] = {"cnn": CNN, "crnn": CRNN, "texture": Texture}


def build(name: str, genres: int, dropout: float = 0.0) -> Genre:
    """A network by its name, with random weights."""
    made: Genre = NETWORKS[name](genres, dropout)
    return made
