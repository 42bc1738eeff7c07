"""Clips from folders and zips."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from core.errors import UserError
from core.separation.registry import load_separator
from research.training.clips import FONTS, analyse_clips, find_clips, font
from research.training.midi import Part, write_midi
from tests.machine import SOUNDFONT, needs_fluidsynth


def piano(velocity: int) -> bytes:
    notes = [(0.25 * i, 0.25 * i + 0.2, 60 + (i * 4) % 12, velocity) for i in range(16)]
    return write_midi([Part("piano", 0, "piano", notes)])


def test_clips_are_found_in_folders_and_zips_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("Q1_a_0.mid", "Q4_b_1.wav", "notes.txt", "Q9_c_0.mid"):
        (tmp_path / name).write_bytes(b"x")
    assert [clip.name for clip, _, _ in find_clips(tmp_path)] == ["Q1_a_0", "Q4_b_1"]
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("midis/Q2_d_0.mid", piano(80))
        archive.writestr("readme.md", "x")
    [(clip, path, member)] = find_clips(tmp_path / "clips.zip")
    assert (clip.quadrant, path.name, member) == (2, "clips.zip", "midis/Q2_d_0.mid")
    for empty in (tmp_path / "nothing", tmp_path / "notes.txt"):
        with pytest.raises(UserError, match="named like"):
            find_clips(empty)


def test_a_soundfont_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"missing\.sf2"):
        font(tmp_path / "missing.sf2")
    monkeypatch.setattr("research.training.clips.FONTS", ())
    with pytest.raises(UserError, match="fluid-soundfont-gm"):
        font(None)
    assert all(path.suffix in (".sf2", ".sf3") for path in FONTS)


@needs_fluidsynth
def test_a_clip_is_rendered_as_it_is_played_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "clips.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("Q1_loud_0.mid", piano(120))
        archive.writestr("Q4_soft_0.mid", piano(30))
    found, separator, kept = find_clips(source), load_separator("none"), tmp_path / "cache"
    loud, soft = analyse_clips(found, separator, SOUNDFONT, kept)
    assert loud.features()["mix.loudness"] > soft.features()["mix.loudness"] + 6
    assert 4 < loud.duration_s < 7
    monkeypatch.setattr("research.training.clips.synthesise", None)
    assert analyse_clips(found, separator, SOUNDFONT, kept) == [loud, soft]
