"""The bundled separator, as its callers see it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.activity import Gate
from core.audio.types import STEMS
from core.errors import UserError
from core.separation.bands import BANDS, BINS
from core.separation.base import Cancelled
from core.separation.registry import load_separator
from core.separation.unet import CHUNK, WEIGHTS, UNetSeparator, detector_file, load_unet, network_input
from research.eval.separated import si_sdr

RATE = 44_100
FLOOR_DB = 1.0
"""What the shipped weights must gain over the mix on each stem of a song unlike any in training."""

Band = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def unet() -> UNetSeparator:
    return load_unet(threads=1)


@pytest.fixture(scope="module")
def mix(band: Band) -> np.ndarray[Any, Any]:
    return np.sum(list(band.values()), axis=0, dtype=np.float32)


@pytest.fixture(scope="module")
def stems(unet: UNetSeparator, mix: np.ndarray[Any, Any]) -> Band:
    return unet.separate(mix)


def test_stems_have_the_mix_shape_and_add_up_to_it(stems: Band, mix: np.ndarray[Any, Any]) -> None:
    assert set(stems) == set(STEMS)
    assert all(stem.shape == mix.shape and stem.dtype == np.float32 for stem in stems.values())
    assert np.abs(sum(stems.values()) - mix).max() < 1e-5


def test_same_input_same_output(unet: UNetSeparator, mix: np.ndarray[Any, Any], stems: Band) -> None:
    again = unet.separate(mix)
    assert all(np.array_equal(again[stem], stems[stem]) for stem in STEMS)


@pytest.mark.parametrize("stem", ["drums", "bass", "other"])
def test_known_stems_come_out_well_above_the_mix(
    band: Band, mix: np.ndarray[Any, Any], stems: Band, stem: str
) -> None:
    assert si_sdr(band[stem], stems[stem]) > si_sdr(band[stem], mix) + FLOOR_DB


def test_loudness_of_the_recording_does_not_matter(unet: UNetSeparator, mix: np.ndarray[Any, Any]) -> None:
    part = mix[:, : 4 * RATE]
    loud, quiet = unet.separate(part), unet.separate(part * np.float32(0.02))
    assert all(np.abs(loud[stem] * 0.02 - quiet[stem]).max() < 1e-4 for stem in STEMS)


@pytest.mark.parametrize("samples", [0, 1, 441, 22_050, 1024 * CHUNK, 1024 * CHUNK + 1, 30 * RATE + 7])
def test_any_length(unet: UNetSeparator, samples: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (2, samples)).astype(np.float32)
    found = unet.separate(noise)
    assert all(stem.shape == noise.shape for stem in found.values())
    assert samples == 0 or np.abs(sum(found.values()) - noise).max() < 1e-5


def test_chunks_leave_no_seam(unet: UNetSeparator, mix: np.ndarray[Any, Any]) -> None:
    """The first seconds of a longer track, which end inside a chunk, come out as when they come first alone."""
    long = np.concatenate([mix, mix], axis=1)
    whole, part = unet.separate(long), unet.separate(long[:, : 24 * RATE])
    inner = slice(0, 20 * RATE)
    for stem in ("drums", "bass", "other"):
        assert si_sdr(whole[stem][:, inner], part[stem][:, inner]) > 15


def test_mono_as_stereo_stays_mono(stems: Band) -> None:
    assert all(np.array_equal(stem[0], stem[1]) for stem in stems.values())


def test_panning_is_kept(unet: UNetSeparator, mix: np.ndarray[Any, Any]) -> None:
    left = mix[:, : 3 * RATE] * np.array([[1.0], [0.0]], np.float32)
    assert all(not stem[1].any() for stem in unet.separate(left).values())


def test_what_the_network_sees_of_the_stage() -> None:
    tone = np.exp(1j * np.arange(4 * BINS)).reshape(4, BINS).astype(np.complex64)
    cases = {"middle": (1, 1), "left": (1, 0), "right": (0, 1), "opposite": (1, -1), "silent": (0, 0)}
    seen = {
        name: network_input(np.stack([left * tone, right * tone]), 1.0)
        for name, (left, right) in cases.items()
    }
    places = {name: (float(x[1].mean()), float(x[2].mean())) for name, x in seen.items()}
    assert places["middle"] == places["silent"] == (0, 0)
    assert places["left"] == pytest.approx((-1, 1)) and places["right"] == pytest.approx((1, 1))
    assert places["opposite"] == pytest.approx((0, 2))
    assert seen["left"].shape == (3, 4, BANDS) and np.array_equal(seen["left"][0], seen["right"][0])


def test_silence_in_silence_out(unet: UNetSeparator) -> None:
    assert all(not stem.any() for stem in unet.separate(np.zeros((2, 3 * RATE), np.float32)).values())


def test_progress_rises_to_one_and_can_cancel(unet: UNetSeparator, mix: np.ndarray[Any, Any]) -> None:
    seen: list[float] = []
    unet.separate(mix, seen.append)
    assert len(seen) > 1 and seen == sorted(seen) and seen[-1] == 1.0

    def stop(done: float) -> None:
        seen.append(-1.0)
        raise Cancelled

    with pytest.raises(Cancelled):
        unet.separate(mix, stop)
    assert seen.count(-1.0) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(100, np.float32),
        np.zeros((1, 100), np.float32),
        np.zeros((2, 100)),
        np.full((2, 9), np.nan, np.float32),
    ],
)
def test_what_is_not_stereo_audio_is_refused(unet: UNetSeparator, wrong: Any) -> None:
    with pytest.raises(UserError):
        unet.separate(wrong)


def test_weights_fit_the_repository() -> None:
    assert WEIGHTS.stat().st_size < 16 * 2**20


def test_version_follows_the_weights(tmp_path: Path, unet: UNetSeparator) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(WEIGHTS)
    tensors["masks.bias"] = tensors["masks.bias"] + np.float32(0.1)
    save_file(tensors, tmp_path / "unet.safetensors")
    assert load_unet(weights=tmp_path / "unet.safetensors").version != unet.version
    assert load_unet().version == unet.version


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04garbage", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"]
)
def test_a_damaged_file_is_refused_with_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unet.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="install moodstem again"):
        load_unet(weights=tmp_path / "unet.safetensors")


def test_a_damaged_detector_is_refused_and_a_missing_one_is_not(tmp_path: Path, unet: UNetSeparator) -> None:
    """Weights that somebody trained have none until `research.training.gate` makes it."""
    from safetensors.numpy import save

    shutil.copy(WEIGHTS, tmp_path)
    plain = load_unet(weights=tmp_path / "unet.safetensors")
    assert isinstance(plain.gate, Gate) and plain.version != unet.version
    for broken in (b"", b"nothing"):
        detector_file(tmp_path / "unet.safetensors").write_bytes(broken)
        with pytest.raises(UserError, match="install moodstem again"):
            load_unet(weights=tmp_path / "unet.safetensors")
    tensors = {"weights": np.zeros((2, 2), np.float32), "bias": np.zeros(6, np.float32)}
    detector_file(tmp_path / "unet.safetensors").write_bytes(save(tensors))
    with pytest.raises(UserError, match="install moodstem again"):
        load_unet(weights=tmp_path / "unet.safetensors")


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unet\.safetensors is missing"):
        load_unet(weights=tmp_path / "unet.safetensors")


def test_reliability_file_holds_what_was_measured() -> None:
    facts = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert facts["songs"] >= 10 and set(facts["gain_over_mix_db"]) <= set(STEMS)


def test_auto_takes_the_bundled_separator_where_no_weights_are(tmp_path: Path) -> None:
    assert load_separator("auto", weights_dir=tmp_path).name == "unet"
    assert load_separator().name == "unet"


def test_none_makes_no_stems() -> None:
    none = load_separator("none")
    assert none.name == "none" and none.separate(np.zeros((2, 100), np.float32)) == {}
