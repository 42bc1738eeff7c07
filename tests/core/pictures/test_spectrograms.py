"""Pictures: the right size, readable, safe with any title, and the same as the ones that were looked at."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.words.pictures import details_words
from core.audio.decode import Audio
from core.audio.types import RATE, STEMS
from core.pictures import canvas
from core.pictures import spectrograms as pictures
from core.pictures.colours import STEM_COLOURS
from core.track_analysis import TrackAnalysis
from tests import make
from tests.core.audio import rhythms
from tests.make import tone

GOLDEN = Path(__file__).with_name("golden")


def six_stems(**changes: object) -> TrackAnalysis:
    shares = dict(zip(STEMS, (1.0, 0.5, 0.0, 0.25, 0.97, 0.03), strict=True))
    facts: dict[str, object] = {
        "content_hash": "0", "duration_s": 20.0, "separator": "true", "tempo_bpm": 110.0, "notes": [],
        "musical_contrast": {"components": 500.0, "components_per_minute": 1500.0, "dark_points": 1.0, "dark_ratio": 0.4},
        "instruments": {stem: {"activity": share, "level_db": -6.0} for stem, share in shares.items()},
        "descriptors": {},
        "activity_curve": {stem: [1.0] * round(100 * share) + [0.0] * (100 - round(100 * share)) for stem, share in shares.items()},
    }  # fmt: skip
    return make.analysis(**facts | changes)


WORDS = details_words(six_stems(), 1)


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    return rhythms.render("rock", 110, 20) + tone(262, 20, RATE, 0.1) + tone(392, 20, RATE, 0.1)


def image(png: bytes) -> NDArray[np.uint8]:
    assert png.startswith(b"\x89PNG") and len(png) < 600_000
    picture = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    assert picture.shape == (900, 1000, 3)
    return picture


def as_drawn_before(name: str, png: bytes) -> None:
    """Compare with golden/NAME.png, a third of the size; MOODSTEM_TEST_GOLDEN=write makes it anew (then look at it)."""
    small = cv2.resize(image(png), (333, 300), interpolation=cv2.INTER_AREA)
    path = GOLDEN / f"{name}.png"
    if os.environ.get("MOODSTEM_TEST_GOLDEN") == "write":
        cv2.imwrite(str(path), small)
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert expected is not None, f"{path.name} is missing"
    difference = np.abs(small.astype(int) - expected.astype(int))
    assert difference.mean() < 3 and (difference > 60).mean() < 0.02


def test_analysis_picture(sound: NDArray[np.float32]) -> None:
    as_drawn_before(
        "analysis", pictures.analysis_picture(Audio(sound, RATE), six_stems(), "Pistachio Ice Cream", WORDS)
    )


def test_without_stems(sound: NDArray[np.float32]) -> None:
    bare = six_stems(instruments={}, activity_curve={}, tempo_bpm=None, key=None, mode=None)
    as_drawn_before("without_stems", pictures.analysis_picture(Audio(sound, RATE), bare, "Mix only", WORDS))


def test_contrast_picture(sound: NDArray[np.float32]) -> None:
    as_drawn_before(
        "contrast", pictures.contrast_picture(Audio(sound, RATE), six_stems(), "Musical contrast", WORDS)
    )


def test_chroma_picture(sound: NDArray[np.float32]) -> None:
    as_drawn_before(
        "chroma", pictures.chroma_picture(Audio(sound, RATE), six_stems(), "Pitch classes", WORDS)
    )


def test_one_channel_gives_the_same_picture(sound: NDArray[np.float32]) -> None:
    mono, stereo = Audio(sound, RATE), Audio(np.stack([sound, sound]), RATE)
    drawn = [pictures.analysis_picture(audio, six_stems(), "A", WORDS) for audio in (mono, stereo)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "title",
    [
        "$\\frac{1}{2}$ $ $x^2",
        "日本語のとても長い題名" * 10,
        "a\n\tb\x00\x1b[31m\u202eevil",
        "👍🏽" * 40,
        "",
        "W" * 300,
        "\\LaTeX {} %s {0}",
        "عربى",
    ],
)
def test_any_title(title: str, sound: NDArray[np.float32], recwarn: pytest.WarningsRecorder) -> None:
    picture = image(pictures.analysis_picture(Audio(sound[: 4 * RATE], RATE), six_stems(), title, WORDS))
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    assert (picture[:, -12:] == picture[-1, -1]).all(), "the title runs into the edge"


def test_titles_are_shortened_to_one_line() -> None:
    assert canvas.safe_title("a\n  b\tc") == "a b c"
    assert len(canvas.safe_title("long " * 50)) <= 46 and canvas.safe_title("long " * 50).endswith("…")


def test_silence_and_very_short_and_long() -> None:
    for samples in (0, 100, RATE):
        image(
            pictures.analysis_picture(
                Audio(np.zeros(samples, np.float32), RATE),
                six_stems(duration_s=max(samples / RATE, 0.01)),
                "x",
                WORDS,
            )
        )
    long = Audio(np.zeros(600 * RATE, np.float32), RATE)
    image(pictures.analysis_picture(long, six_stems(duration_s=600.0), "x", WORDS))


def test_colours_differ_and_stand_out() -> None:
    colours = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in STEM_COLOURS.values()])
    assert set(STEM_COLOURS) == set(STEMS)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)[np.triu_indices(6, 1)]
    assert distances.min() > 60 and (colours @ [0.2126, 0.7152, 0.0722] > 100).all()


def test_threads_draw_at_the_same_time(sound: NDArray[np.float32]) -> None:
    audio = Audio(sound, RATE)
    made: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: made.append(pictures.analysis_picture(audio, six_stems(), "A", WORDS))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4 and len(set(made)) == 1
