"""Rendering and training on a small scale: the same code as the real thing, a few notes and steps."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.types import STEMS
from core.errors import UserError
from core.separation.bands import BANDS
from core.separation.base import Cancelled
from research.training.midi import busiest_window, read_parts, stem_of_program, write_midi
from research.training.remixing import FRAMES, SAMPLES, Mixer
from research.training.render import main as render
from research.training.render import split_of
from research.training.singer import sing, speak
from research.training.train_unet import Schedule, separation_loss, train
from tests.machine import SOUNDFONT, needs_fluidsynth

pytestmark = pytest.mark.slow

RATE = 44_100


def midi_song() -> bytes:
    """Drums, bass, piano, strings and a flute melody, 12 s at 120 beats a minute."""
    import mido

    file = mido.MidiFile(ticks_per_beat=480)
    lines = (
        ("Drums", 9, 0, 36),
        ("Bass", 1, 33, 40),
        ("Keys", 2, 0, 60),
        ("Strings", 3, 48, 67),
        ("Melody", 4, 73, 72),
    )
    for name, channel, program, note in lines:
        track = mido.MidiTrack()
        track.append(mido.MetaMessage("track_name", name=name))
        track.append(mido.Message("program_change", channel=channel, program=program))
        for step in range(24):
            pitch = note + (step % 5 if channel != 9 else 2 * (step % 2))
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=480))
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short songs of noise bursts and tones, as `render` writes them."""
    folder = tmp_path_factory.mktemp("stems")
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLES + RATE) / RATE
    for number in range(2):
        drums = rng.normal(0, 6000, len(time)) * np.exp(-(time % 0.5) / 0.05)
        bass = 9000 * np.sin(2 * np.pi * (50 + 10 * number) * time)
        panned = np.array([[[1.0], [1.0]], [[0.5], [1.0]]])
        np.save(folder / f"{number}.npy", (panned * np.stack([drums, bass])[:, None]).astype(np.int16))
        with (folder / "index.jsonl").open("a") as index:
            print(
                json.dumps({"file": f"{number}.npy", "song": str(number), "stems": ["drums", "bass"]}),
                file=index,
            )
    return folder


def test_programs_become_stems() -> None:
    expected = {
        0: "piano",
        25: "guitar",
        33: "bass",
        52: "vocals",
        48: "other",
        56: "other",
        116: "drums",
        122: None,
    }
    assert {program: stem_of_program(program) for program in expected} == expected


def test_parts_of_a_song() -> None:
    parts = read_parts(midi_song())
    assert [part.stem for part in parts] == ["drums", "bass", "piano", "other", "vocals"]
    assert parts[1].notes[1][:3] == pytest.approx((0.5, 1.0, 41), abs=1e-3)
    assert busiest_window(parts, 40) == 0


def test_written_midi_reads_back() -> None:
    parts = read_parts(midi_song())
    again = read_parts(write_midi([parts[1]], transpose=2))
    assert [round(note[0], 3) for note in again[0].notes] == [round(note[0], 3) for note in parts[1].notes]
    assert {b[2] - a[2] for a, b in zip(parts[1].notes, again[0].notes, strict=True)} == {2}


@pytest.mark.parametrize(
    "data", [b"", b"MThd", b"not a song at all", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk"]
)
def test_what_is_no_midi_file_is_refused_or_empty(data: bytes) -> None:
    try:
        assert read_parts(data) == []
    except UserError as error:
        assert "MIDI" in str(error)


def test_a_key_that_does_not_exist_makes_a_file_unreadable_and_no_more() -> None:
    """One of the 504 files claims a key of 161; the other 503 are to be rendered all the same."""
    data = midi_song()
    assert b"MTrk" in data
    end = data.index(b"MTrk") + 8
    length = int.from_bytes(data[end - 4 : end], "big")
    key = b"\x00\xff\x59\x02\x02\xa1"
    broken = data[: end - 4] + (length + len(key)).to_bytes(4, "big") + key + data[end:]
    with pytest.raises(UserError, match="not a readable MIDI file"):
        read_parts(broken)


def test_versions_of_a_song_stay_on_one_side() -> None:
    assert split_of("ALL MY FELLAS - Frizk.mid") == split_of("ALL MY FELLAS _ Remastered & Finished _.mid")
    assert {split_of(f"{n} song.mid") for n in range(200)} == {"train", "test"}


def test_the_singer_sings_in_tune_and_repeats() -> None:
    notes = [(0.0, 1.5, 69, 100)]
    voice = sing(notes, 2.0, RATE, np.random.default_rng(1), words=False)
    assert np.array_equal(voice, sing(notes, 2.0, RATE, np.random.default_rng(1), words=False))
    middle = voice[RATE // 2 : RATE + RATE // 2] * np.hanning(RATE)
    power = np.abs(np.fft.rfft(middle)) ** 2
    partials = sum(power[k * 440 - 30 : k * 440 + 30].sum() for k in range(1, 20))
    assert partials > 0.9 * power.sum()
    assert np.abs(voice[int(1.8 * RATE) :]).max() < 0.01
    assert 0.05 < np.abs(speak(3.0, RATE, np.random.default_rng(2))).max() <= 0.5


def test_examples_are_mixes_with_their_ideal_masks(stems: Path) -> None:
    one, same = Mixer(stems, 5), Mixer(stems, 5)
    for _ in range(4):
        seen, power, masks = one.example()
        assert np.array_equal(seen, same.example()[0])
        assert seen.shape == (3, BANDS, FRAMES) and power.shape == (2, BANDS, FRAMES) == masks.shape[1:]
        assert np.isfinite(seen).all() and len(masks) == len(STEMS) and masks.min() >= 0 and masks.max() <= 1
        heard = [stem for stem, mask in zip(STEMS, masks, strict=True) if mask.any()]
        assert set(heard) <= {"drums", "bass", "vocals"}  # vocals: the speaker may stand in


def test_stems_lie_between_the_loudspeakers_and_every_fifth_mix_is_mono(stems: Path) -> None:
    mixer = Mixer(stems, 3)
    places = np.stack([mixer.example()[0][1:] for _ in range(30)])
    mono = [not place.any() for place in places]
    assert 2 <= sum(mono) <= 14
    balance = places[~np.array(mono), 0]
    assert -1 <= balance.min() < -0.3 and 0.3 < balance.max() <= 1


def test_loss_prefers_the_truth_and_dislikes_giving_all_to_one_stem() -> None:
    import torch

    torch.manual_seed(0)
    power = torch.rand(2, 2, 8, 10)
    ideal = torch.softmax(4 * torch.randn(2, 6, 2, 8, 10), 1)
    greedy = torch.zeros_like(ideal)
    greedy[:, 0] = 1
    even = torch.full_like(ideal, 1 / 6)
    losses = [float(separation_loss(masks, power, ideal)) for masks in (ideal, even, greedy)]
    assert losses == sorted(losses) and losses[0] < 0.05


def test_learning_rate_warms_up_and_ends_near_zero() -> None:
    schedule = Schedule(steps=1000, minutes=10)
    assert schedule.learning_rate(0, 0) < schedule.learning_rate(59, 0) == schedule.rate
    assert schedule.learning_rate(999, 0) < 0.05 * schedule.rate
    assert schedule.learning_rate(100, 599) < 0.05 * schedule.rate


def test_training_resumes_and_its_weights_separate(stems: Path, tmp_path: Path) -> None:
    from core.separation.unet import load_unet

    weights = train("moodstem", stems, tmp_path, validation=None, steps=2, batch=2, workers=0)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2]
    seen: list[float] = []
    assert train("moodstem", stems, tmp_path, steps=3, batch=2, workers=0, progress=seen.append) == weights
    assert seen[0] == pytest.approx(2 / 3) and seen[-1] == 1.0
    assert (tmp_path / "curve.png").stat().st_size > 1000
    stereo = np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype(np.float32)
    assert set(load_unet(weights=weights).separate(stereo)) == set(STEMS)


def test_training_can_be_cancelled_and_needs_data(stems: Path, tmp_path: Path) -> None:
    def stop(done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        train("moodstem", stems, tmp_path, steps=2, batch=2, workers=0, progress=stop)
    with pytest.raises(UserError, match=r"research\.training\.render"):
        train("moodstem", tmp_path / "nothing", tmp_path, steps=1, workers=0)
    with pytest.raises(UserError, match="choose one of"):
        train("other", stems, tmp_path)


def test_the_documents_preset_trains(stems: Path, tmp_path: Path) -> None:
    from research.training.deepmelody import picture, train_deepmelody
    from research.training.remixing import read_index

    gray, masks, weights = picture(read_index(stems)[0])
    assert gray.shape == (1, 512, 512) and gray.min() >= 0 and gray.max() <= 1
    assert masks.shape == (5, 512, 512) and weights[3] > 0 and weights[0] == 0
    path = train_deepmelody(stems, tmp_path, validation=stems, epochs=1, base=2)
    row = json.loads((tmp_path / "log.jsonl").read_text())
    assert path.exists() and row["loss"] > 0 and row["validation"] > 0
    # On the very clips that they were taken from, constants are no worse than the network's beginning.
    assert 0 < row["constant"] <= row["validation"]


def test_constant_masks_are_the_best_constants() -> None:
    import torch

    from research.training.deepmelody import constant_masks, weighted_loss

    rng = np.random.default_rng(1)
    examples = [
        (np.zeros((1, 8, 8)), rng.random((5, 8, 8)).astype(np.float32), rng.random(5).astype(np.float32))
        for _ in range(6)
    ]

    def loss(masks: Any) -> float:
        one = torch.from_numpy(masks)
        return sum(
            float(weighted_loss(one, torch.from_numpy(y)[None], torch.from_numpy(w)[None]))
            for _, y, w in examples
        )

    best = constant_masks(examples)
    assert all(
        loss(best) < loss(best + step) for step in rng.normal(0, 0.05, (20, 5, 1, 1)).astype(np.float32)
    )


@needs_fluidsynth
def test_rendering_gives_stems_that_differ(tmp_path: Path) -> None:
    import soundfile

    names = [f"{n}.mid" for n in range(60)]
    train_name, test_name = (next(n for n in names if split_of(n) == split) for split in ("train", "test"))
    with zipfile.ZipFile(tmp_path / "midi.zip", "w") as archive:
        archive.writestr(train_name, midi_song())
        archive.writestr(test_name, midi_song())
        archive.writestr("broken.mid", b"nothing")
    arguments: list[Any] = [tmp_path / "midi.zip", tmp_path / "out", "--font", SOUNDFONT, "--seconds", "8"]
    render([str(argument) for argument in arguments])
    rows = [json.loads(line) for line in (tmp_path / "out/index.jsonl").read_text().splitlines()]
    assert [row["song"] for row in rows] == [train_name]
    pcm = np.load(tmp_path / "out" / rows[0]["file"])
    assert pcm.shape == (5, 2, 8 * RATE) and rows[0]["stems"] == ["drums", "bass", "vocals", "piano", "other"]
    assert np.abs(np.corrcoef(pcm.mean(axis=1)) - np.eye(5)).max() < 0.5
    arguments[1] = tmp_path / "eval"
    render([*(str(argument) for argument in arguments), "--split", "test", "--flac"])
    (folder,) = (path for path in (tmp_path / "eval").iterdir() if path.is_dir())
    assert soundfile.info(folder / "drums.flac").duration == pytest.approx(8)
