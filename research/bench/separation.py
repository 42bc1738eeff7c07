"""htdemucs_6s as Moodstem runs it against the stock way, on the same music with the same weights.

Speed does not depend on the weights' values, so random ones of the true architecture serve, saved and loaded
as the published file would be. The stock way runs in a process of its own. Rounds alternate between the two and
medians count, since other load on the machine comes and goes.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from core.separation.htdemucs import HTDemucsSeparator

ARCHITECTURE: dict[str, Any] = {
    "sources": ["drums", "bass", "other", "vocals", "guitar", "piano"],
    "channels": 48,
    "depth": 4,
    "dconv_mode": 3,
    "t_layers": 5,
    "bottom_channels": 0,
    "t_dropout": 0.02,
    "segment": Fraction(39, 5),
}
"""Constructor arguments that give the published model's 27.4 million parameters."""

LIBRARY_SECONDS = 800 * 4 * 60
"""The thesis' library: 800 songs of four minutes (8 hours on an A4000)."""


CLIP = 10 * 44_100
"""Samples of a short track: two segments."""


def run(seconds: float | None = None, rounds: int = 3, threads: int | None = None) -> dict[str, Any]:
    """Measure; about four minutes on two CPU cores with the defaults.

    `seconds` of audio are 30 on a processor and 240, as a song has them, on a GPU; there, several short tracks at once
    are measured too. `ours` and `peers` are seconds of wall clock (median of `rounds`); the checks
    compare output with demucs' own loop in float32, without random shifts and with our overlap.
    """
    import torch

    from core.separation.htdemucs import load_htdemucs
    from core.separation.unet import load_unet

    on_gpu = torch.cuda.is_available()
    seconds = seconds or (240.0 if on_gpu else 30.0)
    mix = music(seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_random_weights(folder)
        ours = load_htdemucs(folder, threads=threads)
        small = load_unet(threads)
        if threads is not None:
            torch.set_num_threads(threads)
        with _stock(folder, seconds, threads) as stock:
            work: dict[str, Callable[[], float]] = {
                "ours": lambda: _timed(lambda: ours.separate(mix)),
                "stock": stock,
                "unet": lambda: _timed(lambda: small.separate(mix)),
            }
            if on_gpu:
                clips = [mix[:, start : start + CLIP] for start in range(0, mix.shape[1] - CLIP + 1, CLIP)]
                work["clips_together"] = lambda: _timed(lambda: list(ours.separate_all(clips)))
                work["clips_alone"] = lambda: _timed(lambda: [ours.separate(clip) for clip in clips])
            times: dict[str, list[float]] = {label: [] for label in work}
            for number in range(rounds + 1):
                for label, once in work.items():
                    taken = once()
                    if number:  # the first round warms up
                        times[label].append(taken)
            memory = torch.cuda.max_memory_allocated() if on_gpu else 0
        # Convolutions of a GPU in float32 as it says, for the comparison; the timing leaves PyTorch's default.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            exact = load_htdemucs(folder, threads=threads, precision="float32")
            expected = _by_demucs(folder, mix, exact)
            in_float = exact.separate(mix)
            difference = max(float(np.abs(in_float[stem] - expected[stem]).max()) for stem in expected)
        fast = ours.separate(mix)
    snr = min(_snr_db(expected[stem], fast[stem]) for stem in expected)
    middle = {label: median(values) for label, values in times.items()}

    def row(label: str) -> dict[str, Any]:
        return {
            "seconds": round(middle[label], 3),
            "audio_seconds_per_second": round(seconds / middle[label], 2),
            "hours_for_800_songs": round(LIBRARY_SECONDS / seconds * middle[label] / 3600, 1),
        }

    beside = {label: row(label) for label in times if label not in ("ours", "stock")}
    return {
        "name": "separation",
        "work": f"{seconds:g} s of stereo audio at 44.1 kHz into six stems, htdemucs_6s with random weights",
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "threads": torch.get_num_threads(),
        "ours": row("ours") | {"bfloat16": ours.bfloat16, "overlap": ours.overlap},
        **beside,
        "peers": {"demucs.api.Separator": row("stock") | {"overlap": 0.25}},
        "ratio": {"demucs.api.Separator": round(middle["stock"] / middle["ours"], 2)},
        "gpu_memory_gb": round(memory / 1e9, 2) if on_gpu else None,
        "rounds": {label: [round(value, 3) for value in values] for label, values in times.items()},
        "checks": {
            "float32_largest_difference": difference,
            "float32_equal_to_demucs": difference < 1e-4,
            "fast_snr_db": round(snr, 1),
            # What noise at that level takes off a stem that is 10 dB above its own errors.
            "sdr_loss_db_at_10_db": round(10 * float(np.log10(1 + 10 ** ((10 - snr) / 10))), 3),
        },
    }


def _by_demucs(folder: Path, mix: Any, exact: HTDemucsSeparator) -> dict[str, Any]:
    """Stems by demucs' own loader, network and loop, on the same device, as `exact` is to give them."""
    import torch
    from demucs.apply import apply_model
    from demucs.pretrained import get_model

    [model] = get_model("htdemucs_6s", repo=folder).models
    mono = mix.mean(axis=0)
    mean, deviation = float(mono.mean()), float(mono.std(ddof=1)) + 1e-8
    normal = torch.from_numpy((mix - mean) / deviation)[None]
    with torch.inference_mode():
        stems = apply_model(model, normal, shifts=0, overlap=exact.overlap, device=exact.device)[0].numpy()
    return dict(zip(model.sources, stems * deviation + mean, strict=True))


def _timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _stock(folder: Path, seconds: float, threads: int | None) -> Iterator[Callable[[], float]]:
    """demucs.api.Separator with its defaults, in a process that nothing of ours has touched; each call separates once
    and gives the seconds that it took there."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_serve_stock, args=(there, folder, seconds, threads), daemon=True)
    child.start()
    there.close()
    here.recv()  # loaded

    def work() -> float:
        here.send(None)
        taken: float = here.recv()
        return taken

    try:
        yield work
    finally:
        here.close()
        child.join()


def _serve_stock(pipe: Any, folder: Path, seconds: float, threads: int | None) -> None:
    import torch
    from demucs.api import Separator

    if threads is not None:
        torch.set_num_threads(threads)
    stock, mix = Separator(model="htdemucs_6s", repo=folder), torch.from_numpy(music(seconds))
    pipe.send(None)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(_timed(lambda: stock.separate_tensor(mix, 44_100)))


def _snr_db(truth: Any, estimate: Any) -> float:
    noise = float(((truth - estimate).astype(np.float64) ** 2).sum())
    return float(10 * np.log10(float((truth.astype(np.float64) ** 2).sum()) / (noise + 1e-20)))


def music(seconds: float) -> Any:
    """A beat, a bass and chords, always the same; (2, n) float32 at 44.1 kHz."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(int(seconds * 44_100)) / 44_100
    beat = np.exp(-(time_axis % 0.5) / 0.05) * rng.normal(0, 0.2, (2, len(time_axis)))
    bass = 0.2 * np.sin(2 * np.pi * 55 * 2 ** (np.floor(time_axis / 2) % 4 / 12) * time_axis)
    chords = sum(0.05 * np.sign(np.sin(2 * np.pi * f * time_axis)) for f in (220.0, 277.2, 329.6))
    return (beat + bass + chords).astype(np.float32)


def save_random_weights(folder: Path, architecture: dict[str, Any] | None = None) -> None:
    """A folder as an operator would have it: `5c90dfd2-<checksum>.th` in half precision and htdemucs_6s.yaml."""
    import hashlib

    import torch
    from demucs.htdemucs import HTDemucs

    keywords = architecture or ARCHITECTURE
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = HTDemucs(**keywords)
    torch.random.set_rng_state(state)
    tensors = {key: value.half() for key, value in model.state_dict().items()}
    path = folder / "5c90dfd2.th"
    torch.save({"klass": HTDemucs, "args": (), "kwargs": keywords, "state": tensors}, path)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    path.rename(folder / f"5c90dfd2-{checksum}.th")
    (folder / "htdemucs_6s.yaml").write_text("models: ['5c90dfd2']\n")
