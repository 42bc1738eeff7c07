"""htdemucs_6s on several tracks at once: shared batches, progress, short memory, and what a processor cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.audio.types import STEMS, Samples
from core.separation.base import Cancelled
from core.separation.checkpoint import read_model
from core.separation.htdemucs import HTDemucsSeparator, load_htdemucs

RATE = 44_100


def noise(samples: int, seed: int = 3) -> Samples:
    return np.random.default_rng(seed).normal(0.01, 0.2, (2, samples)).astype(np.float32)


class Network(torch.nn.Module):
    """demucs' own, with something that happens before it is called with a batch of so many segments."""

    def __init__(self, weights: Path, before: Callable[[int], object]) -> None:
        super().__init__()
        self.model, _ = read_model(weights)
        self.sources, self.samplerate, self.segment = (
            self.model.sources,
            self.model.samplerate,
            self.model.segment,
        )
        self.before = before

    def forward(self, batch: Any) -> Any:
        self.before(len(batch))
        return self.model(batch)


def separator(
    weights: Path, before: Callable[[int], object] = lambda size: None, precision: str = "float32"
) -> HTDemucsSeparator:
    made = HTDemucsSeparator(Network(weights, before), "1", threads=1, precision=precision)
    made.batch = 3  # as on a GPU
    return made


def equal(ours: dict[str, Samples], theirs: dict[str, Samples]) -> bool:
    return all(
        ours[stem].shape == theirs[stem].shape
        and (not ours[stem].size or np.abs(ours[stem] - theirs[stem]).max() < 1e-5)
        for stem in STEMS
    )


def test_tracks_share_batches_and_stay_themselves(weights: Path) -> None:
    lengths = (3 * RATE, 500, 0, 7 * RATE + 13, 2 * RATE, RATE)
    mixes = [noise(length, seed) for seed, length in enumerate(lengths)]
    mixes[4][:] = 0
    alone = [load_htdemucs(weights, threads=1, precision="float32").separate(mix) for mix in mixes]
    sizes: list[int] = []
    together = list(separator(weights, sizes.append).separate_all(iter(mixes)))
    assert len(together) == len(alone) and all(map(equal, together, alone))
    assert sizes == [3, 3, 2]  # 2 + 1 + 0 + 4 + 0 + 1 segments


def test_tracks_are_read_no_earlier_than_needed(weights: Path) -> None:
    read: list[int] = []

    def mixes() -> Iterator[Samples]:
        for number in range(8):
            read.append(number)
            yield noise(4 * RATE, number)

    given = separator(weights).separate_all(mixes())
    next(given)
    assert len(read) <= 2


def test_progress_is_that_of_the_next_track(weights: Path) -> None:
    both = separator(weights)
    seen: list[float] = []
    for _ in both.separate_all([noise(7 * RATE), noise(3 * RATE)], seen.append):
        pass
    assert seen.count(1.0) == 2 and seen[-1] == 1.0 and min(seen) >= 0

    def stop(share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(both.separate_all([noise(7 * RATE)] * 2, stop))


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory.",
        "FIND was unable to find an engine to execute this computation",
        "CUFFT_ALLOC_FAILED",
    ],
)
def test_short_memory_halves_the_batch(weights: Path, words: str) -> None:
    room = 1

    def needs_room(size: int) -> None:
        if size > room:
            raise RuntimeError(words)

    mix, short = noise(7 * RATE), separator(weights, needs_room)
    assert equal(short.separate(mix), separator(weights).separate(mix)) and short.batch == 1
    room = 0
    with pytest.raises(MemoryError, match="no room"):
        short.separate(mix)


def test_other_errors_are_not_taken_for_short_memory(weights: Path) -> None:
    def fails(size: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    broken = separator(weights, fails)
    with pytest.raises(RuntimeError, match="mat1"):
        broken.separate(noise(RATE))
    assert broken.batch == 3


@pytest.mark.parametrize("fault", ["no kernel", "rough", ""])
def test_bfloat16_is_tried_before_it_is_chosen(
    weights: Path, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})

    class Faulty(Network):
        def forward(self, batch: Any) -> Any:
            stems = super().forward(batch)
            if torch.is_autocast_enabled("cpu"):
                if fault == "no kernel":
                    raise RuntimeError("GET was unable to find an engine\nMore about it")
                if fault == "rough":
                    stems = stems * 1.1
            return stems

    made = HTDemucsSeparator(Faulty(weights, lambda size: None), "1", threads=1)
    assert made.bfloat16 == (not fault)
    said = {
        "no kernel": "bfloat16: GET was unable to find an engine",
        "rough": "change stems by -20 dB",
        "": "",
    }
    assert said[fault] in caplog.text and bool(caplog.text) == bool(fault)
    assert "More about it" not in caplog.text
    assert set(made.separate(noise(RATE))) == set(STEMS)


def test_a_processor_without_bfloat16_computes_in_float32(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert not load_htdemucs(weights, threads=1, device="cpu").bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_gives_the_stems_of_the_processor(weights: Path) -> None:
    mixes = [noise(40 * RATE), noise(500), noise(3 * RATE)]
    expected = list(load_htdemucs(weights, device="cpu", precision="float32").separate_all(mixes))
    for precision, bar in (("float32", 80), ("bfloat16", 26)):
        ours = load_htdemucs(weights, device="cuda", precision=precision)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            given = list(ours.separate_all(mixes))
        for stems, others in zip(given, expected, strict=True):
            for stem in STEMS:
                error = ((stems[stem] - others[stem]) ** 2).sum()
                assert 10 * np.log10((others[stem] ** 2).sum() / (error + 1e-20)) > bar
