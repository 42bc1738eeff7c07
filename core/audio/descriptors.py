"""All descriptors of all sources: from waveforms to plain numbers.

`describe` is the one entry. A descriptor with a value in every frame is a function in core.audio.framewise; statistics are
taken over the frames in which the source sounds, so that silence before, after or between does not dilute them. One that
is a single number comes from `_per_source` or, of the mix alone, `_whole_track`. Each has its table in descriptors.toml.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Barrier
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.audio import activity, contrast, loudness, rhythm, tonality
from core.audio.framewise import frame_values
from core.audio.spectrum import Frames, analyse_frames, decibels, mono
from core.audio.types import FRAME_RATE, RATE, STEMS, Floats
from core.audio.vocabulary import descriptors

SLICES = 100
MINIMUM_FRAMES = round(activity.MINIMUM_SECONDS * FRAME_RATE)
Statistics = dict[str, Any]
Values = dict[str, Floats]


@dataclass(frozen=True)
class Description:
    """What `describe` returns; core.track_analysis.TrackAnalysis says the shapes."""

    descriptors: dict[str, dict[str, Statistics]]
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    activity_curve: dict[str, list[float]] = field(default_factory=dict)
    musical_contrast: dict[str, float] = field(default_factory=dict)
    tempo_bpm: float | None = None
    key: str | None = None
    mode: str | None = None
    power_mel: Floats | None = None
    """(128, T) mel power of the mix, kept for the genre model."""


@dataclass(frozen=True)
class _Source:
    frames: Frames
    values: Values
    loud: loudness.Loudness


def describe(
    sources: Mapping[str, NDArray[np.float32]],
    rate: int,
    gate: activity.Gating | None = None,
    device: str = "cpu",
) -> Description:
    """Describe `mix` and any stems, each (n,) or (channels, n) at `rate` Hz; stems are fitted to the mix's length.

    `gate` is the separator's (core.audio.activity). `device` is where the transforms are computed (core.audio.device).
    A stem that does not sound gets an activity near 0 and no descriptors. The same input gives the same output.
    """
    stems = [stem for stem in STEMS if stem in sources]
    pool = _pool()  # long tasks first; one may only wait for one that was submitted before it
    prepared = pool.submit(_prepare, sources["mix"], rate)
    whole = pool.submit(lambda: _mix_source(*prepared.result(), device))

    def stem_source(stem: str) -> _Source:
        own = mono(sources[stem], rate)
        mix, tuning = prepared.result()
        frames = analyse_frames(_fit(own, len(mix)), tuning, device=device)
        channels = np.atleast_2d(sources[stem])
        loud = loudness.estimate(channels, rate, frames.k_weighted, frames.rms)
        return _Source(frames, frame_values(frames), loud)

    parts = pool.map(stem_source, stems)
    measured = pool.submit(loudness.loudness, np.atleast_2d(sources["mix"]), rate)
    made = dict(zip(stems, parts, strict=True))
    frames, values, picture, percussive = whole.result()
    masks = activity.stem_activity(
        {stem: made[stem].frames.power_mel for stem in stems},
        {stem: made[stem].frames.rms for stem in stems},
        frames.power_mel,
        gate,
    )
    masks["mix"] = activity.sounding(frames.rms)
    made["mix"] = _Source(frames, values, measured.result())
    heard = [name for name in ("mix", *stems) if masks[name].sum() >= MINIMUM_FRAMES]
    beat = "drums" if "drums" in heard and masks["drums"].mean() > 0.5 else "mix"
    pulse = pool.submit(lambda: rhythm.rhythm(decibels(made[beat].frames.power_mel)))
    found = {
        name: statistics(made[name].values, masks[name]) | _per_source(made[name], masks[name])
        for name in heard
    }
    mix_power = max(float(np.mean(frames.rms.astype(np.float64) ** 2)), 1e-12)
    described = Description(
        descriptors=found,
        instruments={
            stem: {
                "activity": float(masks[stem].mean()) if len(masks[stem]) else 0.0,
                "level_db": max(activity.SILENT_DB, _relative_db(made[stem].frames, mix_power)),
            }
            for stem in stems
        },
        activity_curve={stem: activity.curve(masks[stem], SLICES) for stem in stems},
        musical_contrast=picture,
        power_mel=frames.power_mel,
    )
    if "mix" not in heard:
        return described
    keys = tonality.tonality(frames.chroma[:, masks["mix"]])
    found["mix"] |= _whole_track(pulse.result(), keys, picture, percussive)
    return replace(described, tempo_bpm=pulse.result().tempo, key=keys.key, mode=keys.mode)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """A thread for each core, up to four, for as long as the process lives: each keeps its buffers.

    A source is one thread's work, so torch must not divide it further. torch's number of threads, set in one thread, is
    also what later threads of the process start with; once ours have started, it is as it was before.
    """
    count, before = min(4, os.cpu_count() or 1), torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "describe", initializer=_keep_to_one_thread)
    started = Barrier(count + 1)
    for _ in range(count):
        pool.submit(started.wait)
    started.wait()
    torch.set_num_threads(before)
    return pool


def _keep_to_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread takes the process's number when it first asks, and then keeps it


def _prepare(mix: NDArray[np.float32], rate: int) -> tuple[Floats, float]:
    """The mix at 22.05 kHz and its tuning."""
    signal = mono(mix, rate)
    return signal, tonality.tuning(signal)


def _mix_source(signal: Floats, tuning: float, device: str) -> tuple[Frames, Values, dict[str, float], float]:
    """Frames, their values, musical contrast and percussive ratio of the mix."""
    frames = analyse_frames(signal, tuning, keep_magnitude=True, device=device)
    assert frames.magnitude is not None
    binary = contrast.binary_picture(frames.magnitude)
    frames = replace(frames, magnitude=None)  # the whole spectrogram is large and not needed any more
    picture = contrast.musical_contrast(binary, len(signal) / RATE)
    return frames, frame_values(frames), picture, percussive_ratio(frames.power_mel)


def _fit(signal: Floats, length: int) -> Floats:
    """Cut or zero-padded to the mix: separators that work in blocks may be a few samples off."""
    return signal[:length] if len(signal) >= length else np.pad(signal, (0, length - len(signal)))


def _relative_db(stem: Frames, mix_power: float) -> float:
    power = float(np.mean(stem.rms.astype(np.float64) ** 2))
    return 10 * math.log10(max(power / mix_power, 1e-12))


def statistics(values: Mapping[str, Floats], mask: NDArray[np.bool_]) -> dict[str, Statistics]:
    """Return mean and standard deviation over the frames of `mask`, (T,), and of (T,) values the 10th and 90th percentile.

    `values` are those of core.audio.framewise.frame_values; each row of a (k, T) descriptor becomes one of the result.
    """
    rows = np.concatenate([np.atleast_2d(table) for table in values.values()], dtype=np.float64)
    if not mask.all():
        rows = np.compress(mask, rows, axis=1)
    means, deviations = rows.mean(axis=1).tolist(), rows.std(axis=1).tolist()
    result: dict[str, Statistics] = {}
    at = 0
    for name, table in values.items():
        known = descriptors()[name]
        if table.ndim == 1:
            low, high = np.percentile(rows[at], (10, 90)).tolist()
            result[name] = {
                "mean": means[at],
                "std": deviations[at],
                "p10": low,
                "p90": high,
                "unit": known.unit,
            }
            at += 1
            continue
        for row in range(len(table)):
            result[f"{known.rows}_{row + 1}"] = {"mean": means[at], "std": deviations[at], "unit": known.unit}
            at += 1
    return result


def _single(values: Mapping[str, float | None]) -> dict[str, Statistics]:
    """Of descriptors that are one number; without those that there are not."""
    return {
        name: {"value": float(value), "unit": descriptors()[name].unit}
        for name, value in values.items()
        if value is not None
    }


def _per_source(source: _Source, mask: NDArray[np.bool_]) -> dict[str, Statistics]:
    onsets = rhythm.onsets(source.values["onset_strength"])
    seconds = max(mask.sum() / FRAME_RATE, 1e-9)
    return _single(
        {
            "onset_rate": float(mask[onsets].sum()) / seconds,
            "loudness": source.loud.integrated,
            "dynamic_range": source.loud.range,
        }
    )


def _whole_track(
    pulse: rhythm.Rhythm, keys: tonality.Tonality, picture: Mapping[str, float], percussive: float
) -> dict[str, Statistics]:
    """What only the mix has: tempo, key and musical contrast."""
    return _single(
        {
            **vars(pulse),
            "majorness": keys.majorness,
            "key_clarity": keys.clarity,
            "percussive_ratio": percussive,
            "contrast_components_per_minute": picture["components_per_minute"],
            "contrast_dark_ratio": picture["dark_ratio"],
        }
    )


def percussive_ratio(power_mel: Floats) -> float:
    """Share of the magnitude that is percussive, 0..1: median filtering of the mel spectrogram along time (what stays
    is harmonic) and along frequency (percussive), soft masks (FitzGerald 2010)."""
    pairs = (
        power_mel[:, : power_mel.shape[1] // 2 * 2].reshape(len(power_mel) // 2, 2, -1, 2).sum(axis=(1, 3))
    )
    magnitude = np.sqrt(pairs)  # 64 bands, 21 frames per second: a quarter of the points, the same ratio
    harmonic = _running_median(magnitude, 9) ** 2
    percussive = _running_median(magnitude.T, 5).T ** 2
    mask = percussive / np.maximum(harmonic + percussive, 1e-12)
    total = float(magnitude.sum(dtype=np.float64))
    return float((mask * magnitude).sum(dtype=np.float64) / total) if total > 0 else 0.0


def _running_median(rows: Floats, width: int) -> Floats:
    """Median over `width` neighbours along the last axis, edges repeated."""
    half = width // 2
    padded = np.pad(rows, ((0, 0), (half, half)), mode="edge")
    size = rows.shape[-1]
    shifted = [padded[:, k : k + size] for k in range(width)]
    # Of half + 2 values the extremes cannot be the median of all; drop them, take the next value in, and so on.
    kept = shifted[: half + 2]
    for following in [*shifted[half + 2 :], None]:
        for k in range(1, len(kept)):  # smallest to the front
            kept[0], kept[k] = np.minimum(kept[0], kept[k]), np.maximum(kept[0], kept[k])
        for k in range(1, len(kept) - 1):  # largest to the back
            kept[k], kept[-1] = np.minimum(kept[k], kept[-1]), np.maximum(kept[k], kept[-1])
        kept = kept[1:-1]
        if following is not None:
            kept.append(following)
    return kept[0]
