"""Loudness of a programme after ITU-R BS.1770-5 and EBU R 128, in LUFS.

K weighting (a high shelf for the head and a high pass), mean square over 400 ms blocks every 100 ms, an absolute gate at
-70 LUFS and a relative gate 10 LU below the mean of what passed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.audio.filters import k_weighting
from core.audio.types import FRAME_RATE, Samples

SILENCE = -70.0
"""LUFS reported where nothing passes the absolute gate."""


@dataclass(frozen=True)
class Loudness:
    """integrated: LUFS. range: LU between the 10th and the 95th percentile of the 3 s loudness (EBU Tech 3342)."""

    integrated: float
    range: float


def loudness(samples: Samples, rate: int) -> Loudness:
    """Return integrated loudness and loudness range of (channels, n) samples, filtered sample by sample as the standard says."""
    piece = BLOCK * round(0.1 * rate)  # a few seconds at a time: no second copy of the recording is needed
    filters = [_KWeighting(rate) for _ in samples]
    energies = []
    for start in range(0, samples.shape[1], piece):
        now = samples[:, start : start + piece]
        weighted = (weigh(channel)[None] for weigh, channel in zip(filters, now, strict=True))
        energies.append(sum(_energies(channel, rate) for channel in weighted))
    return gated(np.concatenate(energies))


BLOCK = 64


class _KWeighting:
    """The recursive filter as matrix products over blocks of 64 samples, in half the time of scipy.signal.sosfilt.

    Within a block, output = T x + O s: T holds the impulse response, s is the state in which the filter enters the
    block, O the output that each state has without input. From block to block, s' = A s + B x. State coordinates are an
    orthonormal basis of these zero-input responses, which keeps single precision as exact as the samples are.

    Measured over all descriptors of seven sources (60 s), sosfilt takes 3% more processor time (0.420 against 0.408 s),
    and importing scipy.signal costs each worker half a second.
    """

    def __init__(self, rate: float) -> None:
        self.direct, self.ringing, self.entering, self.step = _block_matrices(rate)
        self.state = np.zeros(4)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next samples, (n,); n is a multiple of the block except in the last call."""
        padded = np.pad(samples, (0, -len(samples) % BLOCK)) if len(samples) % BLOCK else samples
        blocks = torch.from_numpy(np.ascontiguousarray(padded, np.float32).reshape(-1, BLOCK))
        states = self._states((blocks @ self.entering).numpy())
        output = (blocks @ self.direct).addmm_(torch.from_numpy(states).float(), self.ringing)
        return output.numpy().reshape(-1)[: len(samples)]

    def _states(self, driven: NDArray[np.float32]) -> NDArray[np.float64]:
        """(blocks, 4) in which the filter enters each block; every s' = A s + B x at once, by doubling the reach."""
        states = np.concatenate([self.state[None], driven], dtype=np.float64)
        step, reach = self.step, 1
        while reach < len(states) and np.abs(step).max() > 1e-12:
            states[reach:] += states[:-reach] @ step
            step, reach = step @ step, 2 * reach
        self.state = states[-1]
        return states[:-1]


@lru_cache(maxsize=8)
def _block_matrices(rate: float) -> tuple[Tensor, Tensor, Tensor, NDArray[np.float64]]:
    """Transposed T (64, 64), O (4, 64), B (64, 4) and A (4, 4) of `_KWeighting`."""
    transition, drive, read, through = np.zeros((0, 0)), np.zeros(0), np.zeros(0), 1.0
    # The state-space form of each section, after those before it
    for b0, b1, b2, _, a1, a2 in k_weighting(rate):
        own, into = np.array([[-a1, 1.0], [-a2, 0.0]]), np.array([b1 - a1 * b0, b2 - a2 * b0])
        transition = np.block([[transition, np.zeros((len(read), 2))], [np.outer(into, read), own]])
        drive, read = np.concatenate([drive, into * through]), np.concatenate([b0 * read, [1.0, 0.0]])
        through *= b0
    powers = [np.linalg.matrix_power(transition, k) for k in range(BLOCK + 1)]
    rings = np.array([read @ power for power in powers[:-1]])
    response = np.concatenate([[through], rings[:-1] @ drive])
    lag = np.arange(BLOCK)[:, None] - np.arange(BLOCK)
    direct = np.where(lag >= 0, response[np.abs(lag)], 0)
    entering = np.array([power @ drive for power in powers[-2::-1]]).T
    orthonormal, basis = np.linalg.qr(rings)
    step = basis @ powers[-1] @ np.linalg.inv(basis)

    def tensor(values: NDArray[np.float64]) -> Tensor:
        return torch.tensor(np.ascontiguousarray(values.T), dtype=torch.float32)

    return tensor(direct), tensor(orthonormal), tensor(basis @ entering), step.T


def estimate(
    samples: Samples, rate: int, k_weighted: NDArray[np.float32], rms: NDArray[np.float32]
) -> Loudness:
    """Return the same from frames that are at hand, ten times faster and within 0.2 LU on music; used for the stems.

    `k_weighted` and `rms` describe the mono downmix (core.audio.spectrum.Frames); what the downmix cancels and what lies
    above its bandwidth is made up for by the ratio of the energies, block by block.
    """
    total = _energies(samples, rate)
    steps = np.arange(len(total) + 1) * (0.1 * FRAME_RATE) + 0.5

    def per_step(frames: NDArray[Any]) -> NDArray[np.float64]:
        running = np.concatenate([[0.0], np.cumsum(frames, dtype=np.float64)])
        return np.asarray(np.diff(np.interp(steps, np.arange(len(running)), running)) / (0.1 * FRAME_RATE))

    mono = per_step(rms.astype(np.float64) ** 2)
    smooth = np.full(4, 0.25)
    if len(total) < 4:
        return Loudness(SILENCE, 0.0)
    ratio = np.convolve(total, smooth, "same") / np.maximum(np.convolve(mono, smooth, "same"), 1e-15)
    return gated(per_step(k_weighted) * ratio)


def _energies(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Mean square over each 100 ms, summed over channels."""
    step = round(0.1 * rate)
    steps = samples.shape[1] // step
    pieces = samples[:, : steps * step].reshape(len(samples), steps, step)
    return np.asarray(np.vecdot(pieces, pieces).sum(axis=0), np.float64) / step


def gated(energy: NDArray[np.float64]) -> Loudness:
    """Return integrated loudness and range from the weighted energy of each 100 ms; less than 400 ms counts as silence."""
    if len(energy) < 4:
        return Loudness(SILENCE, 0.0)
    blocks = np.convolve(energy, np.full(4, 0.25), "valid")
    loud = blocks > 10 ** ((SILENCE + 0.691) / 10)
    if not loud.any():
        return Loudness(SILENCE, 0.0)
    relative = blocks[loud].mean() * 0.1
    integrated = -0.691 + 10 * math.log10(blocks[loud & (blocks > relative)].mean())
    return Loudness(integrated, _range(energy))


def _range(energy: NDArray[np.float64]) -> float:
    width = min(30, len(energy))
    short = np.convolve(energy, np.full(width, 1 / width), "valid")
    short = short[short > 10 ** ((SILENCE + 0.691) / 10)]
    if not len(short):
        return 0.0
    short = short[short > short.mean() * 0.01]
    low, high = np.percentile(10 * np.log10(short), [10, 95])
    return float(high - low)
