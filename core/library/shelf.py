"""What can be found where: each server has a library of its own, of the folders that are for it and its members' uploads.

Everything that lists, searches, recommends or completes tracks takes a Shelf and asks VISIBLE; whatever is handed a
track's id (a button, say) asks HERE, which also lets through uploads that were kept back: the card that shows one is
where the upload was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.library.database import Database

SHARED = 0
"""In place of a server's id: what every server finds, and nothing else; so it is in direct messages."""


@dataclass(frozen=True)
class Shelf:
    """Where is asked. `server` is a server's id, SHARED, or None for the operator, who finds everything; `uploads`
    says whether uploads are found at all."""

    server: int | None
    uploads: bool = True

    @property
    def named(self) -> dict[str, Any]:
        """The parameters of VISIBLE and HERE."""
        return {"server": self.server, "uploads": self.uploads}


def _for_all(track: str) -> str:
    """A sample, or a track of which a file lies in a folder that this server finds."""
    return f"""({track}.origin = 'sample' OR {track}.origin = 'folder' AND (
    :server IS NULL OR NOT EXISTS (SELECT 1 FROM folder_server) OR EXISTS (
        SELECT 1 FROM folder_file AS file WHERE file.track_id = {track}.id AND (
            NOT EXISTS (SELECT 1 FROM folder_server AS some WHERE some.folder_id = file.folder_id)
            OR EXISTS (SELECT 1 FROM folder_server AS some
                       WHERE some.folder_id = file.folder_id AND some.guild_id = :server)))))"""


_UPLOADED = "(:server IS NULL AND track.origin = 'upload' OR track.guild_id IN (0, :server))"

HERE = f"({_for_all('track')} OR {_UPLOADED})"
"""Whether a track is of this server (Shelf.named), listed or not."""

VISIBLE = f"""({_for_all("track")} OR :uploads AND track.listed AND {_UPLOADED})
  AND (track.origin <> 'sample' OR NOT EXISTS (
    SELECT 1 FROM track AS one WHERE one.origin = 'folder' AND {_for_all("one")}))"""
"""What is found: folders and uploads of this server (Shelf.named), the samples only while it finds no folder."""

OWN = """(track.origin = 'upload' AND track.id IN (
    SELECT json_extract(result, '$.track_id') FROM job WHERE user_id = :user AND kind = 'analyse'))"""
"""What a member uploaded, wherever that was."""


def own_hash(digest: str, guild_id: int | None, user_id: int) -> str:
    """What stands for a file's content in one server, or for one member who uploaded it in a direct message; it does
    not tell whether the file is known elsewhere."""
    place = f"member {user_id}" if guild_id is None else f"server {guild_id}"
    return hashlib.sha256(f"{digest} {place}".encode()).hexdigest()


async def particular(database: Database) -> frozenset[int]:
    """The servers that find other things than SHARED: those with uploads of their own, or folders for them alone."""
    rows = await database.fetch(
        "SELECT DISTINCT guild_id FROM track INDEXED BY track_guild WHERE guild_id > 0"
        " UNION SELECT guild_id FROM folder_server"
    )
    return frozenset(row["guild_id"] for row in rows)


async def keep_folders_to(
    database: Database, folders: Iterable[Path], servers: Mapping[Path, Iterable[int]]
) -> None:
    """Let these folders be found by the servers that `servers` names for them, and where it names none, by all.

    It counts from now on, without another look at a file; a folder that is not indexed yet is for them from its first
    file on. Those that are not named at all stay as they are: a restriction does not end because a line is missing.
    """
    only = {str(folder.expanduser().resolve()): set(ids) for folder, ids in servers.items()}
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
