"""The picture of a track within the library: as it was looked at, and true to what is missing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.words.pictures import details_words
from core.audio.types import STEMS
from core.library.catalog import Catalog
from core.pictures.drawing import profile_features
from core.pictures.profile import ROWS, profile_picture, shade
from core.track_analysis import TrackAnalysis
from tests.core.pictures.test_spectrograms import as_drawn_before, image, six_stems
from tests.make import sample_analyses


@dataclass(frozen=True)
class Piece:
    id: int
    title: str = ""
    artist: str | None = None
    genre: str | None = None
    content_hash: str = ""


def whole_scale(heard: tuple[str, ...]) -> tuple[TrackAnalysis, dict[str, float]]:
    """Percentiles that run through the whole scale, for the sources that are heard."""
    names = [
        name for name in profile_features() if name.partition(".")[0] in heard and name != "mix.activity"
    ]
    track = six_stems(
        descriptors={source: {"loudness": {"value": -20.0, "unit": "LUFS"}} for source in heard}
    )
    return track, {name: k / (len(names) - 1) for k, name in enumerate(names)}


def test_profile_picture() -> None:
    track, percentiles = whole_scale(("mix", "drums", "bass", "guitar", "piano"))
    as_drawn_before(
        "profile", profile_picture(percentiles, track, "Pistachio Ice Cream", details_words(track, 170))
    )


def columns(png: bytes) -> list[NDArray[np.uint8]]:
    """The seven columns of the table below their headings."""
    table = image(png)[170:600]
    edges = np.linspace(0.285, 0.975, 8) * 1000
    return [table[:, round(low) + 8 : round(high) - 8] for low, high in itertools.pairwise(edges)]


def test_a_silent_stem_has_an_empty_column() -> None:
    track, percentiles = whole_scale(("mix", "drums"))
    drawn = columns(
        profile_picture(
            percentiles | {"vocals.activity": 0.2, "vocals.loudness": 0.0},
            track,
            "x",
            details_words(track, 30),
        )
    )
    coloured = [float((np.ptp(one.astype(int), axis=2) > 20).mean()) for one in drawn]
    assert coloured[0] > 0.4 and coloured[1] > 0.4, "what sounds has cells"
    assert max(coloured[2:]) == 0, "what does not sound has none, whatever is said of it"


def test_without_stems_only_the_track() -> None:
    track, percentiles = whole_scale(("mix",))
    bare = six_stems(instruments={}, descriptors=track.descriptors)
    image(profile_picture(percentiles, bare, "x", details_words(bare, 3)))
    silence = six_stems(instruments={}, descriptors={})
    image(profile_picture({}, silence, "silence", details_words(silence, 0)))


def test_cells_are_readable() -> None:
    """White numbers on every shade: a contrast of 3 to 1 at least, as for large text (WCAG 2.2)."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for share in np.linspace(0, 1, 21):
        assert 1.05 / (luminance(shade(float(share))) + 0.05) >= 3
    assert shade(0.02)[2] > shade(0.02)[0] and shade(0.98)[0] > shade(0.98)[2], "blue is low, orange high"


def test_percentiles_come_from_the_same_separator() -> None:
    analyses = sample_analyses()
    catalog = Catalog.build([(Piece(i), one) for i, one in enumerate(analyses)])
    loudest = max(range(30), key=lambda i: analyses[i].descriptors["mix"]["loudness"]["value"])
    standing = catalog.standing(analyses[loudest], profile_features())
    assert standing["mix.loudness"] > 0.75
    assert standing["mix.loudness"] == pytest.approx(
        float(catalog.percentiles("mix.loudness")[loudest]), abs=1e-6
    )
    for stem in STEMS:
        there = {name for name in ROWS if f"{stem}.{name}" in standing}
        assert there == (set(ROWS) if stem in analyses[loudest].descriptors else {"activity"})
    assert (
        cv2.imdecode(
            np.frombuffer(
                profile_picture(standing, analyses[loudest], "x", details_words(analyses[loudest], 30)),
                np.uint8,
            ),
            1,
        )
        is not None
    )
