"""A track in overlapping segments, and its stems joined from what is estimated for each, in order."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.audio.types import Samples

_SILENT = 1e-7
_PIECE = 1 << 16
_LARGEST_PINNED = 2**30
"""Bytes; more (eight minutes and a half of six stems) is copied with waiting, since the process keeps what it has locked."""


class Track:
    """One mix on its way through a separator of fixed segments.

    Segments of `size` samples begin every `stride` samples. Estimates fade into each other by triangular weights, as
    demucs does it; what no later segment touches goes to `stems`, (sources, 2, n) float32 on the host, at once, so
    that the device holds one overlap of each track, however long it is. With `copies`, a CUDA stream, `stems` lies in
    page-locked memory, unless it is very long, and is filled while the next segments are computed: wait for that
    stream before reading it.
    """

    def __init__(
        self, mix: Samples, sources: int, size: int, stride: int, device: torch.device, copies: Any = None
    ) -> None:
        self.mix = mix
        self._mix = torch.from_numpy(np.require(mix, requirements="W"))  # torch warns of others
        self.size, self.stride, self._copies = size, stride, copies
        self.length = int(mix.shape[1])
        silent = self.length < 2 or max(map(abs, torch.aminmax(self._mix))) < _SILENT
        self.count = 0 if silent else -(-self.length // stride)
        self.settled = 0
        """Segments whose stems have arrived."""
        self.spoiled = False
        """Numbers that are none came out."""
        if silent:
            self.stems = torch.zeros((sources, 2, self.length))
            return
        self.mean, self.deviation = _moments(mix)
        pinned = copies is not None and 8 * sources * self.length <= _LARGEST_PINNED
        self.stems = torch.empty((sources, 2, self.length), pin_memory=pinned)
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

        A short last one is centred, with what lies around it in the track, else silence.
        """
        start = number * self.stride - (self.size - self._samples(number)) // 2
        low, high = max(start, 0), min(start + self.size, self.length)
        target[:, : low - start] = 0
        target[:, high - start :] = 0
        segment = target[:, low - start : high - start]
        torch.sub(self._mix[:, low:high], self.mean, out=segment)
        segment.div_(self.deviation)

    def join(self, number: int, estimate: Tensor) -> None:
        """Take the `estimate`, (sources, 2, size) on the device, of segment `number`; they come in order."""
        count, begin = self._samples(number), number * self.stride
        left = (self.size - count) // 2
        weight = self._weight[:count].clone()
        piece = estimate[..., left : left + count] * weight
        if self._tail is not None:
            piece[..., : self._tail.shape[-1]] += self._tail
            weight[: self._tail.shape[-1]] += self._tail_weight
        done = count if number == self.count - 1 else self.stride
        ready = piece[..., :done].div_(weight[:done]).mul_(self.deviation).add_(self.mean)
        if self._copies is not None:
            self._copies.wait_stream(torch.cuda.current_stream(ready.device))
            ready.record_stream(self._copies)
        with torch.cuda.stream(self._copies) if self._copies is not None else nullcontext():
            # Row by row: only what is in one piece on both sides is copied without waiting.
            for target, row in zip(self.stems.flatten(0, 1), ready.flatten(0, 1), strict=True):
                target[begin : begin + done].copy_(row, non_blocking=True)
        self._tail, self._tail_weight = piece[..., done:], weight[done:]

    def _samples(self, number: int) -> int:
        return min(self.size, self.length - number * self.stride)


def _moments(mix: Samples) -> tuple[float, float]:
    """Mean and deviation of the mono mix, as demucs normalises; in pieces that stay in the cache (88 -> 15 ms for four
    minutes, during which a GPU would wait)."""
    total = squares = 0.0
    for start in range(0, mix.shape[1], _PIECE):
        both = (mix[0, start : start + _PIECE] + mix[1, start : start + _PIECE]).astype(np.float64)
        total += float(both.sum())
        squares += float(np.square(both, out=both).sum())
    count = mix.shape[1]
    mean = total / 2 / count
    variance = max(squares / 4 - count * mean * mean, 0.0) / (count - 1)
    return mean, math.sqrt(variance) + 1e-8
