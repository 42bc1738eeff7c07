"""The sample library as it is shipped: judged by its files alone."""

import itertools
from collections import Counter
from functools import cache

import numpy as np
import pytest
import soundfile
from tinytag import TinyTag

from core.audio.types import STEMS
from core.library.samples import Sample, manifest, sample_folder

MOODS = {
    "wonder", "transcendence", "tenderness", "nostalgia", "peacefulness", "power", "joyful_activation", "tension", "sadness",
}  # fmt: skip

samples = pytest.mark.parametrize("sample", manifest(), ids=lambda sample: sample.file)


@cache
def audio(path: str) -> np.ndarray:
    """Mono at 44.1 kHz."""
    data, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 44_100
    assert data.shape[1] == 2
    return data


@cache
def measured(path: str) -> dict[str, float]:
    """A few plain measures, written out here so that they depend on no code of ours."""
    data = audio(path)
    mono = data.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, 2048)[::1024]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(2048).astype(np.float32)))
    total = magnitude.sum(axis=1)
    loud = total > 0.05 * total.max()
    centroid = (magnitude @ np.fft.rfftfreq(2048, 1 / 44_100) / np.maximum(total, 1e-9))[loud].mean()
    rms = np.sqrt((frames**2).mean(axis=1))
    flux = np.maximum(0, np.diff(np.log1p(100 * magnitude), axis=0)).mean(axis=1)
    return {
        "centroid": float(centroid),
        "rms_db": float(20 * np.log10(np.sqrt((mono**2).mean()))),
        "flux": float(flux.mean()),
        "range_db": float(20 * np.log10(np.percentile(rms, 95) / max(np.percentile(rms, 25), 1e-5))),
    }


def test_the_library_is_what_make_try_needs():
    entries = manifest()
    files = sorted(path.name for path in sample_folder().glob("*.ogg"))
    assert files == sorted(entry.file for entry in entries)
    assert len(files) >= 24
    assert sum((sample_folder() / name).stat().st_size for name in files) < 12_000_000
    assert len({entry.title for entry in entries}) == len(entries)
    assert len({entry.artist for entry in entries}) >= 10
    assert len({entry.genre for entry in entries}) >= 12


@samples
def test_sounds_clean_from_start_to_end(sample: Sample):
    data = audio(str(sample.path))
    seconds = len(data) / 44_100
    assert 30 <= seconds <= 46
    assert np.abs(data).max() < 10 ** (-1 / 20)
    level = measured(str(sample.path))["rms_db"]
    assert -30 < level < -10
    start, end = data[: 44_100 * 3], data[-441:]
    assert np.abs(start).max() > 0.005, "begins with silence"
    assert np.abs(end).max() < 0.003, "is cut off instead of fading"
    assert abs(data.mean()) < 0.003, "has a DC offset"


@samples
def test_tags_say_what_the_manifest_says(sample: Sample):
    tag = TinyTag.get(sample.path)
    assert (tag.title, tag.artist, tag.genre) == (sample.title, sample.artist, sample.genre)
    assert tag.album == "Moodstem Samples"
    assert tag.duration == pytest.approx(len(audio(str(sample.path))) / 44_100, abs=0.1)


def test_every_mood_is_expressed_by_three_pieces_or_more():
    count = Counter(mood for entry in manifest() for mood in entry.moods)
    assert set(count) == MOODS
    assert min(count.values()) >= 3, count


def test_every_stem_is_in_several_pieces_and_missing_in_several():
    count = Counter(stem for entry in manifest() for stem in entry.instruments)
    assert set(count) == set(STEMS)
    assert all(3 <= count[stem] <= len(manifest()) - 3 for stem in STEMS), count


def test_tempi_keys_and_modes_vary():
    entries = manifest()
    tempi = [entry.tempo_bpm for entry in entries]
    assert min(tempi) < 60
    assert max(tempi) > 160
    assert len({(entry.key, entry.mode) for entry in entries}) >= 15
    modes = Counter(entry.mode for entry in entries)
    assert min(modes["major"], modes["minor"]) >= 8


def test_the_pieces_differ_audibly():
    values = {
        name: np.array([measured(str(s.path))[name] for s in manifest()])
        for name in ("centroid", "rms_db", "flux", "range_db")
    }
    assert values["centroid"].max() > 3 * values["centroid"].min()
    assert values["rms_db"].max() - values["rms_db"].min() > 6
    assert values["flux"].max() > 2.5 * values["flux"].min()
    points = np.stack([(v - v.mean()) / v.std() for v in values.values()], axis=1)
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)]
    assert min(distances) > 0.05, "two pieces measure the same"


def test_calm_pieces_are_softer_and_darker_than_powerful_ones():
    def mean(mood: str, name: str) -> float:
        return float(np.mean([measured(str(s.path))[name] for s in manifest() if mood in s.moods]))

    for calm, lively in itertools.product(
        ("peacefulness", "sadness", "tenderness"), ("power", "joyful_activation")
    ):
        assert mean(calm, "rms_db") < mean(lively, "rms_db") - 1
        assert mean(calm, "centroid") < mean(lively, "centroid")
        assert mean(calm, "flux") < mean(lively, "flux")
