"""Title, artist, album and genre of an audio file, from its tags or else from its name."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from core.audio.sandbox import metadata

LONGEST = 200
"""Characters kept of a tag: tags come from strangers and end up on cards."""


@dataclass(frozen=True)
class Tags:
    """What a file says about itself; `title` is never empty."""

    title: str
    artist: str | None = None
    album: str | None = None
    genre: str | None = None


def read_tags(path: Path, name: str | None = None) -> Tags:
    """Tags of the file at `path`; whatever is missing comes from `name` (default: the file's own name).

    Never raises: a file with broken tags is still music. Cover art is not read.
    """
    fallback = from_file_name(name if name is not None else path.name)
    found = {key: clean(value) for key, value in metadata(path).items()}
    if not found:
        return fallback
    title = found.get("title")
    return Tags(
        title=title or fallback.title,
        artist=found.get("artist") or found.get("albumartist") or (None if title else fallback.artist),
        album=found.get("album"),
        genre=found.get("genre"),
    )


def from_file_name(name: str) -> Tags:
    """'03 - Artist - Title.mp3' -> artist and title; '07_some_song.ogg' -> the title 'some song'."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name.replace("\\", "/").rsplit("/", 1)[-1])
    stem = clean(stem.replace("_", " ")) or ""
    stem = re.sub(r"^\d{1,3}\s*[-.)]\s+", "", stem) or stem
    artist, dash, title = stem.partition(" - ")
    if dash and clean(artist) and clean(title):
        return Tags(title=clean(title) or stem, artist=clean(artist))
    return Tags(title=stem or "Untitled")


def clean(text: object) -> str | None:
    """One line of printable text, or None: no control or direction-changing characters, no runs of blanks."""
    if not isinstance(text, str):
        return None
    text = text[: 5 * LONGEST]  # a tag may hold megabytes
    with contextlib.suppress(UnicodeError):
        # 'GrÃ¶Ãe': UTF-8 in a field that says Latin-1, as in many MP3s
        text = text.encode("latin-1").decode("utf-8")
    return one_line(text)


def one_line(text: str) -> str | None:
    """Printable text without control or direction-changing characters, runs of blanks as one; None when empty."""
    visible = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text[: 2 * LONGEST])  # takes the square of its length
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    return " ".join(visible.split())[:LONGEST].strip() or None
