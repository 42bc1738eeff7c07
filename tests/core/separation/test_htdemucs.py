"""htdemucs_6s through its own loading code: a small model of random weights, once the true size, never a download."""

from __future__ import annotations

import hashlib
import http.server
import json
import pickle
import shutil
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.types import STEMS, Samples
from core.errors import UserError
from core.separation.base import Cancelled
from core.separation.checkpoint import has_weights
from core.separation.htdemucs import HTDemucsSeparator, load_htdemucs
from core.separation.registry import load_separator

pytestmark = pytest.mark.slow

RATE = 44_100


def noise(samples: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(3)
    return (rng.normal(0, 0.2, (2, samples)) + 0.01).astype(np.float32)


@pytest.fixture(scope="module")
def exact(weights: Path) -> HTDemucsSeparator:
    return load_htdemucs(weights, threads=1, precision="float32")


def demucs_model(weights: Path) -> Any:
    """The model by demucs' own loader."""
    from demucs.pretrained import get_model

    [model] = get_model("htdemucs_6s", repo=weights).models
    return model


def demucs_reference(weights: Path, mix: np.ndarray[Any, Any], overlap: float) -> dict[str, Any]:
    """What demucs' own loader and loop give, normalised as its Separator does."""
    import torch
    from demucs.apply import apply_model

    torch.set_num_threads(1)
    model = demucs_model(weights)
    mono = torch.from_numpy(mix).mean(0)
    mean, deviation = mono.mean(), mono.std() + 1e-8
    with torch.inference_mode():
        out = apply_model(
            model, ((torch.from_numpy(mix) - mean) / deviation)[None], shifts=0, overlap=overlap
        )[0]
    return dict(zip(model.sources, (out * deviation + mean).numpy(), strict=True))


@pytest.mark.parametrize("samples", [1000, 88_200, 88_201, 3 * RATE, 7 * RATE + 13])
def test_equals_demucs_own_loop(exact: HTDemucsSeparator, weights: Path, samples: int) -> None:
    mix = noise(samples)
    stems = exact.separate(mix)
    for stem, expected in demucs_reference(weights, mix, 0.1).items():
        assert np.abs(stems[stem] - expected).max() < 1e-4


def test_overlap_and_batches_equal_demucs_too(weights: Path) -> None:
    separator = load_htdemucs(weights, threads=1, precision="float32", overlap=0.25)
    separator.batch = 3
    mix = noise(7 * RATE)
    stems = separator.separate(mix)
    for stem, expected in demucs_reference(weights, mix, 0.25).items():
        assert np.abs(stems[stem] - expected).max() < 1e-4


def test_the_published_architecture_through_the_loading_code(tmp_path: Path) -> None:
    from research.bench.separation import save_random_weights

    save_random_weights(tmp_path)
    assert has_weights(tmp_path)
    separator = load_htdemucs(tmp_path, threads=2, precision="float32")
    assert separator.name == "htdemucs_6s" and separator.rate == RATE
    assert sum(p.numel() for p in demucs_model(tmp_path).parameters()) == 27_414_996
    mix = noise(RATE)
    stems = separator.separate(mix)
    assert set(stems) == set(STEMS)
    for stem, expected in demucs_reference(tmp_path, mix, 0.1).items():
        assert stems[stem].shape == mix.shape and stems[stem].any()
        assert np.abs(stems[stem] - expected).max() < 1e-4


def test_repeats_and_keeps_shape(weights: Path) -> None:
    separator = load_separator("auto", weights_dir=weights, threads=1)
    assert separator.name == "htdemucs_6s"
    mix = noise(3 * RATE)
    import torch

    first = separator.separate(mix)
    torch.set_num_threads(2)  # as something else in the process may
    second = separator.separate(mix)
    assert all(np.array_equal(first[stem], second[stem]) and first[stem].shape == mix.shape for stem in STEMS)


def snr_db(truth: Samples, estimate: Samples) -> float:
    """How far the difference lies below `truth`, in dB."""
    noise = np.square(truth - estimate, dtype=np.float64).sum() + 1e-20
    return float(10 * np.log10(np.square(truth, dtype=np.float64).sum() / noise))


def test_bfloat16_stays_within_a_tenth_of_a_decibel(weights: Path, exact: HTDemucsSeparator) -> None:
    rough = load_htdemucs(weights, threads=1, precision="bfloat16")
    assert rough.bfloat16 and not exact.bfloat16
    mix = noise(3 * RATE)
    stems = rough.separate(mix)
    for stem, expected in exact.separate(mix).items():
        # Errors 26 dB below a stem take less than 0.1 dB off an SDR of 10 dB.
        assert snr_db(expected, stems[stem]) > 26
        assert not np.array_equal(expected, stems[stem]), "or it was not computed in bfloat16"


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


def test_the_process_keeps_its_settings(weights: Path) -> None:
    import torch

    def settings() -> tuple[Any, ...]:
        return (
            torch.get_num_threads(),
            torch.backends.mha.get_fastpath_enabled(),
            torch.backends.cudnn.benchmark,
            torch.is_autocast_enabled("cpu"),
        )

    before = settings()
    other = load_htdemucs(weights, threads=before[0] + 1, precision="bfloat16")
    for _ in other.separate_all([noise(3 * RATE), noise(RATE)]):
        assert settings() == before
    assert settings() == before


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


def test_missing_weights_say_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError, match=r"put .* into a folder"):
        load_htdemucs(tmp_path)
    with pytest.raises(UserError, match=r"jobs\.weights"):
        load_htdemucs(None)
    assert load_separator("htdemucs_6s", weights_dir=tmp_path).name == "unet"
    [said] = [record.message for record in caplog.records]
    assert "No htdemucs_6s weights are in" in said and said.endswith("The bundled separator takes over.")


def test_auto_falls_back_on_damaged_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "5c90dfd2.safetensors").write_bytes(b"nothing")
    assert load_separator("auto", weights_dir=tmp_path).name == "unet"
    assert "takes over" in caplog.text


class WeightHost:
    """A web server with one file, and the home of somebody who never used demucs."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.served, self.requests, self.length = b"", 0, None
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", str(host.length or len(host.served)))
                self.end_headers()
                self.wfile.write(host.served)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.folder = home / "torch" / "hub" / "checkpoints"
        monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
        self.monkeypatch = monkeypatch

    def offer(self, weights: bytes, checksum: str | None = None) -> None:
        self.served = weights
        digits = checksum or hashlib.sha256(weights).hexdigest()[:8]
        url = f"http://127.0.0.1:{self.server.server_port}/5c90dfd2-{digits}.th"
        self.monkeypatch.setattr("core.separation.download.URL", url)


@pytest.fixture
def weight_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightHost]:
    made = WeightHost(tmp_path, monkeypatch)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_weights_are_fetched_by_name_once(
    weights: Path, weight_host: WeightHost, exact: HTDemucsSeparator
) -> None:
    [file] = weights.glob("*.th")
    weight_host.offer(file.read_bytes())
    assert load_separator("auto").name == "unet" and not weight_host.requests  # auto takes what is at hand
    for _ in range(2):
        assert load_separator("htdemucs_6s", threads=1).name == "htdemucs_6s"
    assert load_separator("auto", threads=1).name == "htdemucs_6s"
    assert weight_host.requests == 1 and len(list(weight_host.folder.iterdir())) == 1


@pytest.mark.parametrize("fault", ["checksum", "cut", "hostile", "gone"])
def test_weights_that_cannot_be_had_leave_the_bundled_separator(
    weights: Path, weight_host: WeightHost, fault: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    [file] = weights.glob("*.th")
    weight_host.offer(file.read_bytes(), "00000000" if fault == "checksum" else None)
    if fault == "cut":
        weight_host.length = len(weight_host.served) + 10
    if fault == "hostile":
        weight_host.offer(pickle.dumps(Trap(tmp_path / "ran")))
    if fault == "gone":
        weight_host.server.shutdown()
        weight_host.server.server_close()
    assert load_separator("htdemucs_6s").name == "unet"
    [said] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said.endswith("The bundled separator takes over.") and "\n" not in said
    assert not (tmp_path / "ran").exists() and not list(weight_host.folder.glob("*.part"))
    if fault != "hostile":
        assert not list(weight_host.folder.iterdir())


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)
