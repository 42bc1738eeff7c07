"""Preset `deepmelody`: the separator of Soni, Shinde & Mepani (DeepMelody), as their text describes it.

10,880 Hz, Hann window 1022, hop 512; the clip's spectrogram as a gray picture of 512 x 512; five contracting and
five expanding blocks of two 3x3 convolutions; five masks (guitar, piano, bass, drums, and one for all others);
mean square loss on masks, each instrument weighted by the inverse of its energy in the clip (after Kadandale et al.
2020); Adam 0.001, weight decay 0.01, 15 epochs; clips cut or padded to 180 s. The text does not give channel
counts or how gray levels and weights are scaled: here 16 channels at the top, 80 dB from black to white, weights
with a mean of one. It is kept for comparison; Moodstem ships the preset `moodstem`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.separation.base import Progress
from research.training.curve import draw_curve
from research.training.remixing import Song, read_index

if TYPE_CHECKING:
    from torch import Tensor

RATE, WINDOW, HOP, SIZE, SECONDS = 10_880, 1022, 512, 512, 180
SOURCES = ("guitar", "piano", "bass", "drums", "other")
EPOCHS, LEARNING_RATE, WEIGHT_DECAY = 15, 1e-3, 0.01
# The document reports a weighted loss of 0.002210 on its validation set (Slakh2100, 1500 tracks in all); ours after 100
# clips, 15 epochs: 0.101 where constant masks have 0.096.


def build(base: int = 16) -> Any:
    """The network: gray picture (batch, 1, 512, 512) to masks (batch, 5, 512, 512), summing to one."""
    import torch
    from torch import nn

    def double(inputs: int, outputs: int) -> nn.Sequential:
        first, second = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    class DeepMelody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [base << level for level in range(6)]
            self.contract = nn.ModuleList(
                double(a, b) for a, b in zip((1, *widths), widths[:5], strict=False)
            )
            self.middle = double(widths[4], widths[5])
            self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, 2) for width in widths[:5])
            self.expand = nn.ModuleList(double(2 * width, width) for width in widths[:5])
            self.masks = nn.Conv2d(base, len(SOURCES), 1)

        def forward(self, x: Tensor) -> Tensor:
            skips = []
            for block in self.contract:
                skips.append(block(x))
                x = torch.max_pool2d(skips[-1], 2)
            x = self.middle(x)
            for level in reversed(range(5)):
                x = self.expand[level](torch.cat([self.up[level](x), skips[level]], 1))
            return torch.softmax(self.masks(x), 1)

    return DeepMelody()


def picture(song: Song) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(gray (1, 512, 512), masks (5, 512, 512), weights (5,)) of a rendered song."""
    import torch
    from soxr import resample

    stems = {source: np.zeros(SECONDS * RATE, np.float32) for source in SOURCES}
    for row, stem in zip(np.load(song.file, mmap_mode="r"), song.stems, strict=True):
        mono = row.reshape(-1, row.shape[-1]).astype(np.float32).mean(axis=0) / 32768
        audio = resample(mono, 44_100, RATE)[: SECONDS * RATE]
        stems[stem if stem in SOURCES else "other"][: len(audio)] += audio
    waves = torch.from_numpy(np.stack(list(stems.values())))
    spectra = torch.stft(waves, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True)
    magnitude = spectra.abs()
    mix = spectra.sum(0).abs()
    resized = torch.nn.functional.interpolate(
        torch.cat([magnitude, mix[None]])[None], (SIZE, SIZE), mode="area"
    )[0]
    decibels = 20 * torch.log10(resized[-1] / (resized[-1].max() + 1e-9) + 1e-4)
    masks = resized[:-1] / (resized[:-1].sum(0) + 1e-9)
    energy = magnitude.square().sum((1, 2))
    heard = energy > 0
    weights = torch.where(heard, energy[heard].max() / energy.clamp_min(1e-9), torch.zeros(())).clamp_max(
        100.0
    )
    weights = weights / weights.sum() * len(SOURCES)
    return ((decibels / 80 + 1).clamp(0, 1)[None].numpy(), masks.numpy(), weights.numpy())


def remembered(song: Song, folder: Path) -> tuple[NDArray[np.float32], ...]:
    """`picture`, kept in half precision in `folder`, 3 MB a song: making it takes as long as learning from it."""
    file = folder / f"{song.file.stem}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        gray, masks, weights = picture(song)
        with file.with_suffix(".tmp").open("wb") as half:
            np.savez(half, gray=gray.astype(np.float16), masks=masks.astype(np.float16), weights=weights)
        file.with_suffix(".tmp").replace(file)
    with np.load(file) as kept:
        return tuple(kept[name].astype(np.float32) for name in ("gray", "masks", "weights"))


def constant_masks(examples: Iterable[tuple[NDArray[np.float32], ...]]) -> NDArray[np.float32]:
    """(5, 1, 1): the one number for each instrument that has the least weighted loss on these: what a network must
    beat."""
    sums, weighed = np.zeros(len(SOURCES)), np.zeros(len(SOURCES))
    for _, masks, weights in examples:
        sums += weights * masks.mean((1, 2))
        weighed += weights
    return (sums / np.maximum(weighed, 1e-9)).astype(np.float32)[:, None, None]


def weighted_loss(masks: Tensor, ideal: Tensor, weights: Tensor) -> Tensor:
    """Mean square error of masks, (batch, 5, 512, 512), weighted per instrument, (batch, 5)."""
    return ((masks - ideal).square().mean((2, 3)) * weights).mean()


def train_deepmelody(
    data: Path,
    out: Path,
    *,
    validation: Path | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    threads: int = 1,
    base: int = 16,
    progress: Progress | None = None,
) -> Path:
    """Train on rendered stems; `log.jsonl`, `curve.png`, a checkpoint per epoch, pictures and `deepmelody.safetensors` in
    `out`. Beside the loss on `validation` the log has that of constant masks.

    Starting again goes on after the last whole epoch. Raises UserError without data, Cancelled when `progress` does.
    """
    import torch
    from safetensors.torch import save_file

    songs = read_index(data)
    if not songs:
        raise UserError(f"No rendered songs in {data}; run python -m research.training.render first.")
    held_out = read_index(validation) if validation is not None else []
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    model = build(base)
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    checkpoint, first, pictures = out / "checkpoint.pt", 0, out / "pictures"
    constant: Tensor | None = None
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["epoch"])
    for epoch in range(first, epochs):
        losses = []
        order = np.random.default_rng(seed + epoch).permutation(len(songs))
        for number, index in enumerate(order):
            gray, ideal, weights = (
                torch.from_numpy(part)[None] for part in remembered(songs[index], pictures)
            )
            loss = weighted_loss(model(gray), ideal, weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
            if progress is not None:
                progress((epoch + (number + 1) / len(songs)) / epochs)
        record: dict[str, float] = {"step": epoch + 1, "loss": float(np.mean(losses))}
        if held_out:
            if constant is None:  # by now all pictures are there
                constant = torch.from_numpy(constant_masks(remembered(song, pictures) for song in songs))
            with torch.inference_mode():
                examples = (
                    [torch.from_numpy(part)[None] for part in remembered(song, pictures)] for song in held_out
                )
                errors = [
                    (float(weighted_loss(model(x), y, w)), float(weighted_loss(constant, y, w)))
                    for x, y, w in examples
                ]
            record["validation"], record["constant"] = (float(mean) for mean in np.mean(errors, axis=0))
        with (out / "log.jsonl").open("a") as log:
            print(json.dumps(record), file=log)
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch + 1}
        torch.save(state, checkpoint.with_suffix(".tmp"))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
        draw_curve(out, "epoch", "weighted mean square error of masks")
    save_file(model.state_dict(), out / "deepmelody.safetensors")
    return out / "deepmelody.safetensors"
