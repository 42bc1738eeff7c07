"""The guess at a file's length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.length import probable_seconds
from core.library.samples import manifest


@pytest.mark.parametrize(("name", "within"), [("a.wav", 0.01), ("a.flac", 0.0)])
def test_headers_say_it(tmp_path: Path, name: str, within: float) -> None:
    soundfile.write(tmp_path / name, np.zeros((22_050 * 7, 2)), 22_050)
    assert probable_seconds(tmp_path / name) == pytest.approx(7, rel=within)


def test_compressed_files_are_guessed(tmp_path: Path) -> None:
    sample = manifest()[0].path
    seconds = soundfile.info(sample).duration
    assert seconds / 4 < probable_seconds(sample) < seconds * 4


@pytest.mark.parametrize(
    "head", [b"", b"RIFF", b"fLaC", b"RIFF" + bytes(60), b"fLaC" + bytes(60), b"\xff" * 64]
)
def test_nonsense_is_a_second_at_least(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "x").write_bytes(head)
    assert 1 <= probable_seconds(tmp_path / "x") <= 86_400


def test_a_header_that_claims_little_is_not_believed(tmp_path: Path) -> None:
    """Of 15 MB of comments in a FLAC file with two seconds of sound the queue expects more than two seconds of work."""
    soundfile.write(tmp_path / "a.flac", np.zeros(88_200), 44_100)
    with (tmp_path / "a.flac").open("ab") as file:
        file.write(bytes(15_600_000))
    assert probable_seconds(tmp_path / "a.flac") > 60
