"""Which track of the library an entry of an imported playlist means.

In this order, the first that finds one: the same content (SHA-256); the same title and artist; the same title once
additions such as "(Remastered 2011)" or "feat. ..." are left out, with the same artist; the same title alone, when the
length agrees; the same file name; and title and artist taken from the file name. Among several the one whose length is
nearest is taken. No file is opened: everything is compared with what the library knows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from core.library.connection import Row
from core.library.database import Database
from core.library.playlist_files import Item
from core.library.query import fold, split
from core.library.scope import LibraryScope
from core.library.search import quoted
from core.library.sources import MEMBER_OWNED_SQL
from core.library.tags import from_file_name

SAME_LENGTH_S, LIKE_LENGTH_S = 3.0, 15.0
"""Seconds by which two encodings of one recording differ at most, and two editions of one piece."""

MOST = 200
"""Tracks of one title that are compared."""

_ADDITION = re.compile(
    r"[(\[{][^)\]}]*[)\]}]|\b(?:feat|ft|featuring)\b\.?.*$|\s-\s.*\b(?:remaster(?:ed)?|version|edit|mix|live|mono|stereo)\b.*$",
    re.I,
)
_JOINED = re.compile(r"\s*(?:[&,;/+]|\b(?:and|und|y|with|feat|ft|featuring|vs|x)\b\.?)\s*", re.I)
_COLUMNS = "track.id, title, artist, duration_s, path"


@dataclass(frozen=True)
class Match:
    """The track that an imported entry means; `track_id` is None if the library has no such track."""

    item: Item
    track_id: int | None


async def match(database: Database, scope: LibraryScope, items: Sequence[Item]) -> list[Match]:
    """Return a match for each item, in their order, among the tracks listed in this scope."""
    found = [Match(item, await _by_names(database, item, scope)) for item in items]
    left = [one.item.file_name for one in found if one.track_id is None and one.item.file_name]
    if left:
        names = await asyncio.to_thread(lambda: {name: _name(name) for name in left})
        files = await _by_file(database, set(names.values()), scope)
        for place, one in enumerate(found):
            if one.track_id is None:
                same = files.get(names.get(one.item.file_name or "", ""), ())
                track_id = _nearest(same, one.item.duration_s)
                found[place] = Match(one.item, track_id or await _by_file_words(database, one.item, scope))
    return found


async def _by_names(database: Database, item: Item, scope: LibraryScope) -> int | None:
    if item.content_hash:
        row = await database.fetch_one(
            f"SELECT id FROM track WHERE (content_hash = :hash OR audio_hash = :hash) AND {scope.listed_sql}",
            {"hash": item.content_hash, **scope.parameters},
        )
        if row:
            return int(row["id"])
    for title, artist in readings(item):
        rows = await _titled(database, title, scope)
        # Hundreds of names are taken apart, which may be long ones: others are answered meanwhile.
        if (found := await asyncio.to_thread(best, rows, item, title, artist)) is not None:
            return found
    return None


def best(rows: Sequence[Row], item: Item, title: str, artist: str | None) -> int | None:
    """Return the id of the row that has this title and artist, None if none has."""
    exact = [row for row in rows if _key(row["title"]) == _key(title)]
    by_artist = [row for row in rows if artist and _same_artist(row["artist"], artist)]
    ids = {row["id"] for row in by_artist}
    both = [row for row in exact if row["id"] in ids]
    loose = [
        row for row in by_artist if _bare(row["title"]) == _bare(title) and _agree(row, item, LIKE_LENGTH_S)
    ]
    alone = [
        row
        for row in exact
        if item.duration_s and _agree(row, item, SAME_LENGTH_S) and not (row["artist"] and artist)
    ]
    for candidates in (both, loose, alone):
        if candidates:
            return _nearest(candidates, item.duration_s)
    return None


def readings(item: Item) -> Iterable[tuple[str, str | None]]:
    """Yield (title, artist) as given, then otherwise divided: 'A - B - C' may be two of three."""
    if not item.title:
        return
    yield item.title, item.artist
    words = f"{item.artist} - {item.title}" if item.artist else item.title
    parts = words.split(" - ")
    for cut in range(1, min(len(parts), 5)):
        artist, title = " - ".join(parts[:cut]), " - ".join(parts[cut:])
        if (title, artist) != (item.title, item.artist):
            yield title, artist


async def _titled(database: Database, title: str, scope: LibraryScope) -> list[Row]:
    """Return listed tracks with this title, also with additions to it."""
    parameters = {"title": title, "most": MOST, **scope.parameters}
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM track WHERE title = :title COLLATE NOCASE AND {scope.listed_sql} LIMIT :most",
        parameters,
    )
    words = split(_ADDITION.sub(" ", title)) or split(title)
    if words:
        parameters["words"] = f"title : ({' AND '.join(quoted(word) for word in words[:12])})"
        rows += await database.fetch(
            f"SELECT {_COLUMNS} FROM track WHERE track.id IN (SELECT rowid FROM track_text"
            f" WHERE track_text MATCH :words ORDER BY rank LIMIT :most) AND {scope.listed_sql}",
            parameters,
        )
    return rows


async def _by_file(database: Database, names: set[str], scope: LibraryScope) -> dict[str, list[Row]]:
    """Return {file name, folded: tracks with that file name}, in one pass over the library."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM track WHERE origin NOT IN {MEMBER_OWNED_SQL} AND {scope.listed_sql}",
        scope.parameters,
    )

    def named() -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in rows:
            if (name := _name(row["path"])) in names:
                found.setdefault(name, []).append(row)
        return found

    return await asyncio.to_thread(named)


async def _by_file_words(database: Database, item: Item, scope: LibraryScope) -> int | None:
    if not item.file_name or item.title:
        return None
    tags = from_file_name(item.file_name)
    return await _by_names(database, Item(tags.title, tags.artist, duration_s=item.duration_s), scope)


def _nearest(rows: Iterable[Row], duration_s: float | None) -> int | None:
    """Return the id of the row whose duration is nearest, or the first one if the duration is unknown."""
    ordered = sorted(
        rows, key=lambda row: (abs(row["duration_s"] - duration_s) if duration_s else 0.0, row["id"])
    )
    return int(ordered[0]["id"]) if ordered else None


def _agree(row: Row, item: Item, seconds: float) -> bool:
    return item.duration_s is None or abs(row["duration_s"] - item.duration_s) <= seconds


def _same_artist(one: str | None, other: str) -> bool:
    """Return True for equal artists, also for 'The Beatles' and 'Beatles', 'Simon & Garfunkel' and 'Simon and Garfunkel', and a first artist alone."""
    if not one:
        return False
    ours, theirs = _artists(one), _artists(other)
    return ours == theirs or (min(len(ours), len(theirs)) == 1 and ours[0] == theirs[0])


@lru_cache(4096)
def _artists(names: str) -> list[str]:
    words = [split(fold(part)) for part in _JOINED.split(names)]
    parts = [" ".join(part[1:] if part[0] == "the" and len(part) > 1 else part) for part in words if part]
    return parts or [fold(names).strip()]  # '!!!' is a band as well


@lru_cache(4096)
def _key(title: str) -> str:
    return " ".join(split(fold(title))) or fold(title).strip()


@lru_cache(4096)
def _bare(title: str) -> str:
    return _key(_ADDITION.sub(" ", title)) or _key(title)


def _name(path: str | None) -> str:
    return fold(PurePosixPath(path or "").name)
