"""htdemucs_6s through its own loading code: a small model of random weights, once the true size, never a download."""

from __future__ import annotations

import json
import pickle
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.separation import STEMS, Cancelled, load_separator
from core.separation.htdemucs import HTDemucsSeparator, has_weights, load_htdemucs

RATE = 44_100


def noise(samples: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    return (rng.normal(0, 0.2, (2, samples)) + 0.01).astype(np.float32)


@pytest.fixture(scope="module")
def exact(weights: Path) -> HTDemucsSeparator:
    return load_htdemucs(weights, threads=1, precision="float32")


def demucs_reference(
    separator: HTDemucsSeparator, mix: np.ndarray[Any, Any], overlap: float
) -> dict[str, Any]:
    """What demucs' own loop gives, normalised as its Separator does."""
    import torch
    from demucs.apply import apply_model

    model = separator._model
    mono = torch.from_numpy(mix).mean(0)
    mean, deviation = mono.mean(), mono.std() + 1e-8
    with torch.inference_mode():
        out = apply_model(
            model, ((torch.from_numpy(mix) - mean) / deviation)[None], shifts=0, overlap=overlap
        )[0]
    return dict(zip(model.sources, (out * deviation + mean).numpy(), strict=True))


@pytest.mark.parametrize("samples", [1000, 88_200, 88_201, 3 * RATE, 7 * RATE + 13])
def test_equals_demucs_own_loop(exact: HTDemucsSeparator, samples: int) -> None:
    mix = noise(samples)
    stems = exact.separate(mix)
    for stem, expected in demucs_reference(exact, mix, 0.1).items():
        assert np.abs(stems[stem] - expected).max() < 1e-4


def test_overlap_and_batches_equal_demucs_too(weights: Path) -> None:
    separator = load_htdemucs(weights, threads=1, precision="float32", overlap=0.25)
    separator._batch = 3
    mix = noise(7 * RATE)
    stems = separator.separate(mix)
    for stem, expected in demucs_reference(separator, mix, 0.25).items():
        assert np.abs(stems[stem] - expected).max() < 1e-4


def test_the_published_architecture_through_the_loading_code(tmp_path: Path) -> None:
    from bot.bench.separation import save_random_weights

    save_random_weights(tmp_path)
    assert has_weights(tmp_path)
    separator = load_htdemucs(tmp_path, threads=2, precision="float32")
    assert separator.name == "htdemucs_6s" and separator.rate == RATE
    assert sum(p.numel() for p in separator._model.parameters()) == 27_414_996
    mix = noise(RATE)
    stems = separator.separate(mix)
    assert set(stems) == set(STEMS)
    assert all(stem.shape == mix.shape and np.isfinite(stem).all() and stem.any() for stem in stems.values())


def test_repeats_and_keeps_shape(weights: Path) -> None:
    separator = load_separator("auto", weights_dir=weights, threads=1)
    assert separator.name == "htdemucs_6s"
    mix = noise(3 * RATE)
    first, second = separator.separate(mix), separator.separate(mix)
    assert all(np.array_equal(first[stem], second[stem]) and first[stem].shape == mix.shape for stem in STEMS)


def test_bfloat16_stays_within_a_tenth_of_a_decibel(weights: Path, exact: HTDemucsSeparator) -> None:
    rough = load_htdemucs(weights, threads=1, precision="bfloat16")
    mix = noise(3 * RATE)
    for stem, expected in exact.separate(mix).items():
        error = rough.separate(mix)[stem] - expected
        # Errors 26 dB below a stem take less than 0.1 dB off an SDR of 10 dB.
        assert 10 * np.log10(np.sum(expected**2) / np.sum(error**2)) > 26


def test_silence_and_short_input(exact: HTDemucsSeparator) -> None:
    assert all(not stem.any() for stem in exact.separate(np.zeros((2, RATE), np.float32)).values())
    for samples in (0, 1, 2):
        assert all(stem.shape == (2, samples) for stem in exact.separate(noise(samples)).values())


def test_progress_per_segment_and_cancel(exact: HTDemucsSeparator) -> None:
    seen: list[float] = []
    exact.separate(noise(5 * RATE), seen.append)
    assert len(seen) == 3 and seen == sorted(seen) and seen[-1] == 1.0

    def stop(done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        exact.separate(noise(5 * RATE), stop)


def test_global_switches_are_put_back(exact: HTDemucsSeparator) -> None:
    import torch

    before = torch.backends.mha.get_fastpath_enabled()
    exact.separate(noise(1000))
    assert torch.backends.mha.get_fastpath_enabled() == before


def safetensors_of(weights: Path, target: Path, **changes: Any) -> None:
    """The same model as the hub stores it, with metadata entries replaced."""
    import torch
    from demucs.htdemucs import HTDemucs
    from safetensors.torch import save_file

    with torch.serialization.safe_globals([HTDemucs, Fraction]):
        package = torch.load(next(weights.glob("*.th")), weights_only=True)

    def plain(value: Any) -> Any:
        if isinstance(value, Fraction):
            return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
        return value

    keywords = {key: plain(value) for key, value in package["kwargs"].items()}
    metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(keywords)} | changes
    save_file(package["state"], target, metadata=metadata)


def test_safetensors_give_the_same_model(weights: Path, tmp_path: Path, exact: HTDemucsSeparator) -> None:
    safetensors_of(weights, tmp_path / "5c90dfd2.safetensors")
    other = load_htdemucs(tmp_path, threads=1, precision="float32")
    mix = noise(RATE)
    expected = exact.separate(mix)
    assert all(np.array_equal(stem, expected[name]) for name, stem in other.separate(mix).items())


@pytest.mark.parametrize(
    "changes",
    [
        {"klass": "subprocess.Popen"},
        {"klass": "demucs.hdemucs.HDemucs"},
        {"kwargs": "not json"},
        {"kwargs": json.dumps({"sources": ["drums"]})},
        {"kwargs": json.dumps({"sources": ["drums"], "channels": 10**9})},
        {"args": json.dumps({"a": 1})},
        {"kwargs": json.dumps({"segment": {"_type": "fraction", "numerator": 1, "denominator": 0}})},
        {"structure": json.dumps({"_class": "os.system"})},
    ],
)
def test_hostile_metadata_is_refused(weights: Path, tmp_path: Path, changes: dict[str, str]) -> None:
    safetensors_of(weights, tmp_path / "5c90dfd2.safetensors", **changes)
    with pytest.raises(UserError, match="was refused"):
        load_htdemucs(tmp_path)


class Hostile:
    """Leaves a trace when a loader runs what a pickle says."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "5c90dfd2.th").write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(UserError, match="was refused"):
        load_htdemucs(tmp_path)
    import torch

    torch.save({"klass": Hostile(trace)}, tmp_path / "5c90dfd2.th")
    with pytest.raises(UserError, match="was refused"):
        load_htdemucs(tmp_path)
    assert not trace.exists()


def test_a_wrong_checksum_is_noticed(weights: Path, tmp_path: Path) -> None:
    shutil.copy(next(weights.glob("*.th")), tmp_path / "5c90dfd2-00000000.th")
    with pytest.raises(UserError, match="checksum"):
        load_htdemucs(tmp_path)


@pytest.mark.parametrize(
    "listing", ["models: ['../../etc']", "models: []", "{", "models: ['5c90dfd2', '5c90dfd3']", "- 1"]
)
def test_a_listing_that_names_no_signature_is_refused(tmp_path: Path, listing: str) -> None:
    (tmp_path / "htdemucs_6s.yaml").write_text(listing)
    with pytest.raises(UserError, match="copy it again"):
        load_htdemucs(tmp_path)


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"put .* into a folder"):
        load_separator("htdemucs_6s", weights_dir=tmp_path)
    with pytest.raises(UserError, match=r"jobs\.weights"):
        load_separator("htdemucs_6s")


def test_auto_falls_back_on_damaged_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "5c90dfd2.safetensors").write_bytes(b"nothing")
    assert load_separator("auto", weights_dir=tmp_path).name == "unet"
    assert "takes over" in caplog.text
