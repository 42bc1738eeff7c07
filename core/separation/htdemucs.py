"""htdemucs_6s: Hybrid Transformer Demucs with six stems (Rouard, Massa & Défossez 2023), from weights in a local folder.

The network is demucs' own. The loop over segments is ours rather than `demucs.apply`: without random shifts, so that
results repeat; with an overlap of 10% instead of 25%; with progress and cancelling after each batch; under autocast in
bfloat16 where the processor has it and it was found harmless; and on a GPU with batches that several tracks share
(`core.separation.segments`). In float32 it gives what `apply_model(shifts=0)` gives for the same overlap.
`research/bench/separation.py` measures both.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.activity import Gate, Gating
from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation import checkpoint, download
from core.separation.base import Progress, SeparatorInfo, SeparatorOptions, check_stereo, torch_threads

if TYPE_CHECKING:
    from core.separation.segments import SegmentedTrack

log = logging.getLogger(__name__)

CODE_VERSION = 1
"""Raise it when this code may change stems from the same weights by more than -30 dB, which is what bfloat16 may do."""

_NEEDED_SNR_DB = 30.0
_NO_ROOM = "The GPU has no room for htdemucs_6s: free some of its memory, or set jobs.device to cpu."
_SEGMENT_BYTES = 6e8
"""GPU memory to reserve for each segment of a batch."""


def load_htdemucs(
    folder: Path | None,
    *,
    threads: int | None = None,
    overlap: float = 0.1,
    device: str | None = None,
    precision: str = "auto",
) -> HTDemucsSeparator:
    """Load htdemucs_6s from `folder` (see `core.separation.checkpoint`).

    `precision` is 'float32', 'bfloat16' or 'auto' (bfloat16 where the processor has it and stems change by less than
    -30 dB); `device` is torch's name of one, by default the GPU where there is one. Raises UserError when the weights
    are missing, damaged or not this architecture, or the GPU has no room.
    """
    model, digest = checkpoint.read_model(folder)
    version = f"{digest[:8]}.{CODE_VERSION}"
    try:
        return HTDemucsSeparator(model, version, threads, overlap, device, precision)
    except MemoryError as error:
        raise UserError(str(error)) from error


class HTDemucsSeparator:
    """See `core.separation.base.Separator`. Build it with `load_htdemucs`."""

    name = checkpoint.NAME
    rate = 44_100

    def __init__(
        self,
        model: Any,
        version: str,
        threads: int | None = None,
        overlap: float = 0.1,
        device: str | None = None,
        precision: str = "auto",
    ) -> None:
        import torch

        if not 0 <= overlap <= 0.5:
            raise UserError(f"The overlap of segments must be between 0 and 0.5, not {overlap}.")
        self.gate: Gating = Gate()
        self.version = f"{version}.{100 * overlap:g}"
        self.overlap = overlap
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.batch = _largest_batch(self.device)
        """Number of segments that are computed together."""
        self._threads = threads
        self._sources = list(model.sources)
        self._size = int(model.samplerate * model.segment)
        self._stride = int((1 - overlap) * self._size)
        self._model = model.to(self.device)
        self.bfloat16 = precision == "bfloat16"
        """Whether it computes in bfloat16."""
        if precision == "auto" and _has_bfloat16(self.device):
            self.bfloat16 = self._bfloat16_is_harmless()

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        """Split `mix`, shape (2, n) at 44.1 kHz, into six stems of the same shape.

        Raises UserError when `mix` is not stereo audio of finite numbers, Cancelled when `progress` does, MemoryError
        when the GPU has no room for one segment.
        """
        [stems] = self.separate_all([mix], progress)
        return stems

    def separate_all(
        self, mixes: Iterable[Samples], progress: Progress | None = None
    ) -> Iterator[dict[str, Samples]]:
        """Do what `separate` does for several tracks, in order: where one leaves room in a batch, the next one begins.

        `mixes` is read as far ahead as one batch needs. `progress` gets the share of the track that comes next.
        """
        from core.separation.segments import SegmentedTrack

        tracks: deque[SegmentedTrack] = deque()  # begun and not yet yielded

        def cut() -> Iterator[tuple[SegmentedTrack, int]]:
            for mix in mixes:
                check_stereo(mix)
                track = SegmentedTrack(mix, len(self._sources), self._size, self._stride, self.device)
                tracks.append(track)
                yield from ((track, number) for number in range(track.count))

        segments = cut()
        while group := list(islice(segments, self.batch)):
            self._estimate_group(group)
            yield from self._finished(tracks, progress)
        yield from self._finished(tracks, progress)

    def _finished(
        self, tracks: deque[SegmentedTrack], progress: Progress | None
    ) -> Iterator[dict[str, Samples]]:
        """Take the finished tracks at the front; tell `progress` how far the one after them is."""
        report = progress or (lambda share: None)
        while tracks and tracks[0].joined == tracks[0].count:
            stems = tracks.popleft().stems.numpy()
            report(1.0)
            yield {stem: stems[self._sources.index(stem)] for stem in STEMS}
        if tracks:
            report(tracks[0].joined / tracks[0].count)

    def _estimate_group(self, group: list[tuple[SegmentedTrack, int]]) -> None:
        """Estimate the stems of these segments, and join them to those of their tracks."""
        import torch

        with torch_threads(self._threads), torch.inference_mode():
            batch = torch.zeros((len(group), 2, self._size))
            for (track, number), segment in zip(group, batch, strict=True):
                track.cut(number, segment)
            estimates = self._estimate(batch.to(self.device), self.bfloat16)
            for (track, _), estimate in zip(group, estimates, strict=True):
                track.join(estimate)

    def _estimate(self, batch: Any, bfloat16: bool) -> Any:
        """Stems of each segment: (b, 2, size) -> (b, sources, 2, size) float32.

        Where memory is short, in smaller batches from now on; MemoryError when one segment is too much.
        """
        import torch

        try:
            return self._forward(batch, bfloat16)
        except RuntimeError as error:
            if not _lacks_memory(error):
                raise
            if len(batch) == 1:
                raise MemoryError(_NO_ROOM) from error
        torch.cuda.empty_cache()
        self.batch = -(-len(batch) // 2)
        return torch.cat([self._estimate(part, bfloat16) for part in batch.split(self.batch)])

    def _forward(self, batch: Any, bfloat16: bool) -> Any:
        import torch

        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            return self._model(batch).float()

    def _bfloat16_is_harmless(self) -> bool:
        """Return whether stems in bfloat16 differ from float32's by less than -30 dB on a test signal with these weights
        (an SDR of 10 dB then falls by 0.04 dB); if not, the log says so."""
        import torch

        with torch_threads(self._threads), torch.inference_mode():
            segment = torch.from_numpy(_test_signal(self._size, self.rate)).to(self.device)[None]
            exact = self._estimate(segment, False)[0].double()
            try:
                rough = self._forward(segment, True)[0].double()
            except RuntimeError as error:  # a GPU whose libraries have no such kernel
                reason = str(error).partition("\n")[0]
            else:
                energy = exact.square().sum((1, 2))
                noise = (exact - rough).square().sum((1, 2)) + 1e-20
                snr = 10 * torch.log10(energy.maximum(energy.max() * 1e-3) / noise)
                if (snr > _NEEDED_SNR_DB).all():
                    return True
                reason = f"it would change stems by {-float(snr.min()):.0f} dB"
        log.warning("htdemucs_6s computes in float32 here, not in bfloat16: %s", reason)
        return False


def _test_signal(size: int, rate: int) -> Samples:
    """A beat and tones, (2, size); always the same, so that what is decided by it, and with it every stem, repeats."""
    rng = np.random.default_rng(0)
    time = np.arange(size) / rate
    beat = np.exp(-((time % 0.5) / 0.05)) * rng.normal(0, 1, (2, size))
    tones = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate((55, 220, 277, 330, 440), 1))
    return ((beat + tones) / np.std(beat + tones)).astype(np.float32)


def _lacks_memory(error: RuntimeError) -> bool:
    """Return whether that is the reason; CUDA's libraries do not all raise torch.OutOfMemoryError."""
    return any(text in str(error) for text in ("out of memory", "unable to find an engine", "ALLOC_FAILED"))


def _largest_batch(device: Any) -> int:
    """Number of segments at once: on a CPU more only cost memory (measured), on a GPU what fits, up to sixteen."""
    import torch

    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(16, int(0.7 * free / _SEGMENT_BYTES)))


def _has_bfloat16(device: Any) -> bool:
    """Return whether the processor multiplies bfloat16 in hardware; elsewhere it is emulated and slower."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def _load(options: SeparatorOptions) -> HTDemucsSeparator:
    folder = options.weights or download.cache_folder()
    if options.weights is None and not checkpoint.has_weights(folder):
        download.fetch(folder)
    return load_htdemucs(folder, threads=options.threads, **options.htdemucs)


def _at_hand(options: SeparatorOptions) -> bool:
    return checkpoint.has_weights(options.weights or download.cache_folder())


INFO = SeparatorInfo(
    name=checkpoint.NAME,
    label=f"`{checkpoint.NAME}`",
    rank=10,
    # Mean SDR on MoisesDB (drums 11.0, bass 11.9, vocals 9.6, guitar 3.1, piano 1.6, other 0.3 dB; Pereira et al. 2023,
    # benchmark tables of the repository) as a share of what an ideal ratio mask reaches there (9.2, 7.9, 9.7, 5.3, 4.7,
    # 4.7 dB), kept within 0.1..0.95.
    reliability={"drums": 0.95, "bass": 0.95, "vocals": 0.95, "guitar": 0.58, "piano": 0.34, "other": 0.1},
    load=_load,
    uses_gpu=True,
    at_hand=_at_hand,
)
