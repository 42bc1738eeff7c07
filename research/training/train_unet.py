"""Train the bundled separator: resumable, logged, with a learning curve.

    moodstem train unet --stems STEMS --out OUT --validation HELD_OUT --minutes 90

STEMS and HELD_OUT come from `research.training.render`. OUT holds `checkpoint.pt` (weights, their moving average,
optimiser, step), `log.jsonl`, `curve.png` and `unet.safetensors` (the average, as shipped). Starting the same
command again goes on from the checkpoint. On a GPU the examples are the bottleneck: give it `--workers` for every
core and a larger `--batch`.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.types import STEMS
from core.errors import UserError
from core.separation.base import Progress
from research.training.curve import draw_curve
from research.training.remixing import Mixer

if TYPE_CHECKING:
    from torch import Tensor

PRESETS = ("moodstem", "deepmelody")
FLOOR = 0.1
"""Added to a stem's share of the mix's energy in the loss, so that silent stems have a weight, too."""


@dataclass(frozen=True)
class Schedule:
    """Warm-up, constant, then linear to zero over the last `decay` share; runs by steps or by minutes."""

    steps: int
    minutes: float
    rate: float = 1.5e-3
    warmup: int = 60
    decay: float = 0.5

    def done(self, step: int, elapsed: float) -> float:
        """The part of the training that is over, 0..1, by steps or by `elapsed` seconds, whichever is further."""
        return min(1.0, max(step / self.steps, elapsed / (60 * self.minutes)))

    def learning_rate(self, step: int, elapsed: float) -> float:
        """Rises over the warm-up, stays, and falls to a hundredth over the last `decay` of the training."""
        left = (1 - self.done(step, elapsed)) / self.decay
        return self.rate * min(1.0, (step + 1) / self.warmup, max(left, 0.01))


def separation_loss(masks: Tensor, power: Tensor, ideal: Tensor) -> Tensor:
    """Mean over stems of error energy / stem energy, for power and for magnitude (its root).

    Each stem is weighted by its own energy in its own excerpt, so that quiet stems count as much as loud ones:
    the energy-based weights of Kadandale et al. (2020), taken per example instead of per data set. (The logarithm
    and the square root of that ratio, nearer to SI-SDR, were tried and fail: they are not convex in the masks, so
    that a stem which is hard to tell, first vocals and guitar, is never given anything.) Shapes: masks and ideal
    (batch, stems, 2, bands, frames), power (batch, 2, bands, frames).
    """
    total = masks.new_zeros(())
    for exponent in (1.0, 0.5):
        weight = power**exponent
        weight = (weight / (weight.sum((1, 2, 3), keepdim=True) + 1e-9)).unsqueeze(1)
        error = (weight * (masks - ideal) ** 2).sum((2, 3, 4))
        energy = (weight * ideal**2).sum((2, 3, 4))
        total = total + (error / (energy + FLOOR)).mean()
    return total / 2


def batches(folder: Path, size: int, seed: int, workers: int) -> Iterator[list[Tensor]]:
    """Endless batches of (input, power, ideal masks)."""
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            info = torch.utils.data.get_worker_info()
            return iter(Mixer(folder, seed * 1000 + (info.id if info else 0)))

    loader = DataLoader(Stream(), size, num_workers=workers, prefetch_factor=4 if workers else None)
    return iter(loader)


def train(
    preset: str,
    data: Path,
    out: Path,
    *,
    validation: Path | None = None,
    start: Path | None = None,
    steps: int = 20_000,
    minutes: float = 600.0,
    rate: float = 1.5e-3,
    batch: int = 8,
    seed: int = 0,
    threads: int = 1,
    workers: int = 1,
    device: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train `preset` on rendered stems in `data` until `steps` or `minutes` (wall clock, over all runs).

    `start` gives weights to begin from instead of random ones; `device` is
    PyTorch's name of it, the GPU where there is one when not given.

    Returns the path of the weights. Raises UserError for an unknown preset or missing data, Cancelled when
    `progress` does (the last checkpoint stays).
    """
    if preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}; choose one of {', '.join(PRESETS)}.")
    if preset == "deepmelody":
        from research.training.deepmelody import train_deepmelody

        return train_deepmelody(
            data, out, validation=validation, seed=seed, threads=threads, progress=progress
        )
    import torch
    from safetensors.torch import load_file

    from core.separation.network import SpectrogramUNet

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = SpectrogramUNet(len(STEMS)).to(device)
    shallow = [value for name, value in model.named_parameters() if name.startswith("prior.")]
    deep = [value for name, value in model.named_parameters() if not name.startswith("prior.")]
    groups = [{"params": deep, "scale": 1.0}, {"params": shallow, "scale": 5.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.01)
    step, elapsed = 0, 0.0
    checkpoint = out / "checkpoint.pt"
    stream: Iterator[list[Tensor]]
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        average = copy.deepcopy(model)
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, elapsed = int(state["step"]), float(state["elapsed"])
        stream = batches(data, batch, seed + step + 1, workers)
    elif start is not None:
        stream = batches(data, batch, seed, workers)
        model.load_state_dict(load_file(start, device=device))
        average = copy.deepcopy(model)
    else:
        stream = batches(data, batch, seed, workers)
        sample = torch.cat([next(stream)[0] for _ in range(12)])
        model.band_mean.copy_(sample[:, 0].mean((0, 2)))
        model.band_std.copy_(sample[:, 0].std((0, 2)) + 0.05)
        average = copy.deepcopy(model)
    held_out = []
    if validation is not None:
        held_stream = batches(validation, 8, 4711, 0)
        held_out = [[part.to(device) for part in next(held_stream)] for _ in range(12)]

    schedule = Schedule(steps, minutes, rate)
    log = (out / "log.jsonl").open("a")
    recent: list[float] = []
    last = time.monotonic()
    while True:
        done = schedule.done(step, elapsed)
        if recent and (step % 100 == 0 or done >= 1):
            record = {"step": step, "minutes": round(elapsed / 60, 2), "loss": float(np.mean(recent[-100:]))}
            if held_out and (step % 200 == 0 or done >= 1):
                record["validation"] = validate(average, held_out)
            print(json.dumps(record), file=log, flush=True)
            _save(checkpoint, model, average, optimiser, step, elapsed)
            _export(average, out / "unet.safetensors")
            draw_curve(out)
        if progress is not None:
            progress(done)
        if done >= 1:
            break
        seen, power, ideal = (part.to(device) for part in next(stream))
        for group in optimiser.param_groups:
            group["lr"] = group["scale"] * schedule.learning_rate(step, elapsed)
        model.train()
        with torch.autocast(device, torch.bfloat16):
            masks = model(seen)
        loss = separation_loss(masks, power, ideal)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        recent.append(float(loss.detach()))
        del recent[:-100]
        keep = min(0.998, (step + 1) / (step + 20))
        with torch.no_grad():
            for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                if old.dtype.is_floating_point:
                    old.lerp_(new, 1 - keep)
        step += 1
        now = time.monotonic()
        elapsed += now - last
        last = now
    return out / "unet.safetensors"


def validate(model: Any, held_out: list[list[Tensor]]) -> float:
    """Mean loss on the same held-out examples each time."""
    import torch

    model.eval()
    with torch.inference_mode():
        return float(
            np.mean([float(separation_loss(model(x), power, ideal)) for x, power, ideal in held_out])
        )


def _save(path: Path, model: Any, average: Any, optimiser: Any, step: int, elapsed: float) -> None:
    import torch

    state = {
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    torch.save({**state, "step": step, "elapsed": elapsed}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def _export(model: Any, path: Path) -> None:
    """Weights as the separator loads them: float32 safetensors, nothing but tensors."""
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(
        tensors,
        path.with_suffix(".tmp"),
        metadata={"architecture": "SpectrogramUNet", "stems": ",".join(STEMS)},
    )
    path.with_suffix(".tmp").replace(path)
