"""The learnt gate: what it sees, that it is fitted to what is true, and what it says of songs that nobody rendered."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio.activity import sounding, stem_activity
from core.audio.detector import LOWEST_DB, VIEWS, Detector, levels, seen
from core.audio.spectrum import analyse_frames
from core.audio.types import FRAME_RATE, STEMS
from core.separation.unet import load_unet
from research.training.gate import Heard, errors, fit, left_out
from tests.core.audio.test_activity import true_stems


def test_levels_are_those_against_the_mix() -> None:
    mel = {
        "drums": np.array([[1.0], [0.0]], np.float32),
        "bass": np.array([[0.5], [1.0]], np.float32),
        "piano": np.zeros((2, 1), np.float32),
    }
    found = 20 * (levels(mel, np.array([[1.5], [1.0]], np.float32)) - 1)
    drums_6, bass_6, _, drums_2, bass_2, piano_2, drums, bass, piano = found[0]
    assert drums_6 == pytest.approx(10 * np.log10(1 / 2.5), abs=1e-3) == drums_2
    # -3 dB below the drums in the low band: held within 6 dB of them, not within 2.
    assert bass_6 == pytest.approx(10 * np.log10(1.5 / 2.5), abs=1e-3)
    assert bass_2 == pytest.approx(10 * np.log10(1 / 2.5), abs=1e-3)
    assert (drums, bass) == pytest.approx((10 * np.log10(1 / 2.5), 10 * np.log10(1.5 / 2.5)), abs=1e-3)
    assert piano == pytest.approx(LOWEST_DB, abs=1e-3) and np.isfinite(piano_2)


def test_views_are_the_frame_its_neighbourhood_and_the_song() -> None:
    count = int(20 * FRAME_RATE)
    one = np.zeros((count, 1), np.float32)
    one[count // 2 :] = 1
    itself, second, four, median, high = seen(one)
    assert len(seen(one)) == VIEWS and itself is one
    middle = count // 2
    assert second[middle - 1, 0] == pytest.approx(0.5, abs=0.03)
    for view, seconds in ((second, 1.0), (four, 4.0)):
        half = int(seconds * FRAME_RATE / 2) + 2
        assert view[middle - half, 0] == 0 and view[middle + half, 0] == pytest.approx(1)
    assert median.shape == high.shape == (1, 1) and high[0, 0] == 1


def noise_song(number: int) -> Heard:
    """A song of noise in which a stem sounds where its first level is above the mean of the others'."""
    rng = np.random.default_rng(number)
    view = np.repeat(rng.normal(0, 1, (40, 3 * len(STEMS))), 50, axis=0).astype(np.float32)
    own = view[:, : len(STEMS)]
    truth = own > own.mean(axis=1, keepdims=True)
    everything = np.concatenate([np.broadcast_to(part, view.shape) for part in seen(view)], axis=1)
    return Heard(f"song {number}", everything, truth, np.ones_like(truth))


def test_what_depends_on_the_other_stems_is_learnt() -> None:
    songs = [noise_song(number) for number in range(12)]
    held_out = left_out(songs, 0.001)
    assert held_out.shape == (12, len(STEMS)) and held_out.mean() < 0.04
    guess = np.zeros_like(fit(songs, 0.001)[0]), np.zeros(len(STEMS), np.float32)
    assert errors(songs, guess).mean() > 0.3  # a detector that knows nothing


def test_a_song_rendered_twice_is_left_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from research.training import gate

    fitted: list[set[str]] = []
    real = gate.fit

    def watched(songs: list[Heard], penalty: float) -> gate.Weights:
        fitted.append({song.song for song in songs})
        return real(songs, penalty)

    monkeypatch.setattr(gate, "fit", watched)
    songs = [noise_song(number) for number in range(8)]
    left_out([*songs, *songs], 0.1)
    assert [len(names) for names in fitted] == [6] * 4


def described(stems: dict[str, NDArray[np.float32]]) -> tuple[Detector, dict[str, float]]:
    detector = load_unet().gate
    assert isinstance(detector, Detector)
    frames = {stem: analyse_frames(audio) for stem, audio in stems.items()}
    mix = analyse_frames(np.sum(list(stems.values()), axis=0))
    masks = stem_activity(
        {stem: one.power_mel for stem, one in frames.items()},
        {stem: one.rms for stem, one in frames.items()},
        mix.power_mel,
        detector,
    )
    return detector, {stem: float(mask.mean()) for stem, mask in masks.items()}


def test_the_shipped_detector_on_true_stems() -> None:
    """It learnt from leaking stems; where nothing leaks it must tell the same instruments."""
    shares = described(true_stems())[1]
    assert shares["drums"] > 0.9 and shares["bass"] > 0.9 and shares["piano"] > 0.3
    assert max(shares[stem] for stem in ("vocals", "guitar", "other")) < 0.05


def test_nothing_to_hear_is_nothing_whatever_is_usual() -> None:
    """A detector that has learnt that a piano is nearly always there, and a song without any."""
    usual = Detector(
        ("drums", "piano"), np.zeros((VIEWS, 6, 2), np.float32), np.array([5.0, 5.0], np.float32)
    )
    drums = np.full((4, 9), 1.0, np.float32)
    found = usual.sounds({"drums": drums, "piano": drums * np.float32(1e-5)}, drums)
    assert found["drums"].all() and not found["piano"].any()


def test_digital_silence_never_sounds() -> None:
    silence = {stem: np.zeros(66_150, np.float32) for stem in STEMS}
    assert set(described(silence)[1].values()) == {0.0}
    assert not sounding(np.zeros(5, np.float32)).any()
