"""All descriptors of all sources: from waveforms to plain numbers.

`describe` is the one entry. Values that librosa has are librosa's, chroma CENS and tonnetz those of the STFT's pitch
classes (tests/core/audio/test_librosa.py compares them on real recordings); statistics are taken over the frames in which the source sounds, so that silence before, after or
between does not dilute them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio import activity, contrast, loudness, rhythm, tonality
from core.audio.spectrum import (
    CONTRAST_BANDS,
    FRAME_RATE,
    RATE,
    Floats,
    Frames,
    analyse_frames,
    decibels,
    mono,
)
from core.separation.base import STEMS

SLICES = 100
PITCHES = 12
N_MFCC = 20
MINIMUM_FRAMES = round(activity.MINIMUM_SECONDS * FRAME_RATE)
Statistics = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """See core.analysis.TrackAnalysis for the shapes."""

    descriptors: dict[str, dict[str, Statistics]]
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    activity_curve: dict[str, list[float]] = field(default_factory=dict)
    musical_contrast: dict[str, float] = field(default_factory=dict)
    tempo_bpm: float | None = None
    key: str | None = None
    mode: str | None = None


def describe(
    sources: Mapping[str, NDArray[np.float32]], rate: int, gate_db: Mapping[str, float] | None = None
) -> Description:
    """Describe `mix` and any stems, each (n,) or (channels, n) at `rate` Hz; stems are fitted to the mix's length.

    `gate_db` is the separator's (core.audio.activity). A stem that does not sound gets an activity near 0 and no descriptors. The same input gives the same output.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    mix = mono(sources["mix"], rate)
    tuning = tonality.tuning(mix)
    names = ["mix", *(stem for stem in STEMS if stem in sources)]

    def one(name: str) -> tuple[Frames, loudness.Loudness]:
        signal = mix if name == "mix" else _fit(mono(sources[name], rate), len(mix))
        channels = np.atleast_2d(sources[name])
        frames = analyse_frames(signal, tuning, keep_magnitude=name == "mix")
        if name == "mix":
            return frames, loudness.loudness(channels, rate)
        return frames, loudness.estimate(channels, rate, frames.k_weighted, frames.rms)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        made = dict(zip(names, pool.map(one, names), strict=True))
        frames = {name: made[name][0] for name in names}
        stems = names[1:]
        masks = activity.stem_activity(
            {stem: frames[stem].power_mel for stem in stems},
            {stem: frames[stem].rms for stem in stems},
            frames["mix"].power_mel,
            gate_db,
        )
        masks["mix"] = activity.sounding(frames["mix"].rms)
        heard = [name for name in names if masks[name].sum() >= MINIMUM_FRAMES]
        tables = dict(zip(heard, pool.map(lambda name: frame_values(frames[name]), heard), strict=True))
    descriptors: dict[str, dict[str, Statistics]] = {}
    for name in heard:
        descriptors[name] = statistics(tables[name], masks[name])
        descriptors[name].update(_per_source(tables[name], masks[name], made[name][1]))
    whole = _whole_track(frames, tables, masks, descriptors, len(mix) / RATE)
    mix_power = max(float(np.mean(frames["mix"].rms.astype(np.float64) ** 2)), 1e-12)
    return Description(
        descriptors=descriptors,
        instruments={
            stem: {
                "activity": float(masks[stem].mean()) if len(masks[stem]) else 0.0,
                "level_db": max(activity.SILENT_DB, _relative_db(frames[stem], mix_power)),
            }
            for stem in stems
        },
        activity_curve={stem: activity.curve(masks[stem], SLICES) for stem in stems},
        **whole,
    )


def _fit(signal: Floats, length: int) -> Floats:
    """Cut or zero-padded to the mix: separators that work in blocks may be a few samples off."""
    return signal[:length] if len(signal) >= length else np.pad(signal, (0, length - len(signal)))


def _relative_db(stem: Frames, mix_power: float) -> float:
    power = float(np.mean(stem.rms.astype(np.float64) ** 2))
    return 10 * math.log10(max(power / mix_power, 1e-12))


UNITS = {
    "spectral_centroid": "Hz",
    "spectral_bandwidth": "Hz",
    "spectral_rolloff": "Hz",
    "spectral_flatness": "0..1",
    "spectral_contrast": "dB",
    "spectral_flux": "0..1",
    "rms": "full scale",
    "zero_crossing_rate": "0..1",
    "onset_strength": "dB",
}


def frame_values(frames: Frames) -> dict[str, Floats]:
    """(T,) or (k, T) values of every frame-wise descriptor; those with k rows become name_1 .. name_k."""
    from scipy.fft import dct

    mel_db = decibels(frames.power_mel)
    bands = decibels(frames.peak) - decibels(frames.valley)
    return {
        "spectral_centroid": frames.centroid,
        "spectral_bandwidth": frames.bandwidth,
        "spectral_rolloff": frames.rolloff,
        "spectral_flatness": frames.flatness,
        "spectral_contrast": bands.mean(axis=0),
        "spectral_contrast_bands": bands,
        "spectral_flux": flux(frames.power_mel),
        "rms": frames.rms,
        "zero_crossing_rate": frames.zero_crossings,
        "onset_strength": rhythm.onset_envelope(mel_db),
        "mfcc": dct(mel_db, axis=0, type=2, norm="ortho")[:N_MFCC],
        "chroma": chroma_stft(frames.chroma),
        "chroma_cens": chroma_cens(frames.chroma),
        "tonnetz": tonnetz(frames.chroma),
    }


def flux(power_mel: Floats) -> Floats:
    """(T,) 0..1: sum of the rises of the mel-band magnitudes, each frame scaled to sum 1 (level does not matter)."""
    shape = np.sqrt(power_mel)
    shape /= np.maximum(shape.sum(axis=0), 1e-9)
    values = np.zeros(shape.shape[1], np.float32)
    if shape.shape[1] > 1:
        values[1:] = np.maximum(shape[:, 1:] - shape[:, :-1], 0).sum(axis=0)
    return values


def _normalised(values: Floats, size: Floats) -> Floats:
    """Columns divided by their size; columns without content stay as they are."""
    tiny = np.finfo(np.float32).tiny
    return np.asarray(values / np.where(size > tiny, size, 1), np.float32)


def chroma_stft(energy: Floats) -> Floats:
    return _normalised(energy, energy.max(axis=0))


def chroma_cens(energy: Floats) -> Floats:
    """Chroma energy normalised statistics (Müller & Ewert 2011): quantised, smoothed over 41 frames, unit length.

    Of the pitch classes of the STFT that is there anyway: librosa.feature.chroma_cens with them given as C. Without C
    librosa makes a constant-Q transform first, and its values differ; core.audio.fma has those.
    """
    from scipy.ndimage import convolve1d

    share = _normalised(energy, energy.sum(axis=0))
    steps = sum((share > step).astype(np.float32) for step in (0.4, 0.2, 0.1, 0.05)) * np.float32(0.25)
    window = np.hanning(43).astype(np.float32)
    smooth = convolve1d(steps, window / window.sum(), axis=1, mode="constant")
    return _normalised(smooth, np.sqrt((smooth * smooth).sum(axis=0)))


def tonnetz(energy: Floats) -> Floats:
    """(6, T) tonal centroids (Harte, Sandler & Gasser 2006): fifths, minor thirds, major thirds, each as sine and cosine.

    Of the pitch classes of the STFT: librosa.feature.tonnetz with that chroma given. Its default, without, takes
    chroma_cqt; core.audio.fma has the variant of FMA.
    """
    angles = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(PITCHES))
    angles[::2] -= 0.5
    matrix = np.array([1, 1, 1, 1, 0.5, 0.5])[:, None] * np.cos(np.pi * angles)
    return matrix.astype(np.float32) @ _normalised(energy, energy.sum(axis=0))


_BAND_UNITS = {"spectral_contrast_bands": ("spectral_contrast", "dB"), "mfcc": ("mfcc", "dB")}


def statistics(values: Mapping[str, Floats], mask: NDArray[np.bool_]) -> dict[str, Statistics]:
    """Mean and standard deviation over the frames of `mask`, for single descriptors also the 10th and 90th percentile."""
    result: dict[str, Statistics] = {}
    for name, table in values.items():
        chosen = (table if mask.all() else table[..., mask]).astype(np.float64)
        if table.ndim == 1:
            low, high = np.percentile(chosen, [10, 90])
            result[name] = {
                "mean": float(chosen.mean()),
                "std": float(chosen.std()),
                "p10": float(low),
                "p90": float(high),
                "unit": UNITS[name],
            }
            continue
        family, unit = _BAND_UNITS.get(name, (name, "0..1" if name != "tonnetz" else "-1..1"))
        for row, (mean, std) in enumerate(zip(chosen.mean(axis=1), chosen.std(axis=1), strict=True), 1):
            result[f"{family}_{row}"] = {"mean": float(mean), "std": float(std), "unit": unit}
    return result


def _value(value: float, unit: str) -> Statistics:
    return {"value": float(value), "unit": unit}


def _per_source(
    values: Mapping[str, Floats], mask: NDArray[np.bool_], loud: loudness.Loudness
) -> dict[str, Statistics]:
    onsets = rhythm.onsets(values["onset_strength"])
    seconds = max(mask.sum() / FRAME_RATE, 1e-9)
    return {
        "onset_rate": _value(float(mask[onsets].sum()) / seconds, "1/s"),
        "loudness": _value(loud.integrated, "LUFS"),
        "dynamic_range": _value(loud.range, "LU"),
    }


def _whole_track(
    frames: Mapping[str, Frames],
    tables: Mapping[str, Mapping[str, Floats]],
    masks: Mapping[str, NDArray[np.bool_]],
    descriptors: dict[str, dict[str, Statistics]],
    seconds: float,
) -> dict[str, Any]:
    """Tempo, key and musical contrast, added to the mix's descriptors; returned as fields of Description."""
    magnitude = frames["mix"].magnitude
    assert magnitude is not None
    picture = contrast.musical_contrast(magnitude, seconds)
    if "mix" not in tables:
        return {"musical_contrast": picture}
    drums = "drums" in tables and masks["drums"].mean() > 0.5
    pulse = rhythm.rhythm(decibels(frames["drums" if drums else "mix"].power_mel))
    keys = tonality.tonality(frames["mix"].chroma[:, masks["mix"]])
    mix = descriptors["mix"]
    if pulse.tempo is not None:
        mix["tempo"] = _value(pulse.tempo, "BPM")
        mix["tempo_confidence"] = _value(pulse.confidence, "0..1")
        if pulse.alternative is not None:
            mix["tempo_alternative"] = _value(pulse.alternative, "BPM")
        mix["beat_regularity"] = _value(pulse.regularity, "0..1")
    mix["pulse_clarity"] = _value(pulse.pulse_clarity, "0..1")
    mix["majorness"] = _value(keys.majorness, "-1..1")
    mix["key_clarity"] = _value(keys.clarity, "0..1")
    mix["percussive_ratio"] = _value(percussive_ratio(frames["mix"].power_mel), "0..1")
    mix["contrast_components_per_minute"] = _value(picture["components_per_minute"], "1/min")
    mix["contrast_dark_ratio"] = _value(picture["dark_ratio"], "0..1")
    return {"musical_contrast": picture, "tempo_bpm": pulse.tempo, "key": keys.key, "mode": keys.mode}


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
    padded = np.pad(rows, ((0, 0), (width // 2, width // 2)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
    return np.asarray(np.partition(windows, width // 2, axis=-1)[..., width // 2], np.float32)


assert CONTRAST_BANDS == 7  # the names spectral_contrast_1 .. 7 are part of the rules' vocabulary
