"""What a source of music is: what the library must know of it to list, find, play and renew its tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.folders import DataFolder


class Entry(NamedTuple):
    """A piece of music that a source lists. `path` is its name or id within the source's root; `size` (bytes) and
    `changed` (ns) tell whether it is still the same."""

    path: str
    size: int
    changed: int


def local_file(path: str, folder: DataFolder) -> Path:
    """Return the file of a track whose path is absolute, or relative to the data folder."""
    return folder.data / path


def _nothing(root: Path, unreadable: list[str]) -> Iterator[Entry]:
    return iter(())


def _unknown(root: Path, path: str) -> bool:
    return False


@dataclass(frozen=True)
class Source:
    """One source of music, by the properties that the rest of Moodstem asks for instead of its name."""

    origin: str
    """What the column `origin` of its tracks says."""
    rank: int
    """Content that comes from two sources belongs to the one of the higher rank, which lasts longer."""
    in_scope_sql: str
    """SQL condition: the library of the guild :guild (None: of the operator) contains the track {track}."""
    member_owned: bool = False
    """Members bring its tracks. Each is in one guild's library, or in nobody's; its member may keep it from others, and
    it goes with its member; its audio goes after a time; its file name is ours and means nothing; the job 'renew' brings
    its analysis up to date. Tracks of other sources are renewed when their source is indexed."""
    placeholder: bool = False
    """Its tracks are found only while a guild finds none of a source that is neither this nor member-owned."""
    entries: Callable[[Path, list[str]], Iterator[Entry]] = _nothing
    """Yield what lies below a root, and append to the list given the paths below which nothing could be listed. Blocks."""
    is_gone: Callable[[Path, str], bool] = _unknown
    """True when a root is there but no longer holds the path: not when it cannot be asked. Blocks."""
    locate: Callable[[str, DataFolder], Path] = local_file
    """Return the audio file of a track by its `path`, whether it is there or not. Blocks; a source whose tracks are
    elsewhere fetches it."""
