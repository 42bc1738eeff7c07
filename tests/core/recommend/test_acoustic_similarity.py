"""Similarity by sound and by instruments: on real recordings, and what a million vectors take."""

from __future__ import annotations

import math
import time
import tracemalloc

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_limits

from bot.words.likeness import likeness_text
from bot.words.prominence import prominence_text
from core.analysis import analyse
from core.audio.descriptors import describe
from core.genre.neighbours import unit
from core.library.catalog import Catalog
from core.library.latents import Latents
from core.recommend.acoustic_similarity import (
    BLOCK,
    BLOCKS,
    METRICS,
    NAMES,
    ONE,
    WEIGHTS,
    Fixed,
    SoundSpace,
    agreements,
)
from core.recommend.prominence import energy_shares, prominence, prominent
from core.recommend.similar import similar
from core.separation.base import HEARD
from core.separation.registry import load_separator
from core.track_analysis import TrackAnalysis
from tests.core.recommend.worlds import Track, catalog
from tests.data import FUNK, SAMPLES, SONGS

SECONDS = 8.0


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> list[TrackAnalysis]:
    """Two excerpts of each of eight recordings, one after the other."""
    folder, separator, found = tmp_path_factory.mktemp("halves"), load_separator("unet"), []
    for path in [*SONGS, *SAMPLES[:2]]:
        with soundfile.SoundFile(path) as file:
            length = int(min(SECONDS, len(file) / file.samplerate / 2) * file.samplerate)
            for part in range(2):
                cut = folder / f"{path.stem[:20]}-{part}.flac"
                soundfile.write(cut, file.read(length), file.samplerate)
                found.append(analyse(cut, separator))
    return found


@pytest.fixture(scope="module")
def real(halves: list[TrackAnalysis]) -> Catalog:
    return Catalog.build(
        (Track(i, f"Track {i}", content_hash=one.content_hash), one) for i, one in enumerate(halves, 1)
    )


@pytest.mark.parametrize(
    ("by", "metric"),
    [
        ("timbre", "cosine"),
        *((by, one) for by in ("sound", "instruments", "one instrument") for one in METRICS),
    ],
)
def test_symmetric_and_the_same_every_time(
    real: Catalog, halves: list[TrackAnalysis], by: str, metric: str
) -> None:
    one_only = by == "one instrument"  # a track without it is refused
    heard = [
        row for row, one in enumerate(halves) if not one_only or one.features()["bass.activity"] >= HEARD
    ]
    assert len(heard) >= 8

    def table(world: Catalog) -> np.ndarray:
        found = np.zeros((len(halves), len(halves)))
        for row in heard:
            one = halves[row]
            for near in similar(
                world, one.features(), by.split()[-1].removesuffix("s").replace("instrument", "instruments"),
                ["bass"] if one_only else None, len(halves), metric=metric, separator="unet",
            ):  # fmt: skip
                found[row, world.index(near.track.id)] = near.similarity
        return found[np.ix_(heard, heard)]

    first = table(real)
    again = Catalog(real.tracks, real.separators, real.names, real.features, real.units)
    assert np.array_equal(first, table(again))
    tolerance = 0 if by == "sound" else 1e-6
    np.testing.assert_allclose(first, first.T, atol=tolerance, rtol=0)
    assert first.min() >= -1 and first.max() <= 1
    np.testing.assert_allclose(np.diag(first), 1, atol=1e-6)
    assert np.ptp(first) > 0.2


def test_latent_vectors_are_symmetric_and_the_same_every_time(halves: list[TrackAnalysis]) -> None:
    def table() -> np.ndarray:
        vectors = unit(np.array([one.latent["vector"] for one in halves if one.latent]))
        latents = Latents("any", list(range(1, len(vectors) + 1)), vectors)
        found = np.full((len(vectors), len(vectors)), np.nan)
        for row, vector in enumerate(vectors):
            for track_id, cosine in latents.near(vector, len(vectors), latents.ids):
                found[row, track_id - 1] = cosine
        return found

    first = table()
    assert first.shape == (16, 16) and np.array_equal(first, first.T) and np.array_equal(first, table())
    np.testing.assert_allclose(np.diag(first), 1, atol=1e-6)
    assert np.ptp(first) > 0.2
    nearest = np.where(np.eye(16, dtype=bool), -1, first).argmax(axis=1)
    assert (nearest == np.arange(16) ^ 1).sum() >= 8  # the other half of the recording; by chance one


def test_prominence_is_the_same_every_time_and_no_track_changes_anothers(
    real: Catalog, halves: list[TrackAnalysis]
) -> None:
    first = prominent(real, "bass", 16)
    assert first and first == prominent(real, "bass", 16)
    backwards = Catalog.build(
        (Track(i, f"Track {i}", content_hash=one.content_hash), one)
        for i, one in reversed(list(enumerate(halves, 1)))
    )
    assert {one.track.id: one.prominence for one in first} == {
        one.track.id: one.prominence for one in prominent(backwards, "bass", 16)
    }


@pytest.mark.parametrize("metric", METRICS)
def test_the_other_half_of_a_recording_sounds_most_like_it(
    real: Catalog, halves: list[TrackAnalysis], metric: str
) -> None:
    hits = sum(
        similar(real, one.features(), "sound", None, 1, exclude=[i + 1], metric=metric, separator="unet")[
            0
        ].track.id
        == (i ^ 1) + 1
        for i, one in enumerate(halves)
    )
    assert hits >= 11, hits  # of 16; by chance one


@pytest.mark.parametrize("metric", METRICS)
def test_terms_add_up_and_reasons_name_what_agrees(
    real: Catalog, halves: list[TrackAnalysis], metric: str
) -> None:
    for one in halves[::3]:
        for near in similar(real, one.features(), "sound", count=16, metric=metric, separator="unet"):
            total = math.fsum(term.contribution for term in near.terms)
            assert total + (metric == "euclidean") == pytest.approx(near.similarity, abs=1e-9)
            assert len(near.terms) == len(BLOCKS)
    [first] = similar(real, halves[0].features(), "sound", count=1, exclude=[1], separator="unet")
    text = likeness_text(first.reasons[0])
    assert text.startswith("Alike in ")
    strongest = first.terms[0]
    assert f"({strongest.contribution:+.2f})" in text


def test_opposites_differ() -> None:
    ramp = np.linspace(-1, 1, 40)
    space = SoundSpace(catalog({name: list(ramp) for name in NAMES}))
    alike, _ = agreements(space.vectors[39], space.vectors[38])
    apart, terms = agreements(space.vectors[39], space.vectors[0])
    assert apart == pytest.approx(-1, abs=1e-3) and alike == pytest.approx(1, abs=1e-3)
    # Each descriptor has the part that it weighs, whatever its numbers.
    parts = {term.descriptor: term.contribution for term in terms if term.source == "mix"}
    assert parts["mfcc"] / parts["zcr"] == pytest.approx(WEIGHTS["mfcc"] / WEIGHTS["zcr"], rel=0.01)
    assert sum(parts.values()) == pytest.approx(-0.5, abs=1e-3)


def test_unknown_sound_is_like_nothing() -> None:
    space = SoundSpace(catalog({"mix.tempo": [120.0, 90.0, float("nan")]}))
    assert space.similarities(space.vectors[2])[0] == 0
    assert agreements(space.vectors[2], space.vectors[2])[0] == 0


def test_what_vectors_and_a_question_take() -> None:
    """530 bytes for each vector, so that a million take 530 MB and their lengths 4 MB more."""
    count = 20 * BLOCK
    space = SoundSpace(catalog({"mix.tempo": [60.0, 120.0]}))
    space.vectors = np.ones((count, len(NAMES)), dtype=np.int16)
    space.norms = np.ones(count, dtype=np.float32)
    assert space.vectors.nbytes + space.norms.nbytes == count * 534
    own = space.vectors[0]
    tracemalloc.start()
    space.similarities(own)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * BLOCK * len(NAMES) * 4 + 4 * count * 4
    with threadpool_limits(1):  # threads that wait for each other on a busy machine take processor time, too
        spent = min(timed(space, own) for _ in range(20))
    assert spent * 1_000_000 / count < 0.5, (
        "a question to a million tracks takes half a second of processor time at most"
    )


def timed(space: SoundSpace, own: Fixed) -> float:
    began = time.process_time()
    space.similarities(own)
    return time.process_time() - began


def test_fixed_point_is_as_good_as_double_precision(halves: list[TrackAnalysis]) -> None:
    """Of the vectors of real recordings, in steps of 1 / 32,767, none is cut off, and cosines are those of before."""
    tracks = (Track(i, f"Track {i}", content_hash=one.content_hash) for i, one in enumerate(halves, 1))
    space = SoundSpace(Catalog.build(zip(tracks, halves, strict=True)))
    parts = space.vectors / ONE
    assert 0.1 < np.abs(parts).max() < 0.84
    unit = parts / np.linalg.norm(parts, axis=1, keepdims=True)
    found = np.stack([space.similarities(vector) for vector in space.vectors])
    np.testing.assert_allclose(found, unit @ unit.T, atol=1e-6)
    assert len(np.unique(space.vectors)) > 1000


def test_prominence_is_time_and_energy() -> None:
    world = catalog(
        {
            "guitar.activity": [0.9, 0.9, 0.06, 0.0, 0.04],
            "guitar.level_db": [-3.0, -20.0, -3.0, -120.0, -3.0],
            "drums.level_db": [-3.0, -3.0, -3.0, 0.0, -3.0],
        }
    )
    values, _, energy = prominence(world, "guitar")
    assert energy[0] == pytest.approx(0.5) and values[0] == pytest.approx(math.sqrt(0.9 * 0.5))
    found = prominent(world, "guitar", 9)
    assert [one.track.id for one in found] == [
        1,
        3,
        2,
    ]  # the silent one and the one with a trace of it are left out
    assert prominence_text(found[0]) == "The guitar sounds 90% of the time and holds 50% of the energy."
    assert [one.track.id for one in prominent(world, "guitar", 9, among={2, 3})] == [3, 2]


def test_energy_shares_add_up_to_one() -> None:
    shares = energy_shares({"drums": np.array([-3.0, np.nan]), "bass": np.array([-9.0, np.nan])})
    assert sum(share[0] for share in shares.values()) == pytest.approx(1) and shares["bass"][1] == 0


def test_a_guitar_that_is_turned_up_stands_out_more() -> None:
    """Ten seconds of a real song from its true stems, as they are and with the guitar 9 dB louder."""
    files = {"drums": "drums", "bass": "bassguitar", "guitar": "leadguitar", "other": "horns"}
    stems, rate = {}, 0
    for stem, name in files.items():
        samples, rate = soundfile.read(FUNK / f"{name}.mp3", always_2d=True, dtype="float32")
        stems[stem] = samples.T[:, : 10 * rate]
    found = []
    for gain in (1.0, 2.8):
        played = {**stems, "guitar": gain * stems["guitar"]}
        heard = describe({"mix": np.sum(list(played.values()), axis=0), **played}, rate).instruments
        columns = {
            f"{stem}.{name}": [value] for stem, facts in heard.items() for name, value in facts.items()
        }
        world = catalog(columns)
        found.append((prominence(world, "guitar")[0][0], prominence(world, "drums")[0][0]))
    assert found[1][0] > 1.3 * found[0][0] > 0 and found[1][1] < found[0][1]
