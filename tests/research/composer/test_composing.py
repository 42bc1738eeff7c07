"""Composing: the same pieces every time, well formed, and written as the manifest says."""

import io
import itertools
from dataclasses import replace

import mido
import numpy as np
import pytest
import soundfile

from core.library.samples import manifest
from research.composer import mixing
from research.composer import render_samples as render
from research.composer.pieces import PIECES
from research.composer.score import Piece, midi
from research.composer.theory import chord, pitch, progression, voice
from research.composer.writing import melody
from tests.machine import SOUNDFONT, needs_fluidsynth

COMPOSED = [compose() for compose in PIECES]
pieces = pytest.mark.parametrize("piece", COMPOSED, ids=lambda piece: piece.slug)


def read(piece: Piece) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(midi(piece)))


def test_composing_is_deterministic():
    again = [compose() for compose in reversed(PIECES)][::-1]
    assert [midi(piece) for piece in again] == [midi(piece) for piece in COMPOSED]


def test_every_piece_says_what_it_wants_to_express():
    assert all(compose.__doc__ and len(compose.__doc__) > 40 for compose in PIECES)


@pytest.mark.parametrize(
    ("piece", "entry"), list(zip(COMPOSED, manifest(), strict=True)), ids=lambda x: getattr(x, "slug", "")
)
def test_score_and_manifest_agree(piece, entry):
    assert entry.file.endswith(f"-{piece.slug}.ogg")
    tempo = next(message for message in read(piece).tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(entry.tempo_bpm, abs=0.01)
    stems = {part.stem for part in piece.parts if any(note.velocity > 0 for note in part.notes)}
    assert stems == set(entry.instruments)
    assert (entry.key, entry.mode) == (piece.key, piece.mode)


@pieces
def test_notes_are_playable(piece):
    for part in piece.parts:
        assert part.notes
        assert all(
            n.length > 0 and 21 <= n.pitch <= 108 and 1 <= n.velocity <= 127 and n.start >= 0
            for n in part.notes
        )
    opened: dict[tuple[int, int], int] = {}
    for track in read(piece).tracks:
        for message in track:
            if message.type == "note_on":
                key = message.channel, message.note
                assert opened.get(key, 0) == 0, f"note {key} struck while it still sounds"
                opened[key] = 1
            elif message.type == "note_off":
                opened[message.channel, message.note] = 0
    assert not any(opened.values())


def tones(piece: Piece) -> list[tuple[float, float, int]]:
    return sorted(
        (n.start, n.start + n.length, n.pitch) for p in piece.parts if not p.is_kit for n in p.notes
    )


@pieces
def test_harmony_is_consonant_but_where_it_is_meant(piece):
    """Half steps and minor ninths that last are a wrong note; jazz and film noir use them on purpose, sparingly."""
    notes = tones(piece)
    clash = 0.0
    for index, (start, end, low) in enumerate(notes):
        for other, stop, high in itertools.takewhile(lambda n, end=end: n[0] < end, notes[index + 1 :]):
            overlap = min(end, stop) - max(start, other)
            if abs(low - high) in (1, 13) and overlap >= 0.5:
                clash += overlap
    assert clash / notes[-1][1] < 0.45


@pieces
def test_ends_at_home(piece):
    """The lowest tone that sounds at the end is the tonic."""
    end = max(stop for _, stop, _ in tones(piece))
    final = [tone for _, stop, tone in tones(piece) if stop > end - 1.7]
    assert min(final) % 12 == pitch(f"{piece.key}0") % 12


def test_voices_move_little_and_not_in_parallel_fifths():
    changes = progression("C | Am | F | G7 | Em | A7 | Dm | G7 | C")
    voiced = voice(changes, "C3", "C5", 4)
    for before, after in itertools.pairwise(voiced):
        assert sum(abs(a - b) for a, b in zip(before, after, strict=True)) <= 14
        for i, j in itertools.combinations(range(4), 2):
            if before[i] != after[i] and (before[j] - before[i]) % 12 == 7:
                assert (after[j] - after[i]) % 12 != 7
    for change, tones_ in zip(changes, voiced, strict=True):
        assert {t % 12 for t in tones_} <= set(change.chord.classes)
        assert change.chord.root in {t % 12 for t in tones_}


def test_symbols_are_read_as_musicians_read_them():
    assert chord("Bbm7/Db").classes == (10, 1, 5, 8)
    assert chord("Bbm7/Db").bass == 1
    notes = melody("q. C4 e D4! | h E4+G4 |", bar=2)
    assert [(n.start, n.pitch) for n in notes] == [(0, 60), (1.5, 62), (2, 64), (2, 67)]
    assert notes[1].velocity > notes[0].velocity


@pytest.mark.parametrize("wrong", ["q C4 |", "q C4 H5 D4 E4 |"])
def test_slips_of_the_pen_are_errors(wrong):
    with pytest.raises(ValueError):
        melody(wrong)


def test_loudness_follows_the_standard():
    """ITU-R BS.1770: a full-scale 997 Hz sine on one channel reads -3.01 LUFS."""
    sine = np.sin(2 * np.pi * 997 * np.arange(44_100 * 5) / 44_100)
    assert mixing.loudness(np.stack([sine, 0 * sine], axis=1)) == pytest.approx(-3.01, abs=0.05)
    quarter = np.sin(2 * np.pi * 11_025 * np.arange(44_100) / 44_100 + np.pi / 4)  # no sample on a peak
    assert mixing.true_peak(np.stack([quarter, quarter], axis=1)) == pytest.approx(0, abs=0.3)
    loud = mixing.limit(np.stack([sine, sine], axis=1) * 2, -1.5)
    assert np.abs(loud).max() <= 10 ** (-1.5 / 20) + 1e-6


@needs_fluidsynth
def test_stems_render_apart_and_add_up(tmp_path, monkeypatch):
    monkeypatch.setenv("MOODSTEM_SOUNDFONT", str(SOUNDFONT))
    whole = next(p for p in COMPOSED if p.slug == "letters-from-trieste")
    parts = [replace(part, notes=[n for n in part.notes if n.start < 6]) for part in whole.parts]
    piece = replace(whole, parts=[part for part in parts if part.notes], tempi=())
    sums = render.stems(piece)
    assert set(sums) == set(piece.stems)
    render.write_stems(tmp_path, piece, sums)
    read_back = {stem: soundfile.read(tmp_path / piece.slug / f"{stem}.ogg")[0] for stem in render.STEMS}
    assert np.abs(read_back["drums"]).max() == 0
    mix = sum(read_back.values())
    true = np.sum(list(sums.values()), axis=0)[: len(mix)]
    gain = (mix * true).sum() / (true**2).sum()
    error = mix - gain * true
    assert 10 * np.log10((mix**2).sum() / (error**2).sum()) > 15  # what the coder leaves
    assert np.abs(mix).max() < 1
