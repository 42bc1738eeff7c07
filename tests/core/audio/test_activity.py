"""The noise gate: silence, leakage, single notes, quiet instruments, true stems."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio import activity
from core.audio.decode import decode
from core.audio.descriptors import Description, describe
from core.audio.types import RATE, STEMS
from tests.core.audio import rhythms
from tests.data import FUNK
from tests.make import tone

Floats = NDArray[np.float32]
SECONDS = 12


def true_stems(**changed: Floats) -> dict[str, Floats]:
    """Drums, bass and a piano chord in every second bar, as true stems at 22.05 kHz; `changed` replaces stems."""
    n = SECONDS * RATE
    on = (np.arange(n) // (3 * RATE)) % 2 == 0
    chord = sum(tone(hz, SECONDS, RATE, 0.08) for hz in (262, 330, 392, 523)) * on
    bass = sum(tone(110 * k, SECONDS, RATE, 0.2 / k) for k in (1, 2, 3))
    stems = {stem: np.zeros(n, np.float32) for stem in STEMS}
    stems |= {"drums": rhythms.render("rock", 110, SECONDS), "bass": bass, "piano": chord.astype(np.float32)}
    return stems | changed


def described(stems: dict[str, Floats], mix: Floats | None = None) -> Description:
    total = np.sum(list(stems.values()), axis=0) if mix is None else mix
    return describe({"mix": total, **stems}, RATE)


def shares(description: Description) -> dict[str, float]:
    return {stem: facts["activity"] for stem, facts in description.instruments.items()}


def test_true_stems() -> None:
    found = described(true_stems())
    assert shares(found) == pytest.approx(
        {"drums": 1, "bass": 1, "piano": 0.5, "vocals": 0, "guitar": 0, "other": 0}, abs=0.04
    )
    assert set(found.descriptors) == {"mix", "drums", "bass", "piano"}
    assert (
        found.activity_curve["piano"][5:20] == [1] * 15 and found.activity_curve["piano"][28:45] == [0] * 17
    )


@pytest.mark.parametrize("leakage_db", [-25, -15, -10])
def test_leakage_is_not_playing(leakage_db: float) -> None:
    """Every stem gets a share of the whole mix, as from a poor separator."""
    stems = true_stems()
    mix = np.sum(list(stems.values()), axis=0)
    gain = np.float32(10 ** (leakage_db / 20))
    leaky = {stem: signal + gain * (mix - signal) for stem, signal in stems.items()}
    found = described(leaky, mix)
    expected = {"drums": 1, "bass": 1, "piano": 0.5, "vocals": 0, "guitar": 0, "other": 0}
    assert shares(found) == pytest.approx(expected, abs=0.06)
    assert "vocals" not in found.descriptors


def test_a_quiet_instrument_plays() -> None:
    """A guitar 26 dB below the mix still sounds in bands of its own."""
    stems = true_stems()
    quiet = tone(1568, SECONDS, RATE, 1.0) + tone(2349, SECONDS, RATE, 0.5)
    rest = np.sqrt(np.mean(np.sum(list(stems.values()), axis=0) ** 2))
    quiet = (quiet * rest * 10 ** (-26 / 20) / np.sqrt(np.mean(quiet**2))).astype(np.float32)
    found = described(true_stems(guitar=quiet))
    assert shares(found)["guitar"] > 0.9
    assert found.instruments["guitar"]["level_db"] == pytest.approx(-26, abs=0.5)


def test_single_note() -> None:
    """One note of one second that dies away is about one second of playing."""
    n = SECONDS * RATE
    time = np.arange(n) / RATE
    note = (
        tone(880, SECONDS, RATE, 0.4) * ((time >= 4) & (time < 5)) * np.exp(-3 * np.maximum(time - 4, 0))
    ).astype(np.float32)
    found = described({stem: note if stem == "guitar" else np.zeros(n, np.float32) for stem in STEMS})
    assert shares(found)["guitar"] == pytest.approx(1 / SECONDS, abs=0.02)
    assert set(found.descriptors) == {"mix", "guitar"}


def test_a_click_is_too_short_to_describe() -> None:
    click = np.zeros(SECONDS * RATE, np.float32)
    click[3 * RATE : 3 * RATE + 200] = 0.5
    found = described(true_stems(other=click))
    assert shares(found)["other"] < 0.03 and "other" not in found.descriptors


def test_silence() -> None:
    found = described({stem: np.zeros(3 * RATE, np.float32) for stem in STEMS})
    assert set(shares(found).values()) == {0.0} and found.descriptors == {}
    assert found.tempo_bpm is None and found.key is None
    assert found.musical_contrast["dark_ratio"] == 1 and found.musical_contrast["components"] == 0
    assert {facts["level_db"] for facts in found.instruments.values()} == {activity.SILENT_DB}


def test_noise_floor_is_silence() -> None:
    hiss = np.random.default_rng(0).normal(0, 10 ** (-70 / 20), 5 * RATE).astype(np.float32)
    found = described(dict.fromkeys(STEMS, hiss / 6), hiss)
    assert set(shares(found).values()) == {0.0}


def test_curve_is_the_activity_in_slices() -> None:
    mask = np.random.default_rng(0).random(1234) > 0.3
    curve = activity.curve(mask, 100)
    assert len(curve) == 100 and np.mean(curve) == pytest.approx(mask.mean(), abs=1e-3)
    assert activity.curve(np.ones(7, bool)) == [1.0] * 100


def test_true_stems_of_a_real_song() -> None:
    """The five stems of a funk song against a plain level gate on each stem, with leakage at -15 dB in all of them."""
    names = {
        "drums": "drums",
        "bassguitar": "bass",
        "leadguitar": "guitar",
        "clav": "piano",
        "horns": "other",
    }
    stems = {stem: decode(FUNK / f"{name}.mp3").samples for name, stem in names.items()}
    mix = np.sum(list(stems.values()), axis=0)
    gain = np.float32(10 ** (-15 / 20))
    leaky = {stem: signal + gain * (mix - signal) for stem, signal in stems.items()} | {"vocals": gain * mix}
    found = shares(describe({"mix": mix, **leaky}, 44100))
    clean = shares(describe({"mix": mix, **stems}, 44100))
    assert found["vocals"] == 0
    for stem in names.values():
        assert found[stem] == pytest.approx(clean[stem], abs=0.05) and clean[stem] > 0.7


def test_stems_of_another_length_are_fitted() -> None:
    stems = true_stems()
    mix = np.sum(list(stems.values()), axis=0)
    uneven = stems | {"drums": stems["drums"][:-700], "bass": np.pad(stems["bass"], (0, 5000))}
    assert shares(described(uneven, mix)) == pytest.approx(shares(described(stems, mix)), abs=0.01)
