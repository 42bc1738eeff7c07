"""The pictures behind a track's "Details": drawn when somebody asks, in a process of its own, kept nowhere on disk.

The bot's process has the library and so the percentiles, but must load nothing that computes or draws; the worker
draws, but has no library. `draw` therefore starts this module as a child, which gets one JSON document on standard
input and answers with one: {"profile", "contrast", "chroma"}, each a PNG in base64.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.i18n import speak, spoken

if TYPE_CHECKING:
    from core.track_analysis import TrackAnalysis

log = logging.getLogger(__name__)

LONGEST_S = 90.0


async def draw(
    analysis: TrackAnalysis,
    percentiles: Mapping[str, float],
    *,
    title: str,
    tracks: int,
    audio: Path | None,
    max_seconds: float,
) -> dict[str, bytes]:
    """PNGs by name: `profile` always, `contrast` and `chroma` when the `audio` can be read.

    Takes two to five seconds. Raises UserError when the child fails; a cancelled call takes the child along.
    """
    order = {
        "analysis": analysis.to_json(),
        "percentiles": dict(percentiles),
        "title": title,
        "tracks": tracks,
        "audio": str(audio) if audio else None,
        "max_seconds": max_seconds,
    }
    return await drawn_by("core.pictures.details", order)


async def drawn_by(module: str, order: Mapping[str, Any]) -> dict[str, bytes]:
    """PNGs by name from a child process that runs `module`, in the language of the running task. Raises UserError when it
    fails; a cancelled call takes the child along."""
    order = {**order, "language": spoken()}
    given_up = threading.Event()
    try:
        out = await asyncio.to_thread(_run, module, json.dumps(order).encode(), given_up)
    finally:
        given_up.set()
    return {name: base64.b64decode(content) for name, content in json.loads(out).items()}


def _run(module: str, order: bytes, given_up: threading.Event) -> bytes:
    """The child's answer; it is killed when it takes too long, or nobody waits any more."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=out, stderr=errors
        )
        try:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError), child.stdin:
                child.stdin.write(order)
            deadline = time.monotonic() + LONGEST_S
            while child.poll() is None and not given_up.wait(0.02):
                if time.monotonic() > deadline:
                    raise UserError("Drawing takes too long just now; try again in a minute.")
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode != 0:
            errors.seek(0)
            log.error("drawing failed: %s", errors.read()[-2000:].decode(errors="replace"))
            raise UserError("The pictures could not be drawn; try again in a minute.")
        out.seek(0)
        return out.read()


def compute(order: dict[str, Any]) -> dict[str, bytes]:
    """The child's side."""
    from core.audio.decode import DecodeLimits, decode
    from core.pictures.analysis import chroma_picture, contrast_picture
    from core.pictures.profile import profile_picture
    from core.track_analysis import TrackAnalysis

    analysis, title = TrackAnalysis.from_json(order["analysis"]), order["title"]
    made = {"profile": profile_picture(order["percentiles"], analysis, title, order["tracks"])}
    if order["audio"] is not None:
        try:
            sound = decode(Path(order["audio"]), DecodeLimits(max_seconds=order["max_seconds"]))
        except UserError:
            return made
        made["contrast"] = contrast_picture(sound.samples, analysis, title, sound.rate)
        made["chroma"] = chroma_picture(sound.samples, analysis, title, sound.rate)
    return made


def answer(draw_all: Callable[[dict[str, Any]], dict[str, bytes]]) -> None:
    """The child: what is asked for on standard input, the pictures on standard output."""
    if hasattr(os, "nice"):
        os.nice(10)
    order = json.load(sys.stdin)
    speak(order["language"])
    made = draw_all(order)
    json.dump({name: base64.b64encode(content).decode() for name, content in made.items()}, sys.stdout)


if __name__ == "__main__":
    answer(compute)
