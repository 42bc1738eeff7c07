"""The bundled separator: a small U-Net's masks on the mix's own spectrum, on any machine and without a download.

The mix is cut into overlapping STFT frames (93 ms, hop 23 ms). The network gets the loudness of 256 bands
(`core.separation.bands`) and where they lie between the loudspeakers, about 12 s at a time, and returns six masks for
each channel that sum to one. Each mask times the complex spectrum of its channel is a stem, so stems keep the mix's
phase and panning and add up to the mix. Memory beyond the stems themselves is that of one chunk.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.activity import Gate, Gating
from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation.bands import BANDS, FFT, HOP, RATE, band_sum, loudness, position, to_bins
from core.separation.base import Progress, SeparatorInfo, check_stereo, torch_threads

WEIGHTS = Path(__file__).parent / "weights" / "unet.safetensors"
CODE_VERSION = 3
"""Raise it when this code may give other stems from the same weights."""

CHUNK = 512
OVERLAP = 96
_STRIDE = CHUNK - OVERLAP
_GATE_DB = 40.0


class UNetSeparator:
    """See `core.separation.base.Separator`. Build it with `load_unet`."""

    name = "unet"
    rate = RATE

    def __init__(self, network: Any, version: str, gate: Gating, threads: int | None) -> None:
        self.version = version
        self.gate = gate
        self._network = network
        self._threads = threads

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        """Split `mix`, shape (2, n) at 44.1 kHz, into all six stems, which add up to `mix`.

        Raises UserError when `mix` is not stereo audio of finite numbers, Cancelled when `progress` does.
        """
        check_stereo(mix)
        length = mix.shape[1]
        stems = {stem: np.zeros((2, length), np.float32) for stem in STEMS}
        reference = reference_power(mix)
        if length == 0 or reference <= 1e-12:
            if progress is not None:
                progress(1.0)
            return stems
        frames = -(-(FFT - HOP + length) // HOP)
        tail: NDArray[np.float32] | None = None
        for start in range(0, frames, _STRIDE):
            count = min(CHUNK, frames - start)
            last = start + count >= frames
            spectra = _spectra(mix, start, count, self._threads)
            masks = self._masks(network_input(spectra, reference))
            if tail is not None:
                ramp = np.linspace(0, 1, OVERLAP + 2, dtype=np.float32)[1:-1][: masks.shape[2], None]
                masks[:, :, : len(ramp)] = (
                    ramp * masks[:, :, : len(ramp)] + (1 - ramp) * tail[:, :, : len(ramp)]
                )
            keep = count if last else _STRIDE
            tail = masks[:, :, _STRIDE:].copy()
            for number, stem in enumerate(STEMS):
                _add(stems[stem], spectra[:, :keep] * to_bins(masks[number, :, :keep]), start, self._threads)
            if progress is not None:
                progress(min(1.0, (start + keep) / frames))
            if last:
                break
        return stems

    def _masks(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the masks, (stems, 2, frames, BANDS), for the network's input, (3, frames, BANDS)."""
        import torch

        from core.separation.network import REDUCTION

        frames = seen.shape[1]
        padded = -(-max(frames, 4 * REDUCTION) // REDUCTION) * REDUCTION
        # Beyond the ends of the track the network sees silence in the middle, as it did in training.
        level, place = seen[:1], seen[1:]
        end = (0, 0), (0, padded - frames), (0, 0)
        seen = np.concatenate([np.pad(level, end, constant_values=-1.25), np.pad(place, end)])
        with torch_threads(self._threads), torch.inference_mode():
            masks = self._network(torch.from_numpy(seen.transpose(0, 2, 1).copy())[None])[0]
        result: NDArray[np.float32] = masks[..., :frames].transpose(2, 3).contiguous().numpy()
        return result


def network_input(spectra: NDArray[np.complex64], reference: float) -> NDArray[np.float32]:
    """Return the network's input for an STFT, (2, frames, BINS): loudness relative to `reference`, balance and width,
    (3, frames, BANDS)."""
    left, right = band_sum(spectra.real**2 + spectra.imag**2)
    cross = band_sum(spectra[0].real * spectra[1].real + spectra[0].imag * spectra[1].imag)
    return np.concatenate([loudness((left + right) / 2, reference)[None], position(left, right, cross)])


def reference_power(mix: Samples) -> float:
    """Return the mean power per STFT bin of the parts that sound (blocks of 0.4 s within 40 dB of the loudest).

    By Parseval's theorem the mean of |STFT|^2 is the mean square of the samples times the window's energy.
    """
    block = int(0.4 * RATE)
    squares = np.array(
        [
            np.mean(mix[:, start : start + block].astype(np.float64) ** 2)
            for start in range(0, mix.shape[1], block)
        ]
    )
    if not len(squares):
        return 0.0
    sounding = squares[squares >= squares.max() * 10 ** (-_GATE_DB / 10)]
    return float(sounding.mean()) * 0.375 * FFT


def _window() -> NDArray[np.float32]:
    return np.hanning(FFT + 1)[:-1].astype(np.float32)


def _spectra(mix: Samples, start: int, count: int, threads: int | None) -> NDArray[np.complex64]:
    """Return STFT frames start..start+count of both channels, (2, count, BINS); frame 0 ends HOP samples into the mix."""
    from scipy.fft import rfft

    first = start * HOP - (FFT - HOP)
    total = (count - 1) * HOP + FFT
    piece = np.zeros((2, total), np.float32)
    low, high = max(first, 0), min(first + total, mix.shape[1])
    piece[:, low - first : high - first] = mix[:, low:high]
    frames = np.lib.stride_tricks.sliding_window_view(piece, FFT, axis=1)[:, ::HOP]
    result: NDArray[np.complex64] = rfft(frames * _window(), axis=-1, workers=threads)
    return result


def _add(target: Samples, spectra: NDArray[np.complex64], start: int, threads: int | None) -> None:
    """Add the inverse STFT by weighted overlap-add to `target` (Hann twice at 75% overlap adds up to 1.5)."""
    from scipy.fft import irfft

    frames = irfft(spectra, FFT, axis=-1, workers=threads, overwrite_x=True)
    frames *= _window() * np.float32(1 / 1.5)
    count = frames.shape[1]
    piece = np.zeros((2, count + FFT // HOP - 1, HOP), np.float32)
    for part in range(FFT // HOP):
        piece[:, part : part + count] += frames[:, :, part * HOP : (part + 1) * HOP]
    flat = piece.reshape(2, -1)
    first = start * HOP - (FFT - HOP)
    low, high = max(first, 0), min(first + flat.shape[1], target.shape[1])
    target[:, low:high] += flat[:, low - first : high - first]


def load_unet(threads: int | None = None, weights: Path = WEIGHTS) -> UNetSeparator:
    """Load the bundled separator, or one with other weights of the same architecture.

    `<weights>.activity.safetensors`, where there is one, is the detector that decides when a stem sounds. Raises UserError
    when a file is missing, is no safetensors file or holds another network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from core.separation.network import SpectrogramUNet

    try:
        data = weights.read_bytes()
        tensors = load(data)
        learnt = detector_file(weights)
        stated = learnt.read_bytes() if learnt.exists() else b""
        gate = _detector(stated) if learnt.exists() else Gate()
        network = SpectrogramUNet(len(STEMS))
        network.load_state_dict(tensors)
    except FileNotFoundError as error:
        raise UserError(f"The file {error.filename} is missing: install moodstem again.") from error
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{weights} does not hold weights of the bundled U-Net: install moodstem again."
        ) from error
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise UserError(f"{weights} is damaged: install moodstem again.")
    network.eval()
    _fold_batch_norm(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # The detector is part of the version, since it decides what an analysis calls sounding.
    version = f"{hashlib.sha256(data + stated).hexdigest()[:8]}.{CODE_VERSION}"
    return UNetSeparator(network, version, gate, threads)


def detector_file(weights: Path) -> Path:
    """Return where the detector (core.audio.detector) of these weights is."""
    return weights.with_suffix(".activity.safetensors")


def _detector(data: bytes) -> Gating:
    """Return the detector in `data`. Raises KeyError or ValueError unless it is one for STEMS."""
    from safetensors.numpy import load

    from core.audio.detector import VIEWS, Detector  # with scipy, which the bot does without

    tensors = load(data)
    weights, bias = tensors["weights"], tensors["bias"]
    if weights.shape != (VIEWS, 3 * len(STEMS), len(STEMS)) or bias.shape != (len(STEMS),):
        raise ValueError("a detector of another shape")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError("a detector of numbers that are none")
    return Detector(STEMS, weights, bias)


def _fold_batch_norm(network: Any) -> None:
    """Fold each batch normalisation into the convolution before it: the same function, less work."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in network.modules():
        if isinstance(module, nn.Sequential) and isinstance(module[1], nn.BatchNorm2d):
            convolution: Any = module[0]
            module[0] = fuse_conv_bn_eval(convolution, module[1])
            module[1] = nn.Identity()


assert BANDS % 16 == 0


INFO = SeparatorInfo(
    name="unet",
    label="the bundled U-Net",
    rank=20,
    # Written beside the weights by research.training.reliability, which measures it.
    reliability=json.loads(WEIGHTS.with_suffix(".json").read_text("utf-8"))["reliability"],
    load=lambda options: load_unet(options.threads),
)
