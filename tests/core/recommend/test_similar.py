from __future__ import annotations

import pytest

from bot.words.likeness import likeness_text
from core.recommend.similar import Similar, similar, timbre_vectors
from tests.core.recommend.worlds import catalog, random_catalog
from tests.refusals import refusal


def row(world: object, index: int) -> dict[str, float]:
    names, matrix = world.names, world.features  # type: ignore[attr-defined]
    return {name: float(value) for name, value in zip(names, matrix[index], strict=True) if value == value}


def texts(one: Similar) -> list[str]:
    return [likeness_text(reason) for reason in one.reasons]


@pytest.mark.parametrize("by", ["instruments", "timbre"])
def test_a_track_is_most_like_itself(by: str) -> None:
    world = random_catalog(40)
    found = similar(world, row(world, 7), by, count=5)
    assert found[0].track.id == 8 and found[0].similarity == pytest.approx(1, abs=1e-5)
    assert all(-1 <= one.similarity <= 1 for one in found)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)


def test_instruments_find_the_same_line_up() -> None:
    world = catalog(
        {
            "piano.activity": [0.9, 0.0, 0.8],
            "drums.activity": [0.0, 0.9, 0.1],
            "bass.activity": [0.0, 0.8, 0.0],
        }
    )
    found = similar(world, {"piano.activity": 0.5}, "instruments", count=3)
    assert [one.track.id for one in found] == [1, 3, 2]
    assert texts(found[0]) == ["The piano can be heard 90% of the time here and 50% there."]
    assert found[2].similarity == pytest.approx(0)


def test_chosen_instruments_are_all_that_counts() -> None:
    world = catalog({"piano.activity": [0.9, 0.1], "drums.activity": [0.1, 0.9], "bass.activity": [0.9, 0.1]})
    here = {"piano.activity": 0.1, "drums.activity": 0.9, "bass.activity": 0.9}
    assert similar(world, here, "instruments", ["drums", "piano"], 1)[0].track.id == 2


def test_an_instrument_that_the_track_lacks_is_no_likeness() -> None:
    """All tracks without a guitar would agree at +1.000; one sentence says so instead."""
    world = catalog({"guitar.activity": [0.0, 0.6, 0.1], "drums.activity": [0.5, 0.9, 0.0]})
    here = {"guitar.activity": 0.0, "drums.activity": 0.7}
    with refusal(r"next to nothing of the guitar: compare other instruments, or by sound\."):
        similar(world, here, "instruments", ["guitar"])
    found = similar(world, here, "instruments", ["guitar", "drums"], 1)
    assert found[0].track.id == 1 and texts(found[0]) == [
        "The drums can be heard 50% of the time here and 70% there."
    ]
    assert texts(similar(world, here, "instruments", ["drums"], 3)[2]) == [
        "The drums can be heard 0% of the time here and 70% there."
    ]
    with refusal("No instrument stands out"):
        similar(world, {"guitar.activity": 0.04}, "instruments")


def test_timbre_reasons_are_words_with_measured_values() -> None:
    world = random_catalog(40)
    lines = texts(similar(world, row(world, 3), "timbre", count=1)[0])
    assert 1 <= len(lines) <= 3 and all(line.startswith("In both, ") and "; there " in line for line in lines)


def test_the_asking_track_can_be_left_out_and_bad_names_are_refused() -> None:
    world = random_catalog(5)
    assert 1 not in [one.track.id for one in similar(world, row(world, 0), "timbre", count=9, exclude=[1])]
    with refusal("instruments, sound, timbre"):
        similar(world, {}, "colour")
    with refusal("no instrument 'kazoo'"):
        similar(world, {}, "instruments", ["kazoo"])


def test_a_track_about_which_nothing_is_known_resembles_nothing() -> None:
    world = catalog({"mix.mfcc_2": [1.0, float("nan"), 3.0, 4.0]})
    assert timbre_vectors(world)[1].tolist() == [0.0]
