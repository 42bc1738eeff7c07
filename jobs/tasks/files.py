"""Which files of a folder are music, and whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

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
            entries = sorted(os.scandir(folder / inside), key=lambda entry: entry.name)
        except OSError:
            unreadable.append(inside)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                if not entry.name.lower().endswith(EXTENSIONS) or not entry.is_file():
                    continue
                if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(folder):
                    continue
                path.encode()  # a name that is not UTF-8 cannot be stored
                facts = entry.stat()
            except (OSError, UnicodeEncodeError):
                continue
            yield path, facts.st_size, facts.st_mtime_ns


def is_gone(folder: Path, path: str) -> bool:
    """Is the file away while its folder is there (and not only unmounted)?"""
    return folder.is_dir() and not os.path.lexists(folder / path)


def take(walk: Iterator[tuple[str, int, int]], count: int) -> list[tuple[str, int, int]]:
    return [found for _, found in zip(range(count), walk, strict=False)]


def fingerprint(path: Path) -> tuple[str, int, int]:
    from core.analysis import content_hash

    facts = path.stat()
    return content_hash(path), facts.st_size, facts.st_mtime_ns
