"""The map: near is alike, arrows lead to their moods, and it is drawn for few tracks and many."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
from PIL import Image

from bot.words.library_map import axis_text, corner, map_in_words
from bot.words.pictures import map_words
from core.library.catalog import Catalog
from core.pictures.library_map import apart, map_picture
from core.recommend.acoustic_similarity import ONE, sound_space
from core.recommend.affect import plane
from core.recommend.music_map import MOST, components, drawn, music_map
from core.recommend.topic_scores import prepare
from tests.core.recommend.worlds import random_catalog
from tests.refusals import refusal


def test_components_are_those_of_a_singular_value_decomposition(samples: Catalog) -> None:
    points, explained = components(samples)
    vectors = sound_space(samples).vectors / ONE
    _, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0))
    assert explained == pytest.approx(tuple(values[:2] ** 2 / (values**2).sum()), rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), values[:2], rtol=1e-6)


def test_near_on_the_map_is_alike(samples: Catalog) -> None:
    found = music_map(samples)
    vectors = sound_space(samples).vectors / ONE
    one, other = np.triu_indices(len(samples), 1)
    on_map = np.linalg.norm(found.points[one] - found.points[other], axis=1)
    measured = np.linalg.norm(vectors[one] - vectors[other], axis=1)
    assert np.corrcoef(on_map, measured)[0, 1] > 0.6


def test_arrows_lead_to_tracks_that_have_the_mood(samples: Catalog) -> None:
    """The third of the tracks that lies farthest along an arrow has more of its mood than the third behind."""
    found, prepared = music_map(samples), prepare(samples)
    assert len(found.directions) == 9
    for one in found.directions:
        along = found.points @ np.array([one.x, one.y])
        scores = prepared.scores({one.mood: 1.0})
        order = np.argsort(along)
        assert scores[order[-10:]].mean() > scores[order[:10]].mean() + 0.1, one.mood
        assert 0 <= one.strength <= 1 and math.hypot(one.x, one.y) == pytest.approx(1)


def test_arousal_is_up_and_pleasant_not_to_the_left(samples: Catalog) -> None:
    found = music_map(samples)
    along = [
        np.corrcoef(found.points[:, axis], plane(samples)[:, kind])[0, 1]
        for axis, kind in ((0, 1), (1, 1), (0, 0))
    ]
    assert abs(along[0]) < 0.1 and along[1] > 0.8 and along[2] >= 0
    assert found.axes[0] != found.axes[1] and axis_text(found.axes[1])[1] in (
        "louder",
        "brighter",
        "faster",
        "more rhythmic",
    )


def test_the_same_every_time_and_for_few(samples: Catalog) -> None:
    again = Catalog(
        samples.tracks, samples.separators, samples.names, samples.features, samples.units, samples.keys
    )
    assert np.array_equal(music_map(samples).points, music_map(again).points)
    with refusal("at least 3"):
        music_map(random_catalog(2))
    assert len(music_map(random_catalog(3)).points) == 3


@pytest.mark.parametrize("count", [30, 5000])
def test_readable_with_thirty_and_with_thousands(samples: Catalog, count: int) -> None:
    world = samples if count == 30 else random_catalog(count)
    told = map_in_words(drawn(world, [3, 1, 99_999]))
    assert told["picked_titles"] == [world.track(3).title, world.track(1).title]
    assert bool(told["titles"]) == (count == 30)
    image = Image.open(io.BytesIO(map_picture(told, map_words(len(told["points"]), len(world))))).convert(
        "RGB"
    )
    assert image.size == (1100, 1150)
    assert max(image.getpixel((2, 2))) < 40
    inner = image.crop((100, 200, 1040, 800))
    drawn_over = sum(
        number for number, colour in inner.getcolors(10**6) or [] if colour != inner.getpixel((3, 3))
    )
    assert 0.02 < drawn_over / (940 * 600) < 0.6


def test_of_a_huge_library_a_part_is_drawn_with_what_was_recommended() -> None:
    world = random_catalog(2 * MOST + 10)
    told = drawn(world, [2])
    assert len(told["points"]) * 2 > MOST and len(told["points"]) <= MOST + 1 and told["count"] == len(world)
    assert told["points"][told["picked"][0]] == pytest.approx(music_map(world).points[1], abs=1e-4)


def test_names_around_the_rim_keep_apart() -> None:
    moved = apart([0.0, 0.01, 0.02, 1.5, 3.0])
    assert all(later - earlier >= 0.269 for earlier, later in itertools.pairwise(moved))
    assert apart([-3.1, 3.1])[1] - apart([-3.1, 3.1])[0] <= 2 * math.pi - 0.269
    assert corner(1, 0) == "right" and corner(-1, 1) == "upper left" and corner(0, -1) == "bottom"
