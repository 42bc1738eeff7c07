"""Finding tracks: by the words of their tags (SQLite FTS5), by what words mean, by genre, tempo, key and instrument.

What is found. Every term of the query must be met: by a word of title, artist, album or genre, or, where the term
means a sound ("calm", "piano", "slow"), by the sound. Filters must all hold. Where no track has exactly these words,
words that begin with them count, then words that contain them.

How it is ranked. First the tracks whose own words hold the whole query. Within both groups by the sum of two parts:
bm25 over title (weight 10), artist (8), genre (5) and album (3), divided by the best in the answer, so 0..1; and the
mean strength, 0..1, of the terms that mean a sound (see core.recommend.search_semantics). Ties go by title, then id; without any
term by artist and title.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.audio.types import STEMS
from core.genre.likely import likely
from core.library.connection import Row
from core.library.database import Database
from core.library.query import Key, Meaning, Query, Term, parse_key, split
from core.library.scope import OWN_UPLOAD_SQL, LibraryScope
from core.library.tracks import TRACK_COLUMNS, Track

SOUNDS = 0.25
"""A track has an instrument when it sounds for at least this share of the time."""

CUT = 100
"""A genre of this length was cut by an autocomplete, whose values are no longer."""

_NAMED = "track_text CROSS JOIN track ON track.id = track_text.rowid"
_BM25 = "bm25(track_text, 10, 8, 3, 5)"
_SOUND = "track_sound.tempo_bpm, track_sound.key, track_sound.mode, track_sound.separator, " + ", ".join(
    STEMS
)


@dataclass(frozen=True)
class Filters:
    """The conditions that a track must meet. `genre` is met by its words in the track's genre: 'rock' finds 'Punk Rock'; where the
    tags name no genre, by what the genre network takes the track for."""

    genre: str | None = None
    tempo_from: float | None = None
    tempo_to: float | None = None
    key: Key | None = None
    instrument: str | None = None

    def __bool__(self) -> bool:
        return any((self.genre, self.tempo_from, self.tempo_to, self.key, self.instrument))


@dataclass(frozen=True)
class Hit:
    """A track that was found. `met` says how strongly it has each sound that was asked for, 0..1."""

    track: Track
    tempo_bpm: float | None
    key: Key | None
    separator: str | None
    activity: dict[str, float]
    score: float
    met: dict[Meaning, float] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    """The one or two genres that the genre network takes it for, where its tags name none (core.genre.likely)."""


@dataclass(frozen=True)
class Found:
    """One page of an answer. `how` is 'words', 'beginnings' or 'parts': how names were compared."""

    hits: list[Hit]
    total: int
    how: str = "words"


class Sounds(Protocol):
    """Return {track id: strength 0..1} of the tracks that sound like a meaning."""

    def __call__(self, meaning: Meaning) -> Mapping[int, float]: ...


async def search(
    database: Database,
    scope: LibraryScope,
    query: Query,
    filters: Filters = Filters(),
    *,
    sounds: Sounds | None = None,
    limit: int = 10,
    offset: int = 0,
) -> Found:
    """Return one page of the listed tracks that meet the query and the filters, best first.

    Without `sounds`, moods, instruments and the like are looked for in names only. An empty query without filters
    finds everything.
    """
    if not query.terms:
        return await _everything(database, filters, scope, limit, offset)
    heard: dict[Term, Mapping[int, float]] = {}
    for term in query.meant:
        assert term.meaning is not None
        if term.meaning.kind in ("key", "tempo"):
            heard[term] = await _measured(database, term.meaning)
        elif sounds is not None:
            heard[term] = await asyncio.to_thread(sounds, term.meaning)
    for how in ("words", "beginnings", "parts"):
        ranked = await _ranked(database, query, filters, heard, scope, how)
        if ranked:
            hits = await _hits(database, ranked[offset : offset + limit], heard)
            return Found(hits, len(ranked), how)
    return Found([], 0)


async def complete(database: Database, scope: LibraryScope, text: str, *, limit: int = 25) -> list[Track]:
    """Return tracks for an autocomplete: titles that begin with the text first, then names that have all its words.

    The last word may be unfinished. Without text, the newest tracks. Nothing is ranked, so that the answer takes a
    few milliseconds whatever is typed.
    """
    words = split(text[:100])
    if not words:
        rows = await database.fetch(
            f"SELECT {TRACK_COLUMNS} FROM track WHERE {scope.listed_sql} ORDER BY id DESC LIMIT :limit",
            {**scope.parameters, "limit": limit},
        )
        return [Track.from_row(row) for row in rows]
    parameters: dict[str, Any] = {**scope.parameters, "limit": limit}
    first = " AND ".join(quoted(word) for word in words[:-1])
    last = f"{quoted(words[-1])} *"
    matching = f"{_NAMED} WHERE track_text MATCH :match"
    steps: list[tuple[str, dict[str, Any]]] = [
        (matching, {"match": f"{first} AND {last}" if first else last})
    ]
    if first:
        # A phrase of common words would keep FTS5 busy; the index on titles knows at once.
        begins = "track WHERE track.title COLLATE NOCASE >= :low AND track.title COLLATE NOCASE < :high"
        steps.insert(0, (begins, {"low": " ".join(words), "high": " ".join(words) + "\U0010ffff"}))
    else:
        steps[:0] = [(matching, {"match": f"{column} : ^ {last}"}) for column in ("title", "artist")]
    found: dict[int, Track] = {}
    for source, values in steps:
        if len(found) < limit:
            for row in await database.fetch(
                f"SELECT {TRACK_COLUMNS} FROM {source} AND {scope.listed_sql} LIMIT :limit",
                parameters | values,
            ):
                found.setdefault(row["id"], Track.from_row(row))
    return list(found.values())[:limit]


async def visible(database: Database, scope: LibraryScope, track_id: int) -> Track | None:
    """Return the track if it is listed in this scope."""
    row = await database.fetch_one(
        f"SELECT {TRACK_COLUMNS} FROM track WHERE track.id = :id AND {scope.listed_sql}",
        {"id": track_id, **scope.parameters},
    )
    return Track.from_row(row) if row else None


async def uploads_of(database: Database, user_id: int, *, limit: int = 25) -> list[Track]:
    """Return the uploads of a member that are still kept, newest first, whether others find them or not."""
    rows = await database.fetch(
        f"SELECT {TRACK_COLUMNS} FROM track WHERE {OWN_UPLOAD_SQL} ORDER BY track.id DESC LIMIT :limit",
        {"user": user_id, "limit": limit},
    )
    return [Track.from_row(row) for row in rows]


async def hit(database: Database, track_id: int) -> Hit | None:
    """Return one track with its measurements."""
    found = await _hits(database, [(0.0, track_id)], {})
    return found[0] if found else None


async def genres(database: Database, scope: LibraryScope, text: str = "", *, limit: int = 25) -> list[str]:
    """Return the genres of listed tracks that contain all words of the text, in alphabetical order."""
    # One step of the index for each genre, not for each track.
    rows = await database.fetch(
        "WITH RECURSIVE one (genre) AS (SELECT min(genre) FROM track UNION ALL"
        " SELECT (SELECT min(genre) FROM track WHERE genre > one.genre) FROM one WHERE one.genre IS NOT NULL)"
        f" SELECT genre FROM one WHERE EXISTS (SELECT 1 FROM track WHERE track.genre = one.genre AND {scope.listed_sql})",
        scope.parameters,
    )
    told = await database.fetch(
        "WITH RECURSIVE one (genre) AS (SELECT min(genre) FROM told_genre UNION ALL"
        " SELECT (SELECT min(genre) FROM told_genre WHERE genre > one.genre) FROM one WHERE one.genre IS NOT NULL)"
        " SELECT genre FROM one WHERE EXISTS (SELECT 1 FROM told_genre JOIN track ON track.id = track_id"
        f" WHERE told_genre.genre = one.genre AND track.genre IS NULL AND {scope.listed_sql})",
        scope.parameters,
    )
    rows = [*rows, *told]
    words = [word.casefold() for word in split(text[:100])]
    # 'Rock' and 'rock' are one genre to a reader.
    named = {row["genre"].casefold(): row["genre"] for row in reversed(rows)}
    fitting = [name for folded, name in named.items() if all(word in folded for word in words)]
    begin = [name for name in fitting if words and name.casefold().startswith(words[0])]
    return [*sorted(begin, key=str.casefold), *sorted(set(fitting) - set(begin), key=str.casefold)][:limit]


async def _everything(
    database: Database, filters: Filters, scope: LibraryScope, limit: int, offset: int
) -> Found:
    """Return a page of everything that passes the filters, by artist and title."""
    where, parameters = _conditions(filters)
    source = f"{_source('track', where)} WHERE {' AND '.join([scope.listed_sql, *where])}"
    parameters |= {**scope.parameters, "limit": limit, "offset": offset}
    [count] = await database.fetch(f"SELECT count(*) FROM {source}", parameters)
    rows = await database.fetch(
        f"SELECT track.id FROM {source} ORDER BY track.artist COLLATE NOCASE, track.title COLLATE NOCASE, track.id"
        " LIMIT :limit OFFSET :offset",
        parameters,
    )
    return Found(await _hits(database, [(0.0, row["id"]) for row in rows], {}), count[0])


async def _ranked(
    database: Database,
    query: Query,
    filters: Filters,
    heard: Mapping[Term, Mapping[int, float]],
    scope: LibraryScope,
    how: str,
) -> list[tuple[float, int]]:
    """Return (score, track id) of everything that meets the query, best first."""
    plain = [term for term in query.terms if term not in heard]
    names = await _named(database, plain, filters, scope, how)
    alone = {term: await _named(database, [term], filters, scope, how) for term in heard}

    def rank() -> list[tuple[float, int]]:
        best = min((row[1] for row in names), default=0.0) or -1.0  # bm25 is negative, better is lower
        spoken = {term: {row[0] for row in rows} for term, rows in alone.items()}
        found = []
        for track_id, bm25, title in names:
            strengths, told = 0.0, 0
            for term, sounding in heard.items():
                strength, said = sounding.get(track_id, 0.0), track_id in spoken[term]
                if not strength and not said:
                    break
                strengths += strength
                told += said
            else:
                whole = float(told == len(heard))
                text = bm25 / best if plain else 0.0
                sound = strengths / len(heard) if heard else 0.0
                found.append((-(whole + text + sound), title.casefold(), track_id))
        found.sort()
        return [(-score, track_id) for score, _, track_id in found]

    return await asyncio.to_thread(rank)


async def _named(
    database: Database,
    terms: Sequence[Term],
    filters: Filters,
    scope: LibraryScope,
    how: str,
) -> list[Row]:
    """Return (id, bm25, title) of the listed tracks that pass the filters and whose words contain all terms."""
    where, parameters = _conditions(filters)
    parameters |= scope.parameters
    source, rank = "track", "0.0"
    if terms and how == "parts":
        for place, term in enumerate(terms):
            parameters[f"part{place}"] = f"%{_like(term.text)}%"
            columns = (
                f"track.{name} LIKE :part{place} ESCAPE '\\'"
                for name in ("title", "artist", "album", "genre")
            )
            where.append(f"({' OR '.join(columns)})")
    elif terms:
        star = " *" if how == "beginnings" else ""
        parameters["text"] = " AND ".join(quoted(term.text) + star for term in terms)
        source, rank = _NAMED, _BM25
        where.append("track_text MATCH :text")
    return await database.fetch(
        f"SELECT track.id, {rank}, track.title FROM {_source(source, where)} WHERE {' AND '.join([scope.listed_sql, *where])}",
        parameters,
    )


def _source(tables: str, where: Sequence[str]) -> str:
    """Return the tables to select from, with the measurements where a condition needs them."""
    asked = any("track_sound." in condition for condition in where)
    return f"{tables} JOIN track_sound ON track_sound.track_id = track.id" if asked else tables


def _conditions(filters: Filters) -> tuple[list[str], dict[str, Any]]:
    """Return SQL conditions and their parameters."""
    where: list[str] = []
    parameters: dict[str, Any] = {}
    words = split(filters.genre or "")
    if words:
        where.append(
            "(track.id IN (SELECT rowid FROM track_text WHERE track_text MATCH :genre) OR (track.genre IS NULL"
            " AND track.id IN (SELECT track_id FROM told_genre WHERE told_genre.genre = :told)))"
        )
        parameters["told"] = (filters.genre or "").strip()
        cut = " *" if len(filters.genre or "") >= CUT else ""
        parameters["genre"] = f"genre : {quoted(' '.join(words))}{cut}"
    elif filters.genre:
        where.append("track.genre = :genre")
        parameters["genre"] = filters.genre
    for condition, name, value in (
        ("tempo_bpm >=", "low", filters.tempo_from),
        ("tempo_bpm <=", "high", filters.tempo_to),
        ("key =", "key", filters.key and filters.key.tonic),
        ("mode =", "mode", filters.key and filters.key.mode),
        (f"{filters.instrument} >=", "sounds", SOUNDS if filters.instrument in STEMS else None),
    ):
        if value is not None:
            where.append(f"track_sound.{condition} :{name}")
            parameters[name] = value
    return where, parameters


async def _measured(database: Database, meaning: Meaning) -> dict[int, float]:
    """Return {track id: 1} of the tracks in a key or of a tempo."""
    if meaning.kind == "key":
        filters = Filters(key=parse_key(meaning.name))
    else:
        low, high = map(float, meaning.name.split("-"))
        filters = Filters(tempo_from=low, tempo_to=high)
    where, parameters = _conditions(filters)
    rows = await database.fetch(f"SELECT track_id FROM track_sound WHERE {' AND '.join(where)}", parameters)
    return dict.fromkeys((row["track_id"] for row in rows), 1.0)


async def _hits(
    database: Database, ranked: Sequence[tuple[float, int]], heard: Mapping[Term, Mapping[int, float]]
) -> list[Hit]:
    marks = ", ".join("?" * len(ranked))
    rows = await database.fetch(
        f"SELECT {TRACK_COLUMNS}, {_SOUND} FROM track LEFT JOIN track_sound ON track_id = track.id WHERE track.id IN ({marks})",
        [track_id for _, track_id in ranked],
    )
    by_id = {row["id"]: row for row in rows}
    told = await _told(database, [row["id"] for row in rows if row["genre"] is None])
    return [
        _hit(
            by_id[track_id],
            score,
            told.get(track_id, ()),
            {
                term.meaning: sounding[track_id]
                for term, sounding in heard.items()
                if term.meaning and term.meaning.kind not in ("key", "tempo") and track_id in sounding
            },
        )
        for score, track_id in ranked
        if track_id in by_id
    ]


async def _told(database: Database, track_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    rows = await database.fetch(
        f"SELECT track_id, genres FROM latent WHERE track_id IN ({', '.join('?' * len(track_ids))})",
        track_ids,
    )
    return {row["track_id"]: tuple(likely(json.loads(row["genres"]))) for row in rows}


def _hit(row: Row, score: float, told: tuple[str, ...], met: dict[Meaning, float]) -> Hit:
    return Hit(
        Track.from_row(row),
        row["tempo_bpm"],
        Key(row["key"], row["mode"]) if row["key"] else None,
        row["separator"],
        {stem: row[stem] for stem in STEMS if row[stem] is not None},
        score,
        met,
        told,
    )


def quoted(text: str) -> str:
    """Return the text as an FTS5 string, in which nothing is syntax."""
    return '"' + text.replace('"', "").replace("\0", "") + '"'


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
