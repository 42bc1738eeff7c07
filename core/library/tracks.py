"""Tracks and their analyses in the database: one track is one file's content."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.genre.likely import likely
from core.library.connection import ExecuteSQL, Row
from core.library.database import Database, Transaction
from core.library.scope import OWN_UPLOAD_SQL, SHARED, LibraryScope, scoped_hash
from core.library.sources import MEMBER_OWNED_SQL, sources
from core.library.sources.base import Source
from core.library.uploads import disclaim
from core.track_analysis import TrackAnalysis


@dataclass(frozen=True)
class Track:
    """A recording of the library. Its source (core.library.sources) finds the audio by `path`.

    The fields are columns of the table `track`; queries select them as TRACK_COLUMNS.
    """

    id: int
    content_hash: str
    path: str
    origin: str
    title: str
    artist: str | None
    genre: str | None
    duration_s: float
    album: str | None = None

    @classmethod
    def from_row(cls, row: Row) -> Track:
        """Return the track of a row that begins with TRACK_COLUMNS."""
        return cls(*row[: len(fields(cls))])

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return sources()[self.origin]


TRACK_COLUMNS = ", ".join(f"track.{field.name}" for field in fields(Track))


def picture_name(content_hash: str, separator: str, language: str = "en") -> str:
    """Return the file name of a recording's picture in a language; `picture_name(hash, "*", "*")` matches all of them."""
    return f"{content_hash[:32]}-{separator}{'' if language in ('en', '*') else f'.{language}'}.png"


class Library:
    """The tracks and their analyses in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def get(self, track_id: int) -> Track | None:
        return _track(
            await self.database.fetch_one(f"SELECT {TRACK_COLUMNS} FROM track WHERE id = ?", [track_id])
        )

    async def find_by_hash(self, content_hash: str) -> Track | None:
        return _track(
            await self.database.fetch_one(
                f"SELECT {TRACK_COLUMNS} FROM track WHERE content_hash = ?", [content_hash]
            )
        )

    async def tracks(self, origin: str | None = None) -> list[Track]:
        """Return all tracks (of one origin), oldest first."""
        rows = await self.database.fetch(
            f"SELECT {TRACK_COLUMNS} FROM track WHERE ? IS NULL OR origin = ? ORDER BY id", [origin, origin]
        )
        return [Track.from_row(row) for row in rows]

    async def analysis(self, track_id: int, separator: str | None = None) -> TrackAnalysis | None:
        """Return the track's analysis by this separator, or the newest by any."""
        row = await self.database.fetch_one(
            "SELECT data FROM analysis WHERE track_id = ? AND (? IS NULL OR separator = ?)"
            " ORDER BY analysed_at DESC LIMIT 1",
            [track_id, separator, separator],
        )
        return TrackAnalysis.from_json(json.loads(row["data"])) if row else None

    async def analyses(self, separator: str | None = None) -> list[tuple[Track, TrackAnalysis]]:
        """Return every analysis (by one separator) with its track, in the order of track ids."""
        rows = await self.database.fetch(
            f"SELECT {TRACK_COLUMNS}, data FROM track JOIN analysis ON track_id = id"
            " WHERE ? IS NULL OR separator = ? ORDER BY id, separator",
            [separator, separator],
        )
        return [(Track.from_row(row), TrackAnalysis.from_json(json.loads(row["data"]))) for row in rows]

    async def disclaim(self, track_id: int, user_id: int | None) -> bool:
        """End the user's claim on an upload (None: everybody's), and return whether the track is gone, since nobody else
        has one."""
        async with self.database.transaction() as transaction:
            gone, _ = await disclaim(transaction.run, [track_id], user_id)
        return bool(gone)

    async def is_listed(self, track_id: int) -> bool:
        """Return whether others find the track; only uploads can be kept out."""
        row = await self.database.fetch_one(
            f"SELECT listed OR origin NOT IN {MEMBER_OWNED_SQL} AS listed FROM track WHERE id = ?", [track_id]
        )
        return row is not None and bool(row["listed"])

    async def visible_track(self, scope: LibraryScope, track_id: int, user_id: int) -> Track | None:
        """Return the track if this guild's library contains it or the user uploaded it."""
        return _track(
            await self.database.fetch_one(
                f"SELECT {TRACK_COLUMNS} FROM track WHERE id = :id AND ({scope.in_scope_sql} OR {OWN_UPLOAD_SQL})",
                {"id": track_id, "user": user_id, **scope.parameters},
            )
        )

    async def result_of_upload(self, track_id: int, user_id: int) -> Track | None:
        """Return the track that an upload of the user has become; None when it is gone, or no longer theirs."""
        return _track(
            await self.database.fetch_one(
                f"SELECT {TRACK_COLUMNS} FROM track WHERE id = :id AND (origin NOT IN {MEMBER_OWNED_SQL} OR {OWN_UPLOAD_SQL})",
                {"id": track_id, "user": user_id},
            )
        )

    async def out_of_scope(
        self, scope: LibraryScope, track_ids: Iterable[int], user_id: int | None = None
    ) -> set[int]:
        """Return the tracks that only other guilds' libraries contain, without the user's own uploads."""
        rows = await self.database.fetch(
            "SELECT id FROM track WHERE id IN (SELECT value FROM json_each(:ids))"
            f" AND ({scope.in_scope_sql} OR {OWN_UPLOAD_SQL}) IS NOT TRUE",
            {"ids": json.dumps(list(track_ids)), "user": user_id, **scope.parameters},
        )
        return {row["id"] for row in rows}

    async def upload_guild(self, track_id: int) -> int | None:
        """Return the guild whose library an upload is in; 0 for every guild's, None for nobody's."""
        row = await self.database.fetch_one("SELECT guild_id FROM track WHERE id = ?", [track_id])
        return row["guild_id"] if row else None

    async def set_listed(self, track_id: int, listed: bool) -> None:
        """Let others find an upload, or keep it from them."""
        await self.database.write(
            f"UPDATE track SET listed = ? WHERE id = ? AND origin IN {MEMBER_OWNED_SQL}", [listed, track_id]
        )

    async def counts(self, guild_id: int | None = None) -> dict[str, int]:
        """Return the number of tracks by origin, {"total": ..., "sample": ..., "folder": ..., "upload": ...}, of one
        guild's library or of all, and "analyses" (always of all)."""
        scope = LibraryScope(guild_id)
        rows = await self.database.fetch(
            f"SELECT origin, count(*) FROM track WHERE :guild IS NULL OR {scope.in_scope_sql} GROUP BY origin",
            scope.parameters,
        )
        found = dict.fromkeys(sources(), 0) | {row[0]: row[1] for row in rows}
        [analyses] = await self.database.fetch("SELECT count(*) FROM analysis")
        return {"total": sum(found.values()), **found, "analyses": analyses[0]}

    async def version(self) -> int:
        """Return a number that grows whenever tracks or analyses change, whichever process changed them."""
        [row] = await self.database.fetch("SELECT value FROM counter WHERE name = 'library'")
        return int(row[0])


async def find_upload(
    execute: ExecuteSQL, digest: str, guild_id: int | None, user_id: int
) -> tuple[Track | None, str]:
    """Return the track that an upload of these bytes (SHA-256) in this guild already is, if any, and the content_hash
    that the track has or is to have. `guild_id` None stands for a direct message.

    Samples and files of folders that this guild finds are one track for all. Among uploads the same bytes are a track of
    its own in each guild, so that no guild learns of another one's name, picture or file.
    """
    own = scoped_hash(digest, guild_id, user_id)
    scope = LibraryScope(guild_id or SHARED)
    rows = await execute(
        f"SELECT {TRACK_COLUMNS} FROM track WHERE content_hash = :own OR (content_hash = :digest AND {scope.in_scope_sql})"
        " ORDER BY content_hash = :own DESC",
        {"own": own, "digest": digest, **scope.parameters},
    )
    if rows:
        return Track.from_row(rows[0]), rows[0]["content_hash"]
    return None, own


async def put_track(
    transaction: Transaction,
    content_hash: str,
    path: str,
    origin: str,
    title: str,
    artist: str | None,
    genre: str | None,
    duration_s: float,
    album: str | None = None,
) -> int:
    """Add the track or update it, and return its id; the same content keeps its id.

    Content that comes from two origins belongs to the more lasting one: an upload that turns up in a folder becomes a track
    of that folder, while a sample stays a sample. An upload is in every guild's library until `set_upload_guild`.
    """
    known = await transaction.run("SELECT id, origin FROM track WHERE content_hash = ?", [content_hash])
    if known and sources()[known[0]["origin"]].rank > sources()[origin].rank:
        return int(known[0]["id"])
    [row] = await transaction.run(
        "INSERT INTO track (content_hash, path, origin, title, artist, genre, duration_s, album, guild_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (content_hash) DO UPDATE SET path = excluded.path, origin = excluded.origin,"
        " title = excluded.title, artist = excluded.artist, genre = excluded.genre, duration_s = excluded.duration_s,"
        " album = excluded.album RETURNING id",
        [
            content_hash,
            path,
            origin,
            title,
            artist,
            genre,
            duration_s,
            album,
            0 if sources()[origin].member_owned else None,
        ],
    )
    return int(row["id"])


async def set_upload_guild(
    transaction: Transaction, track_id: int, guild_id: int | None, digest: str
) -> None:
    """Make an upload part of one guild's library (None: of nobody's); `digest` is its file's SHA-256."""
    await transaction.run(
        "UPDATE track SET guild_id = ?, audio_hash = nullif(?, content_hash) WHERE id = ?",
        [guild_id, digest, track_id],
    )


async def known_analysis(database: Database, digest: str, separator: str) -> tuple[int, TrackAnalysis] | None:
    """Return an analysis of these bytes (SHA-256) by one separator and its track's id, whoever uploaded it where."""
    row = await database.fetch_one(
        "SELECT track_id, data FROM analysis JOIN track ON track.id = track_id"
        " WHERE (content_hash = :digest OR audio_hash = :digest) AND separator = :separator"
        " ORDER BY analyser_version DESC, analysed_at DESC LIMIT 1",
        {"digest": digest, "separator": separator},
    )
    return (row["track_id"], TrackAnalysis.from_json(json.loads(row["data"]))) if row else None


async def copy_latents(transaction: Transaction, track_id: int, source: int) -> None:
    """Copy the genre network's answer for the track `source` to another track of the same bytes."""
    for table, columns in (("latent", "model, vector, genres"), ("told_genre", "genre")):
        await transaction.run(
            f"INSERT OR IGNORE INTO {table} (track_id, {columns}) SELECT ?, {columns} FROM {table} WHERE track_id = ?",
            [track_id, source],
        )


async def put_analysis(transaction: Transaction, track_id: int, analysis: TrackAnalysis) -> None:
    """Store the track's analysis by one separator in place of the previous one. The genre network's answer goes to its own table."""
    data = analysis.to_json()
    latent = data.pop("latent", None)
    if latent is not None:
        await put_latent(transaction, track_id, latent)
    await transaction.run(
        "INSERT INTO analysis (track_id, separator, separator_version, analyser_version, data) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (track_id, separator) DO UPDATE SET separator_version = excluded.separator_version,"
        " analyser_version = excluded.analyser_version, data = excluded.data, analysed_at = unixepoch()",
        [
            track_id,
            analysis.separator,
            analysis.separator_version,
            analysis.analyser_version,
            json.dumps(data, allow_nan=False, separators=(",", ":")),
        ],
    )


async def put_latent(transaction: Transaction, track_id: int, heard: dict[str, Any]) -> None:
    """Store a genre network's answer (core.genre.model.GenreResult as JSON) in place of the previous one."""
    vector = np.asarray(heard["vector"], "<f4").tobytes()
    genres = json.dumps(heard["genres"], separators=(",", ":"))
    await transaction.run("DELETE FROM latent WHERE track_id = ?", [track_id])
    await transaction.run(
        "INSERT INTO latent (track_id, model, vector, genres) VALUES (?, ?, ?, ?)",
        [track_id, heard["model"], vector, genres],
    )
    for genre in likely(heard["genres"]):
        await transaction.run("INSERT INTO told_genre (genre, track_id) VALUES (?, ?)", [genre, track_id])


def _track(row: Row | None) -> Track | None:
    return Track.from_row(row) if row else None
