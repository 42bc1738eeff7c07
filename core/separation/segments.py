"""A track cut into overlapping segments, and its stems joined from the estimates of each, in order."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.audio.types import Samples

_SILENT = 1e-7
_PIECE = 1 << 16


class SegmentedTrack:
    """One mix on its way through a separator with segments of a fixed length.

    Segments of `size` samples begin every `stride` samples. Estimates fade into each other by triangular weights, as in
    `demucs.apply`. What no later segment touches goes to `stems`, (sources, 2, n) float32 in main memory, at once, so
    that `device` holds one overlap of each track, however long it is.
    """

    def __init__(self, mix: Samples, sources: int, size: int, stride: int, device: torch.device) -> None:
        self._mix = torch.from_numpy(np.require(mix, requirements="W"))  # torch warns of others
        self.size, self.stride = size, stride
        self.length = int(mix.shape[1])
        silent = self.length < 2 or max(map(abs, torch.aminmax(self._mix))) < _SILENT
        self.count = 0 if silent else -(-self.length // stride)
        """Number of segments; a silent track has none."""
        self.joined = 0
        """Number of segments whose estimates have been joined."""
        self.stems = (torch.zeros if silent else torch.empty)((sources, 2, self.length))
        if silent:
            return
        self.mean, self.deviation = _moments(mix)
        half = size // 2
        up, down = (
            torch.arange(half, device=device) + 1,
            size - half - torch.arange(size - half, device=device),
        )
        self._weight = torch.cat([up, down]) / (size - half)
        self._tail: Tensor | None = None
        self._tail_weight = self._weight[:0]

    def cut(self, number: int, target: Tensor) -> None:
        """Write segment `number`, normalised, into `target`, (2, size).

        A short last one is centred; around it is the rest of the track, else silence.
        """
        start = number * self.stride - (self.size - self._samples(number)) // 2
        low, high = max(start, 0), min(start + self.size, self.length)
        target[:, : low - start] = 0
        target[:, high - start :] = 0
        segment = target[:, low - start : high - start]
        torch.sub(self._mix[:, low:high], self.mean, out=segment)
        segment.div_(self.deviation)

    def join(self, estimate: Tensor) -> None:
        """Add the `estimate`, (sources, 2, size) on the device, of the next segment."""
        number, self.joined = self.joined, self.joined + 1
        count, begin = self._samples(number), number * self.stride
        left = (self.size - count) // 2
        weight = self._weight[:count].clone()
        piece = estimate[..., left : left + count] * weight
        if self._tail is not None:
            piece[..., : self._tail.shape[-1]] += self._tail
            weight[: self._tail.shape[-1]] += self._tail_weight
        done = count if self.joined == self.count else self.stride
        self.stems[..., begin : begin + done] = (
            piece[..., :done].div_(weight[:done]).mul_(self.deviation).add_(self.mean)
        )
        self._tail, self._tail_weight = piece[..., done:], weight[done:]

    def _samples(self, number: int) -> int:
        return min(self.size, self.length - number * self.stride)


def _moments(mix: Samples) -> tuple[float, float]:
    """Return mean and deviation of the mono mix, by which demucs normalises; in pieces that stay in the cache (88 -> 15 ms
    for four minutes)."""
    total = squares = 0.0
    for start in range(0, mix.shape[1], _PIECE):
        both = (mix[0, start : start + _PIECE] + mix[1, start : start + _PIECE]).astype(np.float64)
        total += float(both.sum())
        squares += float(np.square(both, out=both).sum())
    count = mix.shape[1]
    mean = total / 2 / count
    variance = max(squares / 4 - count * mean * mean, 0.0) / (count - 1)
    return mean, math.sqrt(variance) + 1e-8
