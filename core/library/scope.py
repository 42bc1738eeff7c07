"""Which tracks are found where: each guild has a library of its own, made of the folders that are for it and of its
members' uploads.

Code that lists, searches, recommends or completes tracks uses `LibraryScope.listed_sql`. Code that is handed a track's
id (by a button, say) uses `in_scope_sql`, which also admits uploads that their owners keep out of the library: the card
that shows such an upload is in the guild where it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from core.library.database import Database

SHARED = 0
"""The guild id of direct messages: what every guild finds, and nothing else."""


def _shared_sql(track: str) -> str:
    """A condition: a sample, or a track with a file in a folder that this guild finds."""
    return f"""({track}.origin = 'sample' OR {track}.origin = 'folder' AND (
    :guild IS NULL OR NOT EXISTS (SELECT 1 FROM folder_server) OR EXISTS (
        SELECT 1 FROM folder_file AS file WHERE file.track_id = {track}.id AND (
            NOT EXISTS (SELECT 1 FROM folder_server AS some WHERE some.folder_id = file.folder_id)
            OR EXISTS (SELECT 1 FROM folder_server AS some
                       WHERE some.folder_id = file.folder_id AND some.guild_id = :guild)))))"""


_UPLOADED_SQL = "(:guild IS NULL AND track.origin = 'upload' OR track.guild_id IN (0, :guild))"

OWN_UPLOAD_SQL = "track.id IN (SELECT track_id FROM upload_owner WHERE user_id = :user)"
"""A condition: the track is an upload of the user :user, wherever it was made."""


@dataclass(frozen=True)
class LibraryScope:
    """The part of the library that one guild finds.

    `guild_id` is a guild's id, SHARED, or None for the operator, who finds everything. `uploads` says whether uploads
    are listed at all.
    """

    guild_id: int | None
    uploads: bool = True

    in_scope_sql: ClassVar[str] = f"({_shared_sql('track')} OR {_UPLOADED_SQL})"
    """A condition: the track belongs to this guild's library, listed or not."""

    listed_sql: ClassVar[str] = f"""({_shared_sql("track")} OR :uploads AND track.listed AND {_UPLOADED_SQL})
  AND (track.origin <> 'sample' OR NOT EXISTS (
    SELECT 1 FROM track AS one WHERE one.origin = 'folder' AND {_shared_sql("one")}))"""
    """A condition: the guild finds the track. Samples are found only while the guild finds no folder."""

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
