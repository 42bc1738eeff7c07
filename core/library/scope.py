"""Which tracks are found where: each guild has a library of its own, made of the folders that are for it and of its
members' uploads.

Code that lists, searches, recommends or completes tracks uses `LibraryScope.listed_sql`. Code that is handed a track's
id (by a button, say) uses `in_scope_sql`, which also admits uploads that their owners keep out of the library: the card
that shows such an upload is in the guild where it was made.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.library.database import Database
from core.library.sources import sources
from core.library.sources.base import Source

SHARED = 0
"""The guild id of direct messages: what every guild finds, and nothing else."""


OWN_UPLOAD_SQL = "track.id IN (SELECT track_id FROM upload_owner WHERE user_id = :user)"
"""A condition: the track is an upload of the user :user, wherever it was made."""


def _any_of(wanted: Iterable[Source], track: str = "track", more: str = "") -> str:
    """A condition: the track is of one of these sources, and the guild's library contains it."""
    return " OR ".join(
        f"{track}.origin = '{source.origin}'{more} AND {source.in_scope_sql.format(track=track)}"
        for source in wanted
    )


@functools.cache
def _in_scope_sql() -> str:
    return f"({_any_of(sources().values())})"


@functools.cache
def _listed_sql() -> str:
    found = sources().values()
    lasting = [source for source in found if not source.member_owned and not source.placeholder]
    nothing_lasting = f" AND NOT EXISTS (SELECT 1 FROM track AS one WHERE {_any_of(lasting, 'one')})"
    return "({} OR {} OR {})".format(
        _any_of(lasting),
        _any_of([source for source in found if source.member_owned], more=" AND :uploads AND track.listed"),
        _any_of([source for source in found if source.placeholder], more=nothing_lasting),
    )


@dataclass(frozen=True)
class LibraryScope:
    """The part of the library that one guild finds.

    `guild_id` is a guild's id, SHARED, or None for the operator, who finds everything. `uploads` says whether uploads
    are listed at all.
    """

    guild_id: int | None
    uploads: bool = True

    @property
    def in_scope_sql(self) -> str:
        """A condition: the track belongs to this guild's library, listed or not."""
        return _in_scope_sql()

    @property
    def listed_sql(self) -> str:
        """A condition: the guild finds the track; a placeholder's only while it finds none of a lasting source."""
        return _listed_sql()

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of both conditions."""
        return {"guild": self.guild_id, "uploads": self.uploads}


def scoped_hash(digest: str, guild_id: int | None, user_id: int) -> str:
    """Return the content hash of an upload within one guild, or for None within one user's direct messages.

    It does not reveal whether the same file (SHA-256 `digest`) is known elsewhere.
    """
    place = f"member {user_id}" if guild_id is None else f"server {guild_id}"
    return hashlib.sha256(f"{digest} {place}".encode()).hexdigest()


async def guilds_with_own_library(database: Database) -> frozenset[int]:
    """Return the guilds whose library differs from the shared one, by uploads or by folders for them alone."""
    rows = await database.fetch(
        "SELECT DISTINCT guild_id FROM track INDEXED BY track_guild WHERE guild_id > 0"
        " UNION SELECT guild_id FROM folder_server"
    )
    return frozenset(row["guild_id"] for row in rows)


async def restrict_folders(
    database: Database, folders: Iterable[Path], guilds: Mapping[Path, Iterable[int]]
) -> None:
    """Let only the guilds that `guilds` names for a folder find its tracks; a folder that it does not name is for all.

    This holds at once, without reading a file again; a folder that is not indexed yet is restricted from its first file
    on. Folders outside `folders` stay as they are: a restriction does not end because a line is missing.
    """
    only = {str(folder.expanduser().resolve()): set(ids) for folder, ids in guilds.items()}
    async with database.transaction() as transaction:
        for folder in {str(one.expanduser().resolve()) for one in folders}:
            wanted = only.get(folder, set())
            if wanted:
                await transaction.run(
                    "INSERT INTO folder (path, watched) VALUES (?, 0) ON CONFLICT (path) DO NOTHING", [folder]
                )
            rows = await transaction.run(
                "SELECT folder.id, guild_id FROM folder LEFT JOIN folder_server ON folder_id = folder.id WHERE path = ?",
                [folder],
            )
            known = {row["guild_id"] for row in rows} - {None}
            for guild_id in known - wanted:
                await transaction.run(
                    "DELETE FROM folder_server WHERE folder_id = ? AND guild_id = ?",
                    [rows[0]["id"], guild_id],
                )
            for guild_id in wanted - known:
                await transaction.run(
                    "INSERT INTO folder_server (folder_id, guild_id) VALUES (?, ?)", [rows[0]["id"], guild_id]
                )
