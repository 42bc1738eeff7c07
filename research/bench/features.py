"""All descriptors of one minute of music and its six stems, against the plain librosa way.

The plain way is the tutorials': every librosa.feature call gets the waveform and its defaults, and makes its own
transform. Ours computes everything it stores (loudness, activity, key, percussive ratio and musical contrast too, which
librosa has not) and is timed on all of it; librosa is timed on what both have, with CENS and tonnetz in their cheaper form
(of the STFT chroma, as ours are, instead of a constant-Q transform). Each side runs in a process of its own; its peak
memory is the largest resident set while it works, with the music and the libraries that it has loaded. Rounds alternate,
and medians count, since other load on the machine comes and goes. Where there is a GPU, ours is timed on it as well.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio.device import fastest_device, gpu_name

RATE, LIBROSA_RATE = 44100, 22050
SEEDS = {"drums": 1, "bass": 2, "vocals": 3, "guitar": 4, "piano": 5, "other": 6}
STATISTICS = (
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_flatness",
    "rms",
    "zero_crossing_rate",
    "onset_strength",
)
"""Compared by value; the equality tests compare the rest too, frame by frame."""

Sources = dict[str, NDArray[np.float32]]


def run(seconds: float = 60.0, rounds: int = 5) -> dict[str, Any]:
    """Measure; about one and a half minutes on two CPU cores with the defaults.

    `ours` and `peers` are seconds of wall clock for seven sources (median), and peak memory of the process. `gpu` is
    ours on a GPU, None without one.
    """
    names = ["ours", "librosa", *(["gpu"] if gpu_name() else [])]
    sides = {side: _Side(side, seconds) for side in names}
    try:
        for side in sides.values():
            side.round()  # imports, filters, compiled functions
        times: dict[str, list[float]] = {name: [] for name in names}
        cpu: dict[str, list[float]] = {name: [] for name in names}
        values: dict[str, Any] = {}
        for _ in range(rounds):
            for name, side in sides.items():
                answer = side.round()
                times[name].append(answer["seconds"])
                cpu[name].append(answer["cpu_seconds"])
                values[name] = answer
    finally:
        for side in sides.values():
            side.close()
    ours, theirs = median(times["ours"]), median(times["librosa"])

    def facts(name: str) -> dict[str, Any]:
        taken = median(times[name])
        return {
            "seconds": taken,
            "cpu_seconds": median(cpu[name]),
            "real_time_factor": seconds / taken,
            "peak_mb": values[name]["peak_mb"],
        }

    worst = _largest_difference(values["ours"]["means"], values["librosa"]["means"])
    gpu = None
    if "gpu" in names:
        difference = _largest_difference(values["gpu"]["means"], values["ours"]["means"])
        gpu = facts("gpu") | {"largest_relative_difference": difference, "used": fastest_device() == "cuda"}
    return {
        "name": "features",
        "work": f"all descriptors of 7 sources x {seconds:g} s of stereo at 44.1 kHz, {rounds} alternating rounds",
        "ours": facts("ours"),
        "gpu": gpu,
        "peers": {"librosa": facts("librosa")},
        "ratio": {"librosa": theirs / ours},
        "checks": {
            "largest_relative_difference": worst,
            "equal_within_1e-3": worst < 1e-3,
            "memory_no_higher": values["ours"]["peak_mb"] <= values["librosa"]["peak_mb"],
            "at_least_12_times_faster": theirs / ours >= 12,
        },
    }


def _largest_difference(ours: dict[str, float], theirs: dict[str, float]) -> float:
    """Relative, over the values that both have."""
    return max(abs(ours[key] / value - 1) for key, value in theirs.items() if value and key in ours)


class _Side:
    """A child process that does one round for each line it is sent."""

    def __init__(self, side: str, seconds: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "research.bench.features", side, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def round(self) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def material(seconds: float) -> Sources:
    """The mix and its stems: bundled pieces, cut and repeated to length; a different piece for each stem."""
    from core.audio.decode import decode

    pieces = sorted((Path(__file__).resolve().parents[2] / "core/library/samples").glob("*.ogg"))
    stems = {}
    for stem, seed in SEEDS.items():
        samples = decode(pieces[seed * 3 % len(pieces)]).samples
        stems[stem] = np.ascontiguousarray(np.resize(samples.T, (round(seconds * RATE), 2)).T) / np.float32(6)
    return {"mix": np.sum(list(stems.values()), axis=0), **stems}


def _ours(sources: Sources, device: str = "cpu") -> dict[str, float]:
    from core.audio.descriptors import describe

    described = describe(sources, RATE, device=device).descriptors
    return {
        f"{source}.{name}": described[source][name]["mean"] for source in described for name in STATISTICS
    }


def _librosa(sources: Sources) -> dict[str, float]:
    import librosa

    from core.audio import activity

    means: dict[str, float] = {}
    for source, samples in sources.items():
        y = librosa.resample(librosa.to_mono(samples), orig_sr=RATE, target_sr=LIBROSA_RATE)
        values = _plain(y, LIBROSA_RATE)
        if source == "mix":
            librosa.feature.tempo(y=y, sr=LIBROSA_RATE)
            mask = activity.sounding(values["rms"])  # ours are means over the frames that sound
            means |= {
                f"{source}.{name}": float(np.mean(values[name][mask], dtype=np.float64))
                for name in STATISTICS
            }
    return means


def _plain(y: NDArray[np.float32], sr: int) -> dict[str, NDArray[np.float32]]:
    import librosa

    feature, onset = librosa.feature, importlib.import_module("librosa.onset")

    values = {
        "spectral_centroid": feature.spectral_centroid(y=y, sr=sr)[0],
        "spectral_bandwidth": feature.spectral_bandwidth(y=y, sr=sr)[0],
        "spectral_rolloff": feature.spectral_rolloff(y=y, sr=sr)[0],
        "spectral_flatness": feature.spectral_flatness(y=y)[0],
        "spectral_contrast": feature.spectral_contrast(y=y, sr=sr),
        "rms": feature.rms(y=y)[0],
        "zero_crossing_rate": feature.zero_crossing_rate(y)[0],
        "onset_strength": onset.onset_strength(y=y, sr=sr),
        "onsets": onset.onset_detect(y=y, sr=sr),
        "mfcc": feature.mfcc(y=y, sr=sr, n_mfcc=20),
        "chroma": feature.chroma_stft(y=y, sr=sr),
    }
    energy = feature.chroma_stft(y=y, sr=sr, norm=None)
    values["chroma_cens"] = feature.chroma_cens(C=energy, n_octaves=1, bins_per_octave=12)
    values["tonnetz"] = feature.tonnetz(chroma=feature.chroma_stft(y=y, sr=sr))
    for value in values.values():
        value.mean(axis=-1), value.std(axis=-1)
    return values


def _gpu(sources: Sources) -> dict[str, float]:
    return _ours(sources, "cuda")


def _child(side: str, seconds: float) -> None:
    sources = material(seconds)
    work = {"ours": _ours, "librosa": _librosa, "gpu": _gpu}[side]
    forget_peak()
    for _ in sys.stdin:
        started, cpu_started = time.perf_counter(), time.process_time()
        means = work(sources)
        took = time.perf_counter() - started
        cpu = time.process_time() - cpu_started
        print(
            json.dumps({"seconds": took, "cpu_seconds": cpu, "peak_mb": peak_mb(), "means": means}),
            flush=True,
        )


def forget_peak() -> None:
    """Let the peak start anew, so that making the music does not count; where the kernel offers it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Largest resident set of this process. Not ru_maxrss where it can be helped: that is handed down by the parent."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    _child(sys.argv[1], float(sys.argv[2]))
