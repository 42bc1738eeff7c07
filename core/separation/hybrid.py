"""The forward pass of Hybrid Transformer Demucs (Rouard, Massa & Défossez 2023), for inference.

The same function of the same parameters as `demucs.htdemucs.HTDemucs.forward`, arranged for speed: nothing in it
waits for the device (demucs looks at values between two steps, and makes its position embeddings on the CPU each
time), what never changes is made once, the learnt part is in one precision throughout (autocast goes to float32
and back around every normalisation), and it holds no complex numbers, so that `torch.compile` takes it whole.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_HANN_SQUARED_SUM = 1.5
"""What the squares of Hann windows add up to that follow each other by a quarter of their length."""


def fits(model: Any) -> bool:
    """Whether `model`, an HTDemucs, is of the kind that `Hybrid` computes: spectrograms as real and imaginary parts,
    one band, and a transformer with sine embeddings."""
    from demucs.hdemucs import MultiWrap

    transformer = model.crosstransformer
    return (
        model.cac
        and model.hop_length * 4 == model.nfft
        and transformer is not None
        and transformer.emb == "sin"
        and not any(isinstance(layer, MultiWrap) for layer in model.encoder)
    )


class Hybrid(nn.Module):
    """`model`, an HTDemucs that `fits`, with its learnt part in `precision`; `model` itself is left as it is.

    (b, 2, segment) float32 at 44.1 kHz -> (b, sources, 2, segment) float32.
    """

    window: Tensor

    def __init__(self, model: Any, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.size, self.hop, self.sources = model.nfft, model.hop_length, len(model.sources)
        self.learnt: Any = Learnt(model, precision)
        self.register_buffer("window", torch.hann_window(self.size, device=_device(model)))
        self.tuned = False

    def compiled(self) -> Hybrid:
        """The same with the learnt part compiled, at its first call, for one shape, and cuDNN's ways tried out for it."""
        other = copy.copy(self)
        other._modules = dict(self._modules)  # or both would have the one
        other.learnt = torch.compile(self.learnt, dynamic=False)
        other.tuned = True
        return other

    def forward(self, mix: Tensor) -> Tensor:
        spectrum = self._spectrum(mix)
        mean, deviation = _moments(spectrum)
        wave_mean, wave_deviation = _moments(mix)
        with _switches(self.tuned):
            spectra, waves = self.learnt(
                (spectrum - mean) / (deviation + 1e-5), (mix - wave_mean) / (wave_deviation + 1e-5)
            )
        sounds = self._sounds(spectra, mean[..., None, None], deviation[..., None, None], mix.shape[-1])
        stems: Tensor = waves.view(sounds.shape).float()
        return stems.mul_(wave_deviation[:, None]).add_(wave_mean[:, None]).add_(sounds)

    def _spectrum(self, mix: Tensor) -> Tensor:
        """Short-time Fourier transform, real and imaginary parts as channels: (b, 4, size/2, frames)."""
        batch, channels, length = mix.shape
        frames, pad = -(-length // self.hop), self.hop // 2 * 3
        padded = functional.pad(mix, (pad, pad + frames * self.hop - length), mode="reflect")
        pieces = padded.unfold(-1, self.size, self.hop) * self.window
        values = torch.view_as_real(torch.fft.rfft(pieces, norm="ortho")[..., :-1])
        return values.permute(0, 1, 4, 3, 2).reshape(batch, 2 * channels, self.size // 2, frames)

    def _sounds(self, spectra: Tensor, mean: Tensor, deviation: Tensor, length: int) -> Tensor:
        """The inverse, of (b, sources * 4, size/2, frames) in `deviation`s around `mean`: (b, sources, 2, length)."""
        batch, _, bins, frames = spectra.shape
        parts = spectra.view(batch, self.sources, -1, 2, bins, frames).transpose(-1, -2)
        # One bin more than the network knows: the highest, which is zero.
        values = spectra.new_empty((*parts.shape[:3], frames, bins + 1, 2), dtype=torch.float32)
        for part in (0, 1):
            values[..., :-1, part] = parts[:, :, :, part]
        values.mul_(deviation).add_(mean)
        values[..., -1, :] = 0
        values[..., 0, 1] = 0  # real by definition, and not every library passes over the rest
        pieces = torch.fft.irfft(torch.view_as_complex(values), self.size, norm="ortho")
        pieces *= self.window / _HANN_SQUARED_SUM
        quarters = pieces.unflatten(-1, (4, self.hop))
        sounds = functional.pad(quarters[..., 0, :], (0, 0, 0, 3))
        for number in (1, 2, 3):
            sounds[..., number : number + frames, :] += quarters[..., number, :]
        start = self.hop // 2 * 3
        return sounds.flatten(-2)[..., start : start + length]


class Learnt(nn.Module):
    """What has parameters, in `precision`: spectrogram (b, 4, bins, frames) and wave (b, 2, n), each with mean 0 and
    deviation 1, to (b, sources * 4, bins, frames) and (b, sources * 2, n)."""

    frequency: Tensor

    def __init__(self, model: Any, precision: torch.dtype) -> None:
        super().__init__()
        model = copy.deepcopy(model).to(precision)
        self.encoder, self.tencoder = model.encoder, model.tencoder
        self.decoder, self.tdecoder = model.decoder, model.tdecoder
        for layer in (*self.encoder, *self.tencoder, *self.decoder, *self.tdecoder):
            if getattr(layer, "dconv", None) is not None:
                layer.dconv = Residual(layer.dconv)
        self.transformer = model.crosstransformer
        self.around: Any = nn.ModuleList()  # what brings both branches to the transformer's channels and back
        if model.bottom_channels:
            self.around.extend([model.channel_upsampler, model.channel_upsampler_t])
            self.around.extend([model.channel_downsampler, model.channel_downsampler_t])
        self.precision = precision
        frequency = torch.zeros(1)
        if model.freq_emb is not None:
            numbers = torch.arange(model.freq_emb.embedding.num_embeddings, device=_device(model))
            frequency = (model.freq_emb_scale * model.freq_emb(numbers)).detach().t()[None, :, :, None]
        self.register_buffer("frequency", frequency.to(_device(model), precision))
        self._positions: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        x, wave = x.to(self.precision), wave.to(self.precision)
        kept, kept_waves, frames, lengths = [], [], [], []
        for number, encode in enumerate(self.encoder):
            frames.append(x.shape[-1])
            inject = None
            if number < len(self.tencoder):
                lengths.append(wave.shape[-1])
                wave = self.tencoder[number](wave)
                if self.tencoder[number].empty:
                    inject = wave
                else:
                    kept_waves.append(wave)
            x = encode(x, inject)
            if number == 0:
                x = x + self.frequency
            kept.append(x)
        x, wave = self._attend(x, wave)
        for number, decode in enumerate(self.decoder, len(self.tdecoder) - len(self.decoder)):
            x, shared = decode(x, kept.pop(), frames.pop())
            if number < 0:
                continue
            if self.tdecoder[number].empty:
                wave, _ = self.tdecoder[number](shared[:, :, 0], None, lengths.pop())
            else:
                wave, _ = self.tdecoder[number](wave, kept_waves.pop(), lengths.pop())
        return x, wave

    def _attend(self, x: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """The transformer over both branches: (b, channels, bins, frames) and (b, channels, n) as they are."""
        batch, _, bins, frames = x.shape
        x = x.flatten(2)
        if self.around:
            x, wave = self.around[0](x), self.around[1](wave)
        x = x.view(batch, -1, bins, frames).permute(0, 3, 2, 1).flatten(1, 2)  # (b, frames * bins, channels)
        wave = wave.transpose(1, 2)
        if self._positions is None:
            self._positions = self._embeddings(x.shape[2], bins, frames, wave.shape[1], x.device)
        x = self.transformer.norm_in(x) + self._positions[0]
        wave = self.transformer.norm_in_t(wave) + self._positions[1]
        for number, (layer, layer_t) in enumerate(
            zip(self.transformer.layers, self.transformer.layers_t, strict=True)
        ):
            if number % 2 == self.transformer.classic_parity:
                x, wave = layer(x), layer_t(wave)
            else:
                x, wave = layer(x, wave), layer_t(wave, x)
        x = x.view(batch, frames, bins, -1).permute(0, 3, 2, 1)
        wave = wave.transpose(1, 2)
        if self.around:
            x, wave = self.around[2](x.flatten(2)).view(batch, -1, bins, frames), self.around[3](wave)
        return x, wave

    def _embeddings(
        self, channels: int, bins: int, frames: int, length: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Where each token stands, in frequency and time or in time alone."""
        from demucs.transformer import create_2d_sin_embedding, create_sin_embedding

        period, weight = self.transformer.max_period, self.transformer.weight_pos_embed
        plane = create_2d_sin_embedding(channels, bins, frames, "cpu", period)  # (1, channels, bins, frames)
        line = create_sin_embedding(length, channels, max_period=period)  # (length, 1, channels)
        both = plane.permute(0, 3, 2, 1).flatten(1, 2), line.transpose(0, 1)
        first, second = (weight * embedding.to(device, self.precision) for embedding in both)
        return first, second


class Residual(nn.Module):
    """A DConv of demucs: to `x`, (b, channels, n), each branch is added in one pass with its scale."""

    def __init__(self, branches: Any) -> None:
        super().__init__()
        self.branches = branches.layers

    def forward(self, x: Tensor) -> Tensor:
        for branch in self.branches:
            *steps, scale = branch
            y = x
            for step in steps:
                y = step(y)
            x = torch.addcmul(x, scale.scale[:, None], y)
        return x


@contextmanager
def _switches(tuned: bool) -> Iterator[None]:
    """Global ones, so they are put back. The fused "fast path" of nn.MultiheadAttention is slower on CPUs than
    scaled_dot_product_attention (measured, 2.14 -> 1.47 s a segment with two threads)."""
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn.benchmark
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.cudnn.benchmark = tuned
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before[0])
        torch.backends.cudnn.benchmark = before[1]


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each of the batch, with x's number of dimensions."""
    dimensions = tuple(range(1, x.dim()))
    return x.mean(dimensions, keepdim=True), x.std(dimensions, keepdim=True)


def _device(model: Any) -> torch.device:
    device: torch.device = next(model.parameters()).device
    return device
