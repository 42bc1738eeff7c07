"""Mutated files: the caller always gets samples or a sentence, nothing hangs, memory stays within its limit.

MOODSTEM_TEST_MUTATIONS sets the number of mutations for each kind of file (default 40; the long form is 1000 and takes some
minutes). A decoder that dies of one is contained in its process: the count is printed, and the caller has its sentence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot.words.say import say
from core.audio import decoder_child
from core.audio.decode import decode
from core.errors import UserError
from tests.core.audio.fuzz_worker import mutate
from tests.core.audio.recordings import AV_KINDS, SOUNDFILE_KINDS, encode, write

MUTATIONS = int(os.environ.get("MOODSTEM_TEST_MUTATIONS", "40"))
WORKER = Path(__file__).with_name("fuzz_worker.py")
CHILD = Path(decoder_child.__file__)
DEMUXERS = {"adts": "aac", "mp4": "mov", "webm": "matroska"}


def make(kind: str, folder: Path) -> tuple[Path, str]:
    """A valid file of that kind, and the demuxer that `decode` would force ('' is libsndfile)."""
    if kind in SOUNDFILE_KINDS:
        how = dict(SOUNDFILE_KINDS[kind])
        how.pop("suffix")
        rate = 48000 if kind == "opus" else 44100
        how.setdefault("format", "WAV")
        return write(folder / "valid", rate=rate, **how), "wav" if kind == "wav-adpcm" else ""
    container, codec, video = AV_KINDS[kind]
    path = encode(folder / "valid", container, codec, 48000 if codec == "libopus" else 44100, video)
    return path, DEMUXERS.get(container, container)


def decode_all(path: Path, form: str, count: int) -> tuple[int, int, list[int]]:
    """(answers with samples, refusals, numbers of the mutations that ended the process)."""
    good = refused = first = 0
    fatal: list[int] = []
    while first < count:
        order = [
            sys.executable,
            "-I",
            str(WORKER),
            str(path),
            form,
            str(first),
            str(count),
            str(CHILD),
        ]
        done = subprocess.run(
            order, capture_output=True, text=True, timeout=600, env={"OPENBLAS_NUM_THREADS": "1"}
        )
        lines = done.stdout.splitlines()
        answers = [json.loads(line) for line in lines if line.startswith("{")]
        for answer in answers:
            good, refused = good + ("error" not in answer), refused + ("error" in answer)
            assert "error" in answer or answer["frames"] <= 31 * 192000
        if done.returncode == 0:
            assert int(lines[-1].split()[1]) < 900
            break
        numbers = [int(line) for line in lines if line.isdigit()]
        assert done.returncode != -14, f"mutation {numbers[-1] if numbers else '?'} of {path} hangs"
        assert done.returncode < 0 and numbers, done.stderr
        fatal.append(numbers[-1])
        first = numbers[-1] + 1
    return good, refused, fatal


@pytest.mark.parametrize("kind", [*SOUNDFILE_KINDS, *AV_KINDS])
def test_mutations(kind: str, tmp_path: Path) -> None:
    path, form = make(kind, tmp_path)
    count = MUTATIONS if form == "" or MUTATIONS > 40 else MUTATIONS // 2
    good, refused, fatal = decode_all(path, form, count)
    print(
        f"{kind}: {count} mutations, {good} with samples, {refused} refused, {len(fatal)} ended their process"
    )
    assert good + refused + len(fatal) == count
    content = path.read_bytes()
    for number in fatal[:3]:  # what kills a decoder is one clear sentence for the caller
        (tmp_path / "fatal").write_bytes(mutate(content, number))
        with pytest.raises(UserError):
            decode(tmp_path / "fatal")


@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3", "vorbis", "m4a", "mkv-vorbis"])
def test_mutations_through_the_whole_way(kind: str, tmp_path: Path) -> None:
    content = make(kind, tmp_path)[0].read_bytes()
    for number in range(10_000, 10_000 + max(2, MUTATIONS // 20)):
        (tmp_path / "mutated").write_bytes(mutate(content, number))
        try:
            audio = decode(tmp_path / "mutated")
        except UserError as error:
            assert say(error).endswith(".") and "\n" not in say(error)
        else:
            assert audio.samples.shape[0] == 2 and audio.samples.shape[1] >= 44000
            assert np.isfinite(audio.samples).all() and np.abs(audio.samples).max() < 10
