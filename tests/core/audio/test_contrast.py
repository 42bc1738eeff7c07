"""Musical contrast: the picture steps one by one, and what it says of music."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.audio import contrast
from core.audio.spectrum import analyse_frames
from core.audio.types import RATE
from tests.core.audio import rhythms
from tests.make import tone


def measured(signal: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    magnitude = analyse_frames(signal.astype(np.float32), keep_magnitude=True).magnitude
    assert magnitude is not None
    return contrast.musical_contrast(contrast.binary_picture(magnitude), len(signal) / RATE)


def test_gray_levels_are_decibels() -> None:
    levels = np.array([[0, -20, -40, -59.5, -60.5, -80, -200]])
    gray = contrast.gray_picture((10 ** (levels / 20)).astype(np.float32))
    assert gray[0].tolist() == pytest.approx([255, 191, 127.5, 65, 62, 0, 0], abs=0.6)
    assert contrast.gray_picture(np.zeros((3, 4), np.float32)).tolist() == [[0] * 4] * 3


def test_the_steps_on_a_known_picture() -> None:
    """Two blocks with a gap of one point are one component after closing; a third stays apart."""
    magnitude = np.full((20, 30), 1e-5, np.float32)
    magnitude[5:10, 5:9] = magnitude[5:10, 10:14] = magnitude[5:10, 20:24] = 1
    found = contrast.musical_contrast(contrast.binary_picture(magnitude), 30)
    assert found["components"] == 2 and found["components_per_minute"] == 4
    assert found["dark_points"] == 600 - 5 * 9 - 5 * 4 and found["dark_ratio"] == pytest.approx(
        found["dark_points"] / 600
    )


def test_threshold_is_as_the_thesis_says() -> None:
    """Below 64 is black, 64 and above is white, wherever the gray picture lies on the scale of magnitudes."""
    rng = np.random.default_rng(0)
    for top in (1e-3, 1.0, 500.0):
        magnitude = (top * 10 ** rng.uniform(-5, 0, (200, 300))).astype(np.float32)
        gray = contrast.gray_picture(magnitude)
        assert 0.2 < (gray < contrast.THRESHOLD).mean() < 0.8
        white = contrast.binary_picture(magnitude)
        assert set(np.unique(white)) == {0, 255}
        assert np.count_nonzero((gray >= contrast.THRESHOLD) != (white > 0)) <= 1  # one may lie on the edge
    silence = np.zeros((8, 8), np.float32)
    assert not contrast.binary_picture(silence).any()


def test_direction_of_the_picture_does_not_matter() -> None:
    magnitude = np.random.default_rng(0).random((60, 80)).astype(np.float32) ** 12
    binary = contrast.binary_picture(magnitude)
    found = contrast.musical_contrast(binary, 1)
    assert contrast.musical_contrast(binary.T.copy(), 1) == found
    labels, _ = cv2.connectedComponents(contrast.close(binary), connectivity=8)
    assert found["components"] == labels - 1


def test_does_not_depend_on_length() -> None:
    short, long = measured(rhythms.render("funk", 100, 15)), measured(rhythms.render("funk", 100, 45))
    for name in ("components_per_minute", "dark_ratio"):
        assert long[name] == pytest.approx(short[name], rel=0.2)
    assert long["components"] > 2.5 * short["components"]


def test_a_drum_kit_is_more_eventful_than_a_tone() -> None:
    still = measured(tone(440, 15, RATE))
    assert (
        measured(rhythms.render("funk", 100, 15))["components_per_minute"]
        > 20 * still["components_per_minute"]
    )
    assert still["dark_ratio"] > 0.9
