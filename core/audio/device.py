"""Where the transforms are computed: on this machine's processor, or on a GPU where that is faster."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import torch

from core.audio.spectrum import analyse_frames
from core.audio.types import RATE


def gpu_name() -> str | None:
    """Return the name of the GPU that torch uses; None without one, or where `[jobs] device` hides it."""
    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else None


def torch_has_cuda() -> bool:
    """Return whether the installed torch was built for NVIDIA GPUs at all."""
    return torch.version.cuda is not None


@lru_cache(maxsize=1)
def fastest_device() -> str:
    """Return 'cuda' where a GPU takes less time for half a minute of sound than the processor does, else 'cpu'.

    Measured once in each process, on noise; without a GPU nothing is measured.
    """
    if gpu_name() is None:
        return "cpu"
    noise = np.random.default_rng(0).standard_normal(30 * RATE).astype(np.float32)

    def seconds(device: str) -> float:
        analyse_frames(noise, device=device)  # libraries are loaded and memory is taken the first time
        started = time.perf_counter()
        analyse_frames(noise, device=device)
        return time.perf_counter() - started

    return min(("cpu", "cuda"), key=seconds)
