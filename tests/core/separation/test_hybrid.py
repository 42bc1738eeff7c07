"""Our forward pass of Hybrid Transformer Demucs beside demucs' own, and how tracks share its batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation import Cancelled
from core.separation.htdemucs import HTDemucsSeparator, load_htdemucs
from core.separation.hybrid import Hybrid, fits
from tests.core.separation.conftest import SMALL

RATE = 44_100


def noise(samples: int, seed: int = 3) -> Samples:
    return np.random.default_rng(seed).normal(0.01, 0.2, (2, samples)).astype(np.float32)


def demucs(**changes: Any) -> Any:
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    return HTDemucs(**SMALL | changes).eval()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bottom_channels": 48},
        {"freq_emb": 0},
        {"depth": 5},  # its last encoder joins both branches
        {"dconv_mode": 1, "t_layers": 4, "t_cross_first": True, "t_weight_pos_embed": 0.5},
        {"norm_starts": 2, "nfft": 2048, "t_norm_in": False, "t_norm_in_group": 1},
    ],
)
def test_it_is_the_function_that_demucs_computes(changes: dict[str, Any]) -> None:
    model = demucs(**changes)
    assert fits(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    mix = torch.from_numpy(np.stack([noise(2 * RATE, seed) for seed in (1, 2)]))
    with torch.inference_mode():
        ours, theirs = Hybrid(model)(mix), model(mix)
        assert ours.shape == theirs.shape and float((ours - theirs).abs().max()) < 1e-5
        rough = Hybrid(model, torch.bfloat16)(mix)
    assert 10 * torch.log10(theirs.square().sum() / (rough - theirs).square().sum()) > 30
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "changes", [{"cac": False}, {"t_emb": "cape"}, {"t_layers": 0}, {"multi_freqs": [0.5]}]
)
def test_other_kinds_are_refused_by_name(changes: dict[str, Any], tmp_path: Path) -> None:
    from research.bench.separation import save_random_weights

    save_random_weights(tmp_path, SMALL | changes)
    with pytest.raises(UserError, match="another kind of Hybrid Demucs"):
        load_htdemucs(tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_learnt_part_is_compiled_whole_and_once(
    weights: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A break in the graph would leave most of it as it is, silently; another compilation takes minutes. PyTorch's own
    compiler does all but write the machine's code, which takes longer than this whole file."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    torch._dynamo.reset()
    counters.clear()
    mixes = [noise(7 * RATE), noise(9 * RATE)]
    expected = list(load_htdemucs(weights, threads=1, precision=precision).separate_all(mixes))
    made = load_htdemucs(weights, threads=1, precision=precision)
    made._batch = 3
    made._compile()
    assert made.compiled
    for stems, others in zip(made.separate_all(mixes), expected, strict=True):
        for stem in STEMS:
            error = ((stems[stem] - others[stem]) ** 2).sum()
            assert 10 * np.log10((others[stem] ** 2).sum() / (error + 1e-20)) > 40
    assert counters["stats"]["unique_graphs"] == 1 and not counters["graph_break"]


@pytest.fixture(scope="module")
def separator(weights: Path) -> HTDemucsSeparator:
    made = load_htdemucs(weights, threads=1, precision="float32")
    made._batch = 3  # as on a GPU
    return made


def equal(ours: dict[str, Samples], theirs: dict[str, Samples]) -> bool:
    return all(
        ours[stem].shape == theirs[stem].shape
        and (not ours[stem].size or np.abs(ours[stem] - theirs[stem]).max() < 1e-5)
        for stem in STEMS
    )


def test_tracks_share_batches_and_stay_themselves(separator: HTDemucsSeparator) -> None:
    lengths = (3 * RATE, 500, 0, 7 * RATE + 13, 2 * RATE, RATE)
    mixes = [noise(length, seed) for seed, length in enumerate(lengths)]
    mixes[4][:] = 0
    alone = [separator.separate(mix) for mix in mixes]
    sizes: list[int] = []
    with watched(separator, sizes.append):
        together = list(separator.separate_all(iter(mixes)))
    assert len(together) == len(alone) and all(map(equal, together, alone))
    assert sizes == [3, 3, 2]  # 2 + 1 + 0 + 4 + 0 + 1 segments


def test_tracks_are_read_no_earlier_than_needed(separator: HTDemucsSeparator) -> None:
    read: list[int] = []

    def mixes() -> Iterator[Samples]:
        for number in range(8):
            read.append(number)
            yield noise(4 * RATE, number)

    given = separator.separate_all(mixes())
    next(given)
    assert len(read) <= 2
    given.close()  # type: ignore[attr-defined]


class Copies:
    """A CUDA stream for machines without one, as late as one may be: what it copies is there when it is waited for."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, Any]] = []
        self.under_way, self.most = 0, 0

    def wait_stream(self, other: Any) -> None: ...

    def record_event(self) -> Event:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        waiting, self.waiting = self.waiting, []
        return Event(self, waiting)


class Event:
    def __init__(self, stream: Copies, waiting: list[tuple[Any, Any]]) -> None:
        self.stream, self.waiting = stream, waiting

    def synchronize(self) -> None:
        self.stream.under_way -= 1
        for target, source in self.waiting:
            target.copy_(source)


def test_two_batches_are_under_way_on_a_gpu(
    separator: HTDemucsSeparator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stem is read before it has arrived, and nothing is written over that is still to be copied."""
    mixes = [noise(9 * RATE), noise(500), noise(3 * RATE), noise(11 * RATE)]
    expected = list(separator.separate_all(mixes))
    stream = Copies()
    copy = torch.Tensor.copy_

    @contextmanager
    def on(stream: Copies) -> Iterator[None]:
        def later(target: Any, source: Any, non_blocking: bool = False) -> Any:
            assert non_blocking and target.is_contiguous() and source.is_contiguous(), "or it waits"
            stream.waiting.append((target, source))
            return target

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.Tensor, "copy_", later)
            yield

    def memory(*shape: Any, make: Any, pin_memory: bool = False, **more: Any) -> Any:
        made = make(*shape, **more)
        return made.fill_(float("nan")) if pin_memory and make is not torch_zeros else made

    torch_zeros, torch_empty = torch.zeros, torch.empty
    monkeypatch.setattr(separator, "_copies", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr(torch, "zeros", partial(memory, make=torch_zeros))
    monkeypatch.setattr(torch, "empty", partial(memory, make=torch_empty))
    seen: list[float] = []
    assert all(map(equal, separator.separate_all(mixes, seen.append), expected))
    assert stream.most == 2 and stream.under_way == 0 and seen.count(1.0) == len(mixes)
    assert torch.Tensor.copy_ is copy and not stream.waiting


def test_progress_is_that_of_the_next_track(separator: HTDemucsSeparator) -> None:
    seen: list[float] = []
    for _ in separator.separate_all([noise(7 * RATE), noise(3 * RATE)], seen.append):
        pass
    assert seen.count(1.0) == 2 and seen[-1] == 1.0 and min(seen) >= 0

    def stop(share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(separator.separate_all([noise(7 * RATE)] * 2, stop))
    assert equal(separator.separate(noise(RATE)), separator.separate(noise(RATE)))


class watched:  # noqa: N801 - used like a function
    """Replaces the separator's network by one that goes through `before(batch size)` first."""

    def __init__(self, separator: HTDemucsSeparator, before: Callable[[int], Any]) -> None:
        self.separator, self.before = separator, before

    def __enter__(self) -> None:
        self.kept = self.separator._network, self.separator._exact, self.separator._batch
        network = self.separator._exact

        def forward(batch: Any) -> Any:
            spoil = self.before(len(batch))
            return network(batch) * (spoil if isinstance(spoil, float) else 1)

        self.separator._network = self.separator._exact = forward

    def __exit__(self, *_: object) -> None:
        self.separator._network, self.separator._exact, self.separator._batch = self.kept


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory.",
        "FIND was unable to find an engine to execute this computation",
        "CUFFT_ALLOC_FAILED",
    ],
)
def test_short_memory_halves_the_batch(separator: HTDemucsSeparator, words: str) -> None:
    mix = noise(7 * RATE)
    expected = separator.separate(mix)

    def room_for_one(size: int) -> None:
        if size > 1:
            raise RuntimeError(words)

    with watched(separator, room_for_one):
        assert equal(separator.separate(mix), expected) and separator._batch == 1
    with watched(separator, lambda size: room_for_one(2)), pytest.raises(MemoryError, match="no room"):
        separator.separate(mix)


def test_other_errors_are_not_taken_for_short_memory(separator: HTDemucsSeparator) -> None:
    def fails(size: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with watched(separator, fails), pytest.raises(RuntimeError, match="mat1"):
        separator.separate(noise(RATE))
    assert separator._batch == 3


def test_what_overflows_is_made_anew_in_float32(weights: Path) -> None:
    separator = load_htdemucs(weights, threads=1, precision="float32")
    separator._batch = 3
    mixes = [noise(7 * RATE), noise(3 * RATE)]
    expected = [separator.separate(mix) for mix in mixes]
    exact, calls = separator._exact, []

    def overflows(batch: Any) -> Any:
        calls.append(len(batch))
        return exact(batch) * (float("inf") if len(calls) == 1 else 1)

    separator._network = overflows
    assert all(map(equal, separator.separate_all(mixes), expected))


class Compiled(torch.nn.Module):
    """What a compiler made, with a fault."""

    def __init__(self, module: Any, fault: str, calls: list[int]) -> None:
        super().__init__()
        self.module, self.fault, self.calls = module, fault, calls

    def forward(self, x: Any, wave: Any) -> Any:
        self.calls.append(len(x))
        if self.fault == "no triton":
            raise RuntimeError("Cannot find a working triton installation.\nMore about it")
        if self.fault == "no room" and len(self.calls) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return tuple((2 if self.fault == "wrong" else 1) * part for part in self.module(x, wave))


@pytest.fixture
def compiled(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[HTDemucsSeparator, list[int]]]:
    """A separator with a compiler that has that fault, and the sizes of batches that went through what it made."""

    def make(fault: str) -> tuple[HTDemucsSeparator, list[int]]:
        calls: list[int] = []
        monkeypatch.setattr(torch, "compile", lambda module, **_: Compiled(module, fault, calls))
        separator = load_htdemucs(weights, threads=1, precision="float32")
        separator._batch = 3
        separator._compile()
        return separator, calls

    return make


@pytest.mark.parametrize("fault", ["no triton", "wrong"])
def test_a_compiler_that_fails_leaves_it_as_it_was(
    compiled: Any, separator: HTDemucsSeparator, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    made, calls = compiled(fault)
    assert not made.compiled and len(calls) == 1
    said = {"no triton": "here: Cannot find a working triton installation.", "wrong": "change stems by 0 dB"}
    assert said[fault] in caplog.text and "More about it" not in caplog.text
    mix = noise(7 * RATE)
    assert equal(made.separate(mix), separator.separate(mix)) and len(calls) == 1


def test_full_batches_go_through_what_was_compiled(compiled: Any, separator: HTDemucsSeparator) -> None:
    made, calls = compiled("")
    assert made.compiled and not made.bfloat16
    for seconds, batches in ((7, [3]), (9, [3, 3]), (3, [3]), (1, [])):  # 4, 5, 2 and 1 segments
        calls.clear()
        mix = noise(seconds * RATE)
        assert equal(made.separate(mix), separator.separate(mix)) and calls == batches


def test_without_room_for_what_was_compiled_it_goes_on_as_it_is(
    compiled: Any, separator: HTDemucsSeparator, caplog: pytest.LogCaptureFixture
) -> None:
    made, _ = compiled("no room")
    assert made.compiled
    mix = noise(9 * RATE)
    assert equal(made.separate(mix), separator.separate(mix)) and not made.compiled and made._batch == 3
    assert caplog.text.count("no room for the compiled") == 1


def test_what_a_gpu_cannot_compute_in_bfloat16_it_does_in_float32(
    weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forward(network: Hybrid, mix: Any, plain: Any = Hybrid.forward) -> Any:
        if network.learnt.precision == torch.bfloat16:
            raise RuntimeError("GET was unable to find an engine to execute this computation")
        return plain(network, mix)

    monkeypatch.setattr(Hybrid, "forward", forward)
    monkeypatch.setattr("core.separation.htdemucs._fast_bfloat16", lambda device: True)
    made = load_htdemucs(weights, threads=1)
    assert not made.bfloat16 and "does without bfloat16" in caplog.text
    assert set(made.separate(noise(RATE))) == set(STEMS)


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


def test_nothing_in_it_waits_for_the_device() -> None:
    """On PyTorch's device without values, whoever looks at one between two steps, or mixes devices, fails."""
    from demucs.htdemucs import HTDemucs

    with torch.device("meta"):
        model = HTDemucs(**SMALL).eval()
        mix = torch.empty(8, 2, 2 * RATE)
    with torch.inference_mode():
        assert Hybrid(model, torch.bfloat16)(mix).shape == (8, 6, 2, 2 * RATE)
        with pytest.raises(RuntimeError, match="item"):
            model(mix)  # as demucs does
