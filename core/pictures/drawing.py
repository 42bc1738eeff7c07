"""Pictures that are drawn when somebody asks, in a process of its own, and kept nowhere on disk.

The bot's process has the library, but must load nothing that computes or draws; the worker draws, but has no library.
So each of these functions starts core.pictures.child, which gets one JSON document on standard input and answers with
one: {name: PNG in base64}. All raise UserError when it fails; a cancelled call takes the child along.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.audio.types import SOURCES
from core.audio.vocabulary import compared, scales
from core.errors import Refusal
from core.track_analysis import TrackAnalysis

log = logging.getLogger(__name__)

LONGEST_S = 90.0


def profile_features() -> tuple[str, ...]:
    """Return the features whose percentiles `draw_details` shows."""
    return (
        *(f"{source}.{name}" for source in SOURCES for name in compared()),
        *(f"mix.{name}" for name in scales()),
    )


async def draw_details(
    analysis: TrackAnalysis,
    percentiles: Mapping[str, float],
    *,
    title: str,
    words: Mapping[str, str],
    audio: Path | None,
    max_seconds: float,
) -> dict[str, bytes]:
    """Return PNGs by name: `profile` always, `contrast` and `chroma` when the `audio` can be read.

    `percentiles` are those of `profile_features`, `words` those of bot.words.pictures. Takes two to five seconds.
    """
    return await _draw(
        "details",
        analysis=analysis.to_json(),
        percentiles=dict(percentiles),
        title=title,
        words=dict(words),
        audio=str(audio) if audio else None,
        max_seconds=max_seconds,
    )


async def draw_comparison(
    tracks: Sequence[tuple[str, TrackAnalysis, Path | None]],
    parts: Sequence[tuple[str, str, str, float, str]],
    words: Mapping[str, str],
    max_seconds: float,
) -> bytes:
    """Return a PNG of two tracks, each (title, analysis, audio where it is kept), beside each other.

    See core.pictures.comparison for `parts`.
    """
    sides = [
        {"title": title, "analysis": analysis.to_json(), "audio": str(audio) if audio else None}
        for title, analysis, audio in tracks
    ]
    made = await _draw(
        "comparison",
        tracks=sides,
        parts=[list(part) for part in parts],
        words=dict(words),
        max_seconds=max_seconds,
    )
    return made["comparison"]


async def draw_journey(drawn: Mapping[str, object], words: Mapping[str, str]) -> bytes:
    """Return a PNG of what core.recommend.journey.drawn gives."""
    return (await _draw("journey", drawn=dict(drawn), words=dict(words)))["journey"]


async def draw_map(drawn: Mapping[str, object], words: Mapping[str, str]) -> bytes:
    """Return a PNG of what core.recommend.music_map.drawn gives."""
    return (await _draw("map", drawn=dict(drawn), words=dict(words)))["map"]


async def _draw(kind: str, **order: object) -> dict[str, bytes]:
    """PNGs by name from a child process."""
    given_up = threading.Event()
    document = json.dumps({**order, "kind": kind}).encode()
    try:
        out = await asyncio.to_thread(run_child, document, given_up)
    finally:
        given_up.set()
    return {name: base64.b64decode(content) for name, content in json.loads(out).items()}


def run_child(order: bytes, given_up: threading.Event) -> bytes:
    """The child's answer; it is killed when it takes too long, or nobody waits any more."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.pictures.child"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
        )
        try:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin:
                child.stdin.write(order)
            deadline = time.monotonic() + LONGEST_S
            while child.poll() is None and not given_up.wait(0.02):
                if time.monotonic() > deadline:
                    raise Refusal("drawing-slow")
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode != 0:
            errors.seek(0)
            log.error("drawing failed: %s", errors.read()[-2000:].decode(errors="replace"))
            raise Refusal("drawing-failed")
        out.seek(0)
        return out.read()
