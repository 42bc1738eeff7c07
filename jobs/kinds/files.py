"""Which files of a folder are music, and whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from core.track_analysis import content_hash

EXTENSIONS = tuple(
    f".{name}"
    for name in (
        *("mp3", "flac", "ogg", "oga", "opus", "wav", "aif", "aiff"),
        *("m4a", "m4b", "mp4", "aac", "wma", "wv", "ape", "mka", "webm"),
    )
)
"""Files that are taken for music."""


def audio_files(folder: Path, unreadable: list[str]) -> Iterator[tuple[str, int, int]]:
    """(path inside `folder`, size, mtime in ns) of every audio file; folders that cannot be read go to `unreadable`."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                for entry in entries:
                    path = f"{inside}/{entry.name}" if inside else entry.name
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    elif (facts := _facts(entry, folder)) is not None:
                        yield path, facts.st_size, facts.st_mtime_ns
        except OSError:
            unreadable.append(inside)


def _facts(entry: os.DirEntry[str], folder: Path) -> os.stat_result | None:
    """Size and time, where it is an audio file that lies in the folder itself."""
    try:
        entry.name.encode()  # a name that is not UTF-8 cannot be stored
        if not entry.name.lower().endswith(EXTENSIONS) or not entry.is_file():
            return None
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(folder):
            return None
        return entry.stat()
    except (OSError, UnicodeEncodeError):
        return None


def is_gone(folder: Path, path: str) -> bool:
    """Is the file away while its folder is there (and not only unmounted, or closed to us)?"""
    try:
        if not folder.is_dir():
            return False
        (folder / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # nobody knows
        return False
    return False


def take(walk: Iterator[tuple[str, int, int]], count: int) -> list[tuple[str, int, int]]:
    """The next `count` of a walk, fewer at its end."""
    return [found for _, found in zip(range(count), walk, strict=False)]


def fingerprint(path: Path) -> tuple[str, int, int]:
    """Content hash, size in bytes and time of change in ns. Raises OSError when it cannot be read."""
    facts = path.stat()
    return content_hash(path), facts.st_size, facts.st_mtime_ns
