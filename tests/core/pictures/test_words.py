"""What stands in pictures is in the language of whoever gets them, and nothing runs into anything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.words.library_map import axis_text
from bot.words.likeness import side_by_side
from bot.words.moods import mood_adjective
from bot.words.pictures import comparison_words, details_words, journey_words, map_words
from core.audio.decode import Audio
from core.moods.profile import MOODS
from core.pictures import comparison
from core.pictures import journey as journey_picture
from core.pictures import library_map as map_picture
from core.pictures import profile as profile_picture
from core.pictures import spectrograms as pictures
from core.pictures.drawing import profile_features
from core.recommend import acoustic_similarity
from core.spoken import LANGUAGES, speaking
from tests.core.pictures.test_spectrograms import RATE, six_stems

TITLE = "Xyzzy"
SOUND = Audio(np.random.default_rng(1).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32), RATE)
SAME = {"Bass", "piano", "tempo", "Tempo", "MFCC", "Chroma", "chroma", "audio", "musical"}
"""Words that two languages share."""


def told() -> dict[str, Any]:
    """A map as core.recommend.music_map.drawn tells it."""
    directions = [[mood_adjective(mood), 0.5, 0.5, 0.8, mood] for mood in MOODS]
    return {
        "points": [[0.1, 0.2], [-0.3, 0.4]], "moods": ["wonder", "sadness"], "titles": [], "picked": [1],
        "picked_titles": [TITLE], "directions": directions, "axes": [list(axis_text((("mix.tempo", "low"), ("mix.tempo", "high")))), list(axis_text((("mix.majorness", "low"), ("mix.majorness", "high"))))],
        "count": 2,
    }  # fmt: skip


def way() -> dict[str, Any]:
    return {
        "titles": [TITLE] * 3, "curves": {"wonder": [0, 0.5, 1]}, "aims": {"wonder": [0, 1, 2]},
        "plane": [[0.1, 0.1], [0.4, 0.3], [0.9, 0.8]], "plane_ends": [[0, 0], [1, 1]],
        "ends": [mood_adjective("sadness"), mood_adjective("wonder")],
    }  # fmt: skip


def parts() -> list[tuple[str, str, str, float, str]]:
    features = {f"mix.{name}": 1234.5 for names in acoustic_similarity.DESCRIPTORS.values() for name in names}
    return side_by_side([], features, features)


def compared() -> bytes:
    bare = six_stems(key="Eb", mode="minor")
    sides = [comparison.Side(TITLE, bare, SOUND), comparison.Side(TITLE, bare, None)]
    return comparison.comparison_picture(sides[0], sides[1], parts(), comparison_words(0.12))


def profile() -> bytes:
    heard = {
        source: {"loudness": {"value": -20.0}} for source in ("mix", "drums", "vocals", "guitar", "other")
    }
    shares = dict.fromkeys(profile_features(), 0.7)
    track = six_stems(descriptors=heard)
    return profile_picture.profile_picture(shares, track, TITLE, details_words(track, 1234))


DRAWN: dict[str, Callable[[], bytes]] = {
    "analysis": lambda: pictures.analysis_picture(SOUND, six_stems(), TITLE, details_words(six_stems(), 1)),
    "contrast": lambda: pictures.contrast_picture(SOUND, six_stems(), TITLE, details_words(six_stems(), 1)),
    "chroma": lambda: pictures.chroma_picture(SOUND, six_stems(), TITLE, details_words(six_stems(), 1)),
    "profile": profile,
    "comparison": compared,
    "journey": lambda: journey_picture.journey_picture(way(), journey_words(*way()["ends"])),
    "map": lambda: map_picture.map_picture(told(), map_words(2, 2)),
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that were drawn."""
    figures: list[Any] = []
    real = pictures.as_png

    def watched(figure: Any) -> bytes:
        figures.append(figure)
        return real(figure)

    for module in (pictures, comparison, profile_picture, journey_picture, map_picture):
        monkeypatch.setattr(module, "as_png", watched)
    return figures


def texts(figure: Any) -> list[Any]:
    from matplotlib.text import Text

    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("name", DRAWN)
def test_every_word_is_translated(name: str, seen: list[Any]) -> None:
    said = {}
    for language in LANGUAGES:
        with speaking(language):
            DRAWN[name]()
        said[language] = {
            word for text in texts(seen.pop()) for word in re.findall(r"[^\W\d_]{4,}", text.get_text())
        }
    assert said["en"] or name == "chroma"
    for language in ("de", "es"):
        assert not (said["en"] & said[language]) - {TITLE} - SAME, language


@pytest.mark.parametrize("name", DRAWN)
def test_no_word_runs_out_of_the_picture(name: str, seen: list[Any]) -> None:
    for language in LANGUAGES:
        with speaking(language):
            DRAWN[name]()
        figure = seen.pop()
        for text in texts(figure):
            box = text.get_window_extent()
            if box.width:
                inside = box.x0 >= -1 and box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
                assert inside, (language, text.get_text(), box)
