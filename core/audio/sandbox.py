"""Asks the sandboxed child (`decoder_child.py`) for what needs no samples: the tags of a file, the entries of a playlist."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, BinaryIO

from tinytag import TinyTag

MOST_OF_A_TAG = 4_000
"""Characters; a tag may hold megabytes."""

_CHILD = Path(__file__).with_name("decoder_child.py")
MOST_SECONDS = 5
"""Of processor time; a hundredth of that is usual, unless somebody made a file to take long."""


def ask(task: str, data: IO[bytes] | bytes) -> Any:
    """Have the child import a module and, in its sandbox, call 'module:function' with a file or bytes; return what that
    returns, JSON data.

    None where it fails, or takes more than MOST_SECONDS of processor time or six times as long by the clock.
    """
    order = command(1 << 29, MOST_SECONDS, 1 << 20, task=task, code=str(Path(__file__).parents[2]))
    source: dict[str, Any] = {"input": data} if isinstance(data, bytes) else {"stdin": data}
    try:
        done = subprocess.run(
            order, capture_output=True, env=needed_environment(), timeout=6 * MOST_SECONDS, **source
        )
        return json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def sandbox_lacks() -> list[str]:
    """Return what this machine cannot forbid the child, of 'landlock' and 'seccomp'; empty where all is in force."""
    found: list[str] = ask("", b"")
    return found


def metadata(path: Path) -> dict[str, str]:
    """Return title, artist, albumartist, album and genre, those that the file's tags have.

    Empty where there are none, or where they cannot be read.
    """
    try:
        with path.open("rb") as file:
            found: dict[str, str] | None = ask("core.audio.sandbox:read_tags", file)
    except OSError:
        return {}
    return found or {}


def read_tags(file: BinaryIO) -> dict[str, str]:
    """The child's side of `metadata`. Whatever is raised ends the child."""
    found = TinyTag.get(file_obj=file, tags=True, duration=False, image=False)
    texts = {name: getattr(found, name) for name in ("title", "artist", "albumartist", "album", "genre")}
    return {name: text[:MOST_OF_A_TAG] for name, text in texts.items() if isinstance(text, str)}


def command(memory_bytes: int, cpu_seconds: int, output_bytes: int, **order: object) -> list[str]:
    """What starts the child, with its limits and what it is to do."""
    order |= {"memory_bytes": memory_bytes, "cpu_seconds": cpu_seconds, "output_bytes": output_bytes}
    return [sys.executable, "-I", "-B", str(_CHILD), json.dumps({**order, "parent": os.getpid()})]


def needed_environment() -> dict[str, str]:
    """Nothing of ours goes to the child, except what the operating system needs to start a process."""
    return {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
