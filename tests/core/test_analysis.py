"""The one pipeline: from a file to an analysis, with progress, cancelling and the same answer twice."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bot.words.say import say
from core.analysis import analyse
from core.audio.activity import Gate
from core.audio.decode import DecodeLimits, decode
from core.audio.types import RATE, STEMS, Samples
from core.separation.base import Cancelled, Progress
from core.separation.registry import load_separator
from core.track_analysis import TrackAnalysis, content_hash
from tests.core.audio import rhythms
from tests.data import SAMPLES, SONGS
from tests.make import tone
from tests.refusals import refusal

SECONDS = 12


class TrueStems:
    """Knows the stems, since the test made the mix of them; works at 22.05 kHz to prove that its rate is respected."""

    name, version, rate = "true", "1", RATE

    def __init__(self, stems: dict[str, NDArray[np.float32]]) -> None:
        self.stems = stems
        self.gate = Gate()
        self.seen: tuple[int, ...] = ()

    def separate(self, mix: Samples, progress: Progress | None = None) -> dict[str, Samples]:
        self.seen = mix.shape
        for share in (0.25, 0.5, 1.0):
            if progress:
                progress(share)
        return {stem: np.stack([signal, signal]) for stem, signal in self.stems.items()}


@pytest.fixture(scope="module")
def separator() -> TrueStems:
    chord = sum(tone(hz, SECONDS, RATE, 0.08) for hz in (262, 330, 392))
    stems = {stem: np.zeros(SECONDS * RATE, np.float32) for stem in STEMS}
    stems |= {"drums": rhythms.render("rock", 110, SECONDS), "piano": np.asarray(chord, np.float32)}
    return TrueStems(stems)


@pytest.fixture(scope="module")
def song(separator: TrueStems, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "song.flac"
    soundfile.write(path, np.sum(list(separator.stems.values()), axis=0), RATE)
    return path


def test_everything_is_there(song: Path, separator: TrueStems) -> None:
    found = analyse(song, separator)
    assert separator.seen == (2, SECONDS * RATE)
    assert found.content_hash == content_hash(song) and len(found.content_hash) == 64
    assert found.duration_s == pytest.approx(SECONDS) and (found.separator, found.separator_version) == (
        "true",
        "1",
    )
    assert found.tempo_bpm == pytest.approx(110, rel=0.02) and (found.key, found.mode) == ("C", "major")
    assert set(found.instruments) == set(STEMS) and set(found.descriptors) == {"mix", "drums", "piano"}
    assert found.instruments["drums"]["activity"] > 0.95 and found.instruments["vocals"]["activity"] == 0
    assert all(len(found.activity_curve[stem]) == 100 for stem in STEMS)
    assert found.musical_contrast["components"] > 0 and 0 < found.musical_contrast["dark_ratio"] < 1


WHOLE_TRACK = [
    "tempo",
    "tempo_confidence",
    "tempo_alternative",
    "beat_regularity",
    "pulse_clarity",
    "majorness",
    "key_clarity",
    "percussive_ratio",
    "contrast_components_per_minute",
    "contrast_dark_ratio",
    "onset_rate",
    "loudness",
    "dynamic_range",
]
FRAMEWISE = [
    *[
        "spectral_centroid",
        "spectral_bandwidth",
        "spectral_contrast",
        "spectral_flatness",
        "spectral_rolloff",
        "spectral_flux",
        "rms",
        "zero_crossing_rate",
        "onset_strength",
    ],
    *(f"spectral_contrast_{k}" for k in range(1, 8)),
    *(f"mfcc_{k}" for k in range(1, 21)),
    *(f"{chroma}_{k}" for chroma in ("chroma", "chroma_cens") for k in range(1, 13)),
    *(f"tonnetz_{k}" for k in range(1, 7)),
]


def test_names_that_rules_rely_on(song: Path, separator: TrueStems) -> None:
    found = analyse(song, separator)
    mix = found.descriptors["mix"]
    assert set(mix) >= {*WHOLE_TRACK, *FRAMEWISE}
    assert all(set(mix[name]) == {"value", "unit"} for name in WHOLE_TRACK)
    assert all({"mean", "std", "unit"} <= set(mix[name]) for name in FRAMEWISE)
    only_mix = {*WHOLE_TRACK} - {"onset_rate", "loudness", "dynamic_range"}
    assert set(found.descriptors["drums"]) == set(mix) - only_mix
    for table in found.descriptors.values():
        for row in table.values():
            assert (
                all(type(v) is float and math.isfinite(v) for k, v in row.items() if k != "unit")
                and row["unit"]
            )


def test_through_json_and_back(song: Path, separator: TrueStems) -> None:
    found = analyse(song, separator)
    assert TrackAnalysis.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    assert found.to_json() == asdict(found)
    flat = found.features()
    assert (
        flat["mix.tempo"] == found.tempo_bpm
        and flat["drums.activity"] == found.instruments["drums"]["activity"]
    )
    assert (
        flat["piano.spectral_centroid"] < flat["drums.spectral_centroid"]
        and "drums.spectral_centroid.std" in flat
    )


def test_same_answer_twice(song: Path, separator: TrueStems) -> None:
    assert analyse(song, separator) == analyse(song, separator)


def test_progress_rises_to_one(song: Path, separator: TrueStems) -> None:
    seen: list[float] = []
    analyse(song, separator, seen.append)
    assert seen[0] == 0 and seen[-1] == 1 and seen == sorted(seen) and len(seen) >= 6


@pytest.mark.parametrize("after", [0.0, 0.3, 0.9])
def test_cancelling(after: float, song: Path, separator: TrueStems) -> None:
    def stop(share: float) -> None:
        if share >= after:
            raise Cancelled

    with pytest.raises(Cancelled):
        analyse(song, separator, stop)


def test_without_stems(song: Path) -> None:
    found = analyse(song, TrueStems({}))
    assert found.instruments == {} and found.activity_curve == {} and set(found.descriptors) == {"mix"}
    assert found.tempo_bpm == pytest.approx(110, rel=0.02)


def test_level_does_not_change_what_it_sounds_like(song: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(song, dtype="float32")
    soundfile.write(tmp_path / "soft.flac", samples * 0.25, rate, subtype="PCM_24")
    loud, soft = analyse(song, TrueStems({})), analyse(tmp_path / "soft.flac", TrueStems({}))
    assert soft.tempo_bpm == loud.tempo_bpm and soft.key == loud.key
    for name in ("spectral_centroid", "spectral_flux", "zero_crossing_rate"):
        assert soft.descriptors["mix"][name]["mean"] == pytest.approx(
            loud.descriptors["mix"][name]["mean"], rel=0.02
        )
    difference = loud.descriptors["mix"]["loudness"]["value"] - soft.descriptors["mix"]["loudness"]["value"]
    assert difference == pytest.approx(12.04, abs=0.1)
    assert soft.musical_contrast["components"] == pytest.approx(loud.musical_contrast["components"], rel=0.1)


def test_silence_is_analysed_with_a_note(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros((3 * 44100, 2), np.float32), 44100)
    found = analyse(tmp_path / "s.wav", TrueStems({}))
    assert (
        [say(note) for note in found.notes] == ["The recording is silent."]
        and found.descriptors == {}
        and found.tempo_bpm is None
    )


DICE = np.random.default_rng(11)
ODD: dict[str, tuple[NDArray[np.float32], int, str]] = {
    "one second": (tone(330, 1.0), 44100, ""),
    "constant": (np.full((88200, 2), 0.4, np.float32), 44100, "offset"),
    "clipped": (np.clip(tone(220, 3, level=5.0), -1, 1), 44100, "clipped"),
    "far too loud": (tone(220, 3, level=20_000.0), 44100, "over full scale"),
    "one click": (np.eye(1, 132300, 60000, dtype=np.float32)[0], 44100, "to be described"),
    "white noise": (DICE.uniform(-1, 1, (88200, 2)).astype(np.float32), 44100, ""),
    "barely above silence": (tone(440, 3, level=2e-4), 44100, "to be described"),
    "sides that cancel": (np.stack([tone(440, 3), -tone(440, 3)], axis=1), 44100, "to be described"),
    "telephone": (DICE.uniform(-0.3, 0.3, 24000).astype(np.float32), 8000, ""),
    "studio": (tone(440, 1.5, 192000), 192000, ""),
    "cinema": (DICE.uniform(-0.3, 0.3, (96000, 8)).astype(np.float32), 48000, "8 channels"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_sound_is_analysed(kind: str, tmp_path: Path) -> None:
    """An analysis that can be stored and printed: finite numbers, and a note where something was done."""
    samples, rate, note = ODD[kind]
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    found = analyse(tmp_path / "a.wav", load_separator("none"))
    json.dumps(found.to_json(), allow_nan=False)
    assert [one for one in map(say, found.notes) if note in one] if note else not found.notes
    heard = kind not in ("constant", "one click", "barely above silence", "sides that cancel")
    assert ("mix" in found.descriptors) is heard


def test_bad_files_and_limits(song: Path, tmp_path: Path, separator: TrueStems) -> None:
    (tmp_path / "no.mp3").write_text("hello")
    with refusal("not an audio file"):
        analyse(tmp_path / "no.mp3", separator)
    with refusal("cannot be opened"):
        analyse(tmp_path / "nowhere.mp3", separator)
    with refusal(r"longer than 0\.1 minutes"):
        analyse(song, separator, limits=DecodeLimits(max_seconds=6))


@pytest.mark.parametrize(
    "lossy", [{"format": "MP3", "subtype": "MPEG_LAYER_III"}, {"format": "OGG", "subtype": "VORBIS"}]
)
def test_a_lossy_copy_sounds_the_same(lossy: dict[str, str], tmp_path: Path) -> None:
    """What lies above 11 kHz is left out, so that a compressed copy gets the same descriptors."""
    samples = decode(SAMPLES[8]).samples[:, : 15 * 44100]
    soundfile.write(tmp_path / "a.wav", samples.T, 44100)
    soundfile.write(tmp_path / "a.lossy", samples.T, 44100, **lossy)
    whole, copy = analyse(tmp_path / "a.wav", TrueStems({})), analyse(tmp_path / "a.lossy", TrueStems({}))
    assert copy.tempo_bpm == pytest.approx(whole.tempo_bpm, rel=0.01) and copy.key == whole.key
    for name in (
        "spectral_centroid",
        "spectral_bandwidth",
        "spectral_rolloff",
        "rms",
        "spectral_flux",
        "onset_strength",
    ):
        assert copy.descriptors["mix"][name]["mean"] == pytest.approx(
            whole.descriptors["mix"][name]["mean"], rel=0.05
        )


def test_real_recordings() -> None:
    """Known facts of real recordings: the trumpet is in F, the Sugar Plum Fairy in E minor."""
    for path in SONGS:
        found = analyse(path, TrueStems({}))
        assert found.duration_s > 1 and found.tempo_bpm and 40 <= found.tempo_bpm <= 220
        if "trumpet" in path.name:
            assert found.key == "F"
        if "sugar-plum" in path.name:
            assert (found.key, found.mode) == ("E", "minor")
