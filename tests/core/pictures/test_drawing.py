"""Drawing in a child: what goes wrong is one sentence, and nothing is left behind."""

from __future__ import annotations

import asyncio
import queue
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.words.pictures import details_words
from core.library.samples import manifest
from core.pictures import drawing
from tests.core.pictures.test_spectrograms import six_stems
from tests.refusals import refusal

WORDS = details_words(six_stems(), 3)


async def drawn(audio: Path | None, words: Mapping[str, str] = WORDS) -> dict[str, bytes]:
    return await drawing.draw_details(
        six_stems(), {"mix.tempo": 0.5}, title="A", words=words, audio=audio, max_seconds=60
    )


async def test_unreadable_audio_leaves_the_profile(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Dear listener")
    assert set(await drawn(tmp_path / "a")) == {"profile"}


async def test_a_child_that_fails_is_one_sentence() -> None:
    with refusal("could not be drawn"):
        await drawn(manifest()[0].path, words={})


async def test_a_cancelled_drawing_takes_its_child_along(monkeypatch: pytest.MonkeyPatch) -> None:
    started: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
    start = subprocess.Popen

    def remember(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        child = start(*arguments, **options)
        started.put(child)
        return child

    monkeypatch.setattr(subprocess, "Popen", remember)
    drawing = asyncio.create_task(drawn(manifest()[0].path))
    child = await asyncio.to_thread(started.get)
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert await asyncio.to_thread(child.wait) == -signal.SIGKILL


async def test_too_slow_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONGEST_S", 0.0)
    with refusal("too long just now"):
        await drawn(None)
