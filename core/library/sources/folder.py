"""Folders of music: which files are music, and whether they are still the same. The job 'index' keeps them up to date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from core.library.sources.base import Entry, Source
from core.track_analysis import content_hash

EXTENSIONS = tuple(
    f".{name}"
    for name in (
        *("mp3", "flac", "ogg", "oga", "opus", "wav", "aif", "aiff"),
        *("m4a", "m4b", "mp4", "aac", "wma", "wv", "ape", "mka", "webm"),
    )
)
"""Files that are taken for music."""


def audio_files(folder: Path, unreadable: list[str]) -> Iterator[Entry]:
    """Yield every audio file below `folder`; folders that cannot be read go to `unreadable`."""
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
                        yield Entry(path, facts.st_size, facts.st_mtime_ns)
        except OSError:
            unreadable.append(inside)


def _facts(entry: os.DirEntry[str], folder: Path) -> os.stat_result | None:
    """Return size and time of an audio file that lies in the folder itself, None for anything else."""
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
    """True when the file is away while its folder is there (and not only unmounted, or closed to us)."""
    try:
        if not folder.is_dir():
            return False
        (folder / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # nobody knows
        return False
    return False


def fingerprint(path: Path) -> tuple[str, int, int]:
    """Return content hash, size in bytes and time of change in ns. Raises OSError when it cannot be read."""
    facts = path.stat()
    return content_hash(path), facts.st_size, facts.st_mtime_ns


SOURCE = Source(
    origin="folder",
    rank=1,
    in_scope_sql="""(:guild IS NULL OR NOT EXISTS (SELECT 1 FROM folder_server) OR EXISTS (
    SELECT 1 FROM folder_file AS file WHERE file.track_id = {track}.id AND (
        NOT EXISTS (SELECT 1 FROM folder_server AS some WHERE some.folder_id = file.folder_id)
        OR EXISTS (SELECT 1 FROM folder_server AS some
                   WHERE some.folder_id = file.folder_id AND some.guild_id = :guild))))""",
    entries=audio_files,
    is_gone=is_gone,
)
