"""Hybrid Transformer Demucs with six stems (Rouard, Massa & Défossez 2023), from weights in a local folder.

Segments go through a loop of our own rather than `demucs.apply`: no random shifts, so results repeat; an overlap of
10% instead of 25%; progress and cancelling per segment, on a GPU per batch; bfloat16 where that is fast and was found
harmless on this machine; and on a GPU batches that several tracks share, joined there, while the next one is cut here
and the last one is copied (`core.separation.segments`). In float32 it gives what `apply_model(shifts=0)` gives for the
same overlap (both measured by `research/bench/separation.py`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.activity import Gate, Gating
from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation.base import Progress
from core.separation.checkpoint import NAME, read_model
from core.separation.unet import check_stereo

if TYPE_CHECKING:
    from core.separation.segments import Track

log = logging.getLogger(__name__)

CODE_VERSION = 1
"""Raise it when this code may change stems from the same weights by more than -30 dB, which is what bfloat16 may do."""

RELIABILITY = {"drums": 0.95, "bass": 0.95, "vocals": 0.95, "guitar": 0.58, "piano": 0.34, "other": 0.1}
"""Mean SDR on MoisesDB (drums 11.0, bass 11.9, vocals 9.6, guitar 3.1, piano 1.6, other 0.3 dB; Pereira et al.
2023, benchmark tables of the repository) as a share of what an ideal ratio mask reaches there (9.2, 7.9, 9.7,
5.3, 4.7, 4.7 dB), kept within 0.1..0.95."""

_NEEDED_SNR_DB = 30.0
_NO_ROOM = "The GPU has no room for htdemucs_6s: free some of its memory, or set jobs.device to cpu."
_SEGMENT_BYTES = 6e8
"""What to keep for a segment on a GPU: its tensors take 0.25 GB in bfloat16 and 0.46 GB in float32, libraries the rest."""


def load_htdemucs(
    folder: Path | None,
    *,
    threads: int | None = None,
    overlap: float = 0.1,
    device: str | None = None,
    precision: str = "auto",
    compiled: bool = False,
) -> HTDemucsSeparator:
    """Load htdemucs_6s from `folder` (see `core.separation.checkpoint`).

    `precision` is 'float32', 'bfloat16' or 'auto' (bfloat16 where it is fast and changes stems by less than -30 dB);
    `compiled` has torch compile the network on a GPU, which takes minutes, under the same condition. Raises UserError
    when the weights are missing, damaged or not this architecture, or the GPU has no room.
    """
    model, digest = read_model(folder)
    version = f"{digest[:8]}.{CODE_VERSION}"
    try:
        return HTDemucsSeparator(model, version, threads, overlap, device, precision, compiled)
    except MemoryError as error:
        raise UserError(str(error)) from error


class HTDemucsSeparator:
    """See `core.separation.base.Separator`. Build it with `load_htdemucs`."""

    name = NAME
    rate = 44_100

    def __init__(
        self,
        model: Any,
        version: str,
        threads: int | None = None,
        overlap: float = 0.1,
        device: str | None = None,
        precision: str = "auto",
        compiled: bool = False,
    ) -> None:
        import torch

        from core.separation.hybrid import Hybrid

        if not 0 <= overlap <= 0.5:
            raise UserError(f"The overlap of segments must be between 0 and 0.5, not {overlap}.")
        self.reliability = dict(RELIABILITY)
        self.gate: Gating = Gate()
        self.version = f"{version}.{100 * overlap:g}"
        self.overlap = overlap
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if self.device.type == "cpu":
            _keep_freed_memory()
        on_gpu = self.device.type == "cuda"
        self._copies: Any = torch.cuda.Stream(self.device) if on_gpu else None  # type: ignore[no-untyped-call]
        self._threads = threads
        self._batch = _largest_batch(self.device)
        self._sources = list(model.sources)
        self._size = int(model.samplerate * model.segment)
        self._stride = int((1 - overlap) * self._size)
        model = model.to(self.device).to(memory_format=torch.channels_last)
        self._exact: Any = Hybrid(model)
        self._network: Any = self._exact
        self._compiled: Any = None
        if precision == "bfloat16" or (precision == "auto" and _fast_bfloat16(self.device)):
            rough = Hybrid(model, torch.bfloat16)
            if precision == "bfloat16" or self._harmless(rough, "bfloat16"):
                self._network = rough
        if compiled and on_gpu:
            self._compile()

    @property
    def bfloat16(self) -> bool:
        """Whether it computes in bfloat16; a track in which a number overflows there is made anew in float32."""
        return self._network is not self._exact

    @property
    def compiled(self) -> bool:
        """Whether full batches go through a compiled network."""
        return self._compiled is not None

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
        """`separate` for several tracks, in order: where one leaves room in a batch, the next one begins.

        `mixes` is read as far ahead as two batches need. `progress` is told the share of the track that comes next.
        """
        return self._separate_all(mixes, progress or (lambda share: None), self._network)

    def _separate_all(
        self, mixes: Iterable[Samples], progress: Progress, network: Any
    ) -> Iterator[dict[str, Samples]]:
        from core.separation.segments import Track

        tracks: deque[Track] = deque()  # begun and not yet given
        launched: deque[_Launched] = deque()

        def cut() -> Iterator[tuple[Track, int]]:
            for mix in mixes:
                check_stereo(mix)
                self._set_threads()
                track = Track(mix, len(self._sources), self._size, self._stride, self.device, self._copies)
                tracks.append(track)
                yield from ((track, number) for number in range(track.count))

        segments = cut()
        while group := list(islice(segments, self._batch)):
            try:
                launched.append(self._launch(group, network))
            except RuntimeError as error:
                if _lacks_memory(error):
                    raise MemoryError(_NO_ROOM) from error
                raise
            # A GPU computes one batch while the next is cut here.
            if self._copies is None or len(launched) > 1:
                launched.popleft().settle()
                yield from self._finished(tracks, progress)
        for batch in launched:
            batch.settle()
        yield from self._finished(tracks, progress)

    def _finished(self, tracks: deque[Track], progress: Progress) -> Iterator[dict[str, Samples]]:
        """Take the tracks at the front that are whole; `progress` is told how far the one after them is."""
        while tracks and tracks[0].settled == tracks[0].count:
            track = tracks.popleft()
            if track.spoiled:
                yield from self._separate_all([track.mix], progress, self._exact)
            else:
                progress(1.0)
                stems = track.stems.numpy()
                yield {stem: stems[self._sources.index(stem)] for stem in STEMS}
        if tracks:
            progress(tracks[0].settled / tracks[0].count)

    def _set_threads(self) -> None:
        """For the process, so again before each piece of work: sums depend on it in their last digits."""
        import torch

        if self._threads is not None and self.device.type == "cpu":
            torch.set_num_threads(self._threads)

    def _launch(self, group: list[tuple[Track, int]], network: Any) -> _Launched:
        """Have a batch computed; on a GPU it may still be under way when this returns."""
        import torch

        self._set_threads()
        size, finite = len(group), None
        if self._compiled is not None and network is self._network and 2 * size > self._compiled_for:
            size, network = self._compiled_for, self._compiled  # the rest of the batch is silence
        batch = torch.zeros((size, 2, self._size), pin_memory=self._copies is not None)
        for (track, number), segment in zip(group, batch, strict=False):
            track.cut(number, segment)
        with torch.inference_mode():
            estimates = self._estimate(batch.to(self.device, non_blocking=True), network)[: len(group)]
            if network is not self._exact:
                finite = torch.isfinite(estimates.sum()).to("cpu", non_blocking=True)
            for (track, number), estimate in zip(group, estimates, strict=True):
                track.join(number, estimate)
        done = self._copies.record_event() if self._copies is not None else None
        return _Launched([track for track, _ in group], finite, done)

    def _estimate(self, batch: Any, network: Any) -> Any:
        """Stems of each segment, (b, sources, 2, size). Where memory is short, no longer compiled, then in smaller
        batches from now on; MemoryError when one segment is too much."""
        import torch

        try:
            return network(batch)
        except RuntimeError as error:
            if not _lacks_memory(error):
                raise
        torch.cuda.empty_cache()
        if network is self._compiled:
            log.warning("The GPU has no room for the compiled htdemucs_6s: it goes on as it is.")
            self._compiled = None
            return self._estimate(batch, self._network)
        if len(batch) == 1:
            raise MemoryError(_NO_ROOM)
        self._batch = -(-len(batch) // 2)
        return torch.cat([self._estimate(part, network) for part in batch.split(self._batch)])

    def _test_segment(self) -> Any:
        """A beat and tones, (1, 2, size); always the same, so that what is decided by them, and every stem, repeats."""
        import torch

        rng = np.random.default_rng(0)
        time = np.arange(self._size) / self.rate
        beat = np.exp(-((time % 0.5) / 0.05)) * rng.normal(0, 1, (2, self._size))
        tones = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate((55, 220, 277, 330, 440), 1))
        signal = (beat + tones).astype(np.float32)
        return torch.from_numpy(signal / signal.std()).to(self.device)[None]

    def _harmless(self, network: Any, what: str) -> bool:
        """Whether stems of `network` differ by less than -30 dB from float32's on a test signal with these weights: an
        SDR of 10 dB then falls by 0.04 dB. If not, the log says why it goes on without `what`."""
        import torch

        self._set_threads()
        segment = self._test_segment()
        with torch.inference_mode():
            exact = self._estimate(segment, self._exact)[0].double()
            energy = exact.square().sum((1, 2))
            energy = energy.maximum(energy.max() * 1e-3)
            try:
                # In a batch as they come later, since what is compiled is so for one shape.
                rough = network(segment.repeat(self._batch, 1, 1))[0].double()
                noise = (exact - rough).square().sum((1, 2)) + 1e-20
                snr = 10 * torch.log10(energy / noise)
                if (snr > _NEEDED_SNR_DB).all():  # never so with NaN, where bfloat16 overflowed
                    return True
                reason = f"it would change stems by {-float(snr.min()):.0f} dB"
            except Exception as error:  # whatever a library, a compiler, a driver or a missing tool may raise
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        log.warning("htdemucs_6s does without %s here: %s", what, reason)
        return False

    def _compile(self) -> None:
        """Have torch compile what is learnt, for full batches; where that does not work, the log says why."""
        import torch

        with torch.inference_mode():  # makes what is made once, or the network would be compiled twice
            self._estimate(self._test_segment(), self._network)
        compiled = self._network.compiled()
        if self._harmless(compiled, "compilation"):
            self._compiled, self._compiled_for = compiled, self._batch


@dataclass
class _Launched:
    """A batch on the device: the track of each segment, whether all came out finite, and when it is done."""

    tracks: list[Track]
    finite: Any
    done: Any

    def settle(self) -> None:
        """Wait for it."""
        if self.done is not None:
            self.done.synchronize()
        for track in self.tracks:
            track.settled += 1
            track.spoiled |= self.finite is not None and not self.finite


def _lacks_memory(error: RuntimeError) -> bool:
    """Libraries of CUDA have other words for it than torch.OutOfMemoryError."""
    return any(text in str(error) for text in ("out of memory", "unable to find an engine", "ALLOC_FAILED"))


def _largest_batch(device: Any) -> int:
    """Segments at once: on a CPU more only cost memory (measured), on a GPU what fits, up to sixteen."""
    import torch

    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(16, int(0.7 * free / _SEGMENT_BYTES)))


def _fast_bfloat16(device: Any) -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is emulated and slower."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of giving it back: each segment asks for the same 0.7 GB again, and its
    page faults cost more than a tenth of the time (measured, 5.6 -> 4.8 s for 16 s of audio; the peak grows by
    0.1 GB). It holds for the process, which is why only this separator, at home in a worker, does it."""
    import ctypes
    import sys

    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent in other C libraries
        if mallopt is not None:
            mallopt(-4, 0)  # M_MMAP_MAX: no separate mappings for large blocks
            mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
