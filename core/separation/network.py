"""The layers of the bundled U-Net. Imports torch, so `unet` imports this module inside functions only."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from core.separation.bands import BANDS

CHANNELS = (16, 32, 64, 96, 128)
REDUCTION = 16  # frames per step of the deepest level: input lengths are multiples of it


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    padding = 0 if stride > 1 else size // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _moving_mean(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the mean over a neighbourhood of (bands, frames), shorter at the edges; same shape."""
    padding = (size[0] // 2, size[1] // 2)
    return nn.functional.avg_pool2d(x.unsqueeze(1), size, 1, padding, count_include_pad=False).squeeze(1)


class FrequencyMixer(nn.Module):
    """Two dense layers over the whole frequency axis, shared by channels and frames.

    A convolution sees neighbouring bands only; partials of one note lie octaves apart (the TDF block of Choi,
    Kim, Chung & Jung 2020).
    """

    def __init__(self, bands: int, squeeze: int = 8) -> None:
        super().__init__()
        self.down = nn.Linear(bands, bands // squeeze)
        self.up = nn.Linear(bands // squeeze, bands)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = torch.relu(self.up(torch.relu(self.down(x.transpose(2, 3)))))
        return mixed.transpose(2, 3)


class Prior(nn.Module):
    """Logits from each band alone: linear in level and contrasts, with coefficients per stem and band.

    Low bands favour bass, sudden ones drums: this much needs no depth, is learned within minutes, and leaves the
    network to correct it.
    """

    def __init__(self, stems: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(BANDS, stems, 6))

    def forward(self, x: Tensor, onset: Tensor, peak: Tensor) -> Tensor:
        parts = [torch.ones_like(x), x, onset.relu(), (-onset).relu(), peak.relu(), (-peak).relu()]
        features = torch.stack(parts, 1)  # (batch, 6, bands, frames)
        return torch.einsum("fsk,bkft->bsft", self.weight, features)


class Block(nn.Module):
    """Residual 3x3 convolutions and a frequency mixer; (batch, channels, bands, frames) at one resolution."""

    def __init__(self, inputs: int, channels: int, bands: int, depth: int = 2) -> None:
        super().__init__()
        self.entry = nn.Identity() if inputs == channels else nn.Conv2d(inputs, channels, 1)
        self.convolutions = nn.ModuleList(_convolution(channels, channels) for _ in range(depth))
        self.mixer = FrequencyMixer(bands)

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        for convolution in self.convolutions:
            x = x + convolution(x)
        result: Tensor = x + self.mixer(x)
        return result


class Context(nn.Module):
    """Adds to every frame a summary of all bands over about three seconds; same shape.

    Whether a chord is a guitar's or a piano's is hard to tell from one moment of it.
    """

    def __init__(self, channels: int, bands: int, squeeze: int = 96) -> None:
        super().__init__()
        self.down = nn.Conv1d(channels * bands, squeeze, 1)
        self.up = nn.Conv1d(squeeze, channels * bands, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        around = nn.functional.avg_pool1d(x.flatten(1, 2), 9, 1, 4, count_include_pad=False)
        result: Tensor = x + self.up(torch.relu(self.down(around))).unflatten(1, x.shape[1:3])
        return result


class SpectrogramUNet(nn.Module):
    """U-Net (Ronneberger, Fischer & Brox 2015; Jansson et al. 2017) from band loudness and position to softmax masks.

    (A second head for whether a stem sounds at all, which weighs its mask, was tried and fails: it knows the fonts that
    it was trained on and is wrong in four of ten frames of another one, for all but drums and vocals.)

    Input (batch, 3, BANDS, frames), loudness, balance and width (`core.separation.bands`), with frames a multiple of 16;
    output (batch, stems, 2 channels, BANDS, frames), summing to one over stems. Where both channels are the same, so are
    their masks.
    """

    band_mean: Tensor
    band_std: Tensor

    def __init__(self, stems: int = 6, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.register_buffer("band_mean", torch.zeros(BANDS))
        self.register_buffer("band_std", torch.ones(BANDS))
        first = channels[0]
        pairs = list(itertools.pairwise(channels))
        self.stem = _convolution(6, first)
        self.down = nn.ModuleList(_convolution(a, b, 2, 2) for a, b in pairs)
        self.encode = nn.ModuleList(
            Block(b, b, BANDS >> (i + 1), depth=2 if i < 2 else 3) for i, (_, b) in enumerate(pairs)
        )
        self.context = Context(channels[-1], BANDS >> len(pairs))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.decode = nn.ModuleList(Block(2 * a, a, BANDS >> i) for i, a in enumerate(channels[:-1]) if i)
        self.finish = _convolution(first, first)
        self.masks = nn.Conv2d(first, 2 * stems, 1)
        self.prior = Prior(stems)

    def forward(self, x: Tensor) -> Tensor:
        balance, width = x[:, 1], x[:, 2]
        x = (x[:, 0] - self.band_mean[:, None]) / self.band_std[:, None]
        place = torch.linspace(-1, 1, BANDS, device=x.device, dtype=x.dtype)[:, None].expand_as(x)
        # How far each point stands out of its surroundings in time (drum hits) and in frequency (partials),
        # over 0.4 s and 17 bands: what HPSS (Fitzgerald 2010) goes by, given at full resolution.
        steady, smooth = _moving_mean(x, (1, 17)), _moving_mean(x, (17, 1))
        onset, peak = x - steady, x - smooth
        prior = self.prior(x, onset, peak)
        inputs = torch.stack([x, place, onset, peak, balance, width], 1)
        x = self.stem(inputs.contiguous(memory_format=torch.channels_last))
        skips = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(x)
            x = encode(down(x))
        x = self.context(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](x)
            skip = skips[level]
            x = self.decode[level - 1](torch.cat([x, skip], 1)) if level else self.finish(x + skip)
        common, side = self.masks(x).float().chunk(2, 1)
        common, side = common + prior.float(), side * (2 * width).clamp(0, 1)[:, None]
        return torch.softmax(torch.stack([common + side, common - side], 2), 1)
