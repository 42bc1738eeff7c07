"""Playlists of members: whoever made one may change it, others see it only once it was shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import Refusal
from core.library.connection import Row
from core.library.database import Database, Transaction
from core.library.query import fold
from core.library.scope import OWN_UPLOAD_SQL, LibraryScope
from core.library.tags import one_line

LONGEST_NAME = 60
MOST_LISTS, MOST_ENTRIES = 100, 500
"""Playlists of one member, and tracks in one playlist."""


@dataclass(frozen=True)
class Playlist:
    """A playlist as a whole. `count` and `duration_s` are of all entries."""

    id: int
    user_id: int
    name: str
    shared: bool
    count: int
    duration_s: float


@dataclass(frozen=True)
class Entry:
    """One entry of a playlist. `track_id` is None while the track is not in the library."""

    id: int
    track_id: int | None
    content_hash: str
    title: str
    artist: str | None
    album: str | None
    duration_s: float
    path: str | None
    """The file's path while the track is in the library; never to be shown."""
    away: bool = False
    """The track is of another server's library; `title` and the rest are what they were when it was put here."""


_LIST = """
SELECT playlist.id, user_id, name, EXISTS (SELECT 1 FROM playlist_place WHERE playlist_id = playlist.id), count(entry.id),
    coalesce(sum(coalesce(track.duration_s, entry.duration_s)), 0)
FROM playlist LEFT JOIN playlist_entry AS entry ON entry.playlist_id = playlist.id LEFT JOIN track ON track.id = track_id
WHERE {where} GROUP BY playlist.id ORDER BY changed_at DESC, playlist.id DESC
"""

_ENTRIES = """
SELECT entry.id, track.id, coalesce(track.audio_hash, track.content_hash, entry.content_hash), coalesce(track.title, entry.title),
    iif(track.id IS NULL, entry.artist, track.artist), track.album, coalesce(track.duration_s, entry.duration_s),
    track.path, {away}
FROM playlist_entry AS entry LEFT JOIN track ON track.id = track_id AND ({here})
WHERE playlist_id = :playlist ORDER BY position, entry.id
"""


class Playlists:
    """Reads and changes playlists; each change is one transaction that checks the playlist's owner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: int) -> list[Playlist]:
        """Return a member's playlists, the most recently changed first."""
        rows = await self._database.fetch(_LIST.format(where="user_id = ?"), [user_id])
        return [_playlist(row) for row in rows]

    async def named(self, user_id: int, name: str) -> Playlist | None:
        """Return the member's playlist of this name, ignoring case."""
        rows = await self._database.fetch(
            _LIST.format(where="user_id = ? AND folded = ?"), [user_id, _folded(name)]
        )
        return _playlist(rows[0]) if rows else None

    async def own(self, playlist_id: int, user_id: int) -> Playlist:
        """Return the playlist if the member owns it. Raises UserError for everybody else."""
        playlist = await self._get(playlist_id)
        if playlist is None:
            raise Refusal("playlist-deleted")
        if playlist.user_id != user_id:
            raise Refusal("playlist-not-yours")
        return playlist

    async def visible(self, playlist_id: int, user_id: int, place: int) -> Playlist:
        """Return the playlist for its owner, and for everybody in the place (see `share`) where it was shared.
        Raises UserError."""
        playlist = await self._get(playlist_id)
        if playlist is None or not (playlist.user_id == user_id or await self._shared(playlist_id, place)):
            raise Refusal("playlist-not-shared")
        return playlist

    async def _shared(self, playlist_id: int, place: int) -> bool:
        return bool(
            await self._database.fetch(
                "SELECT 1 FROM playlist_place WHERE playlist_id = ? AND place = ?", [playlist_id, place]
            )
        )

    async def entries(self, playlist_id: int) -> list[Entry]:
        """Return all entries in their order, whichever guild finds their tracks; see `seen` for what members see."""
        rows = await self._database.fetch(_ENTRIES.format(away="0", here="1"), {"playlist": playlist_id})
        return [Entry(*row) for row in rows]

    async def seen(self, playlist: Playlist, scope: LibraryScope, user_id: int) -> list[Entry]:
        """Return the entries as a member sees them in a scope: tracks of other guilds' libraries are away, and for
        others than the list's owner not there at all. `user_id` 0 is anybody."""
        sql = _ENTRIES.format(
            away="track.id IS NULL AND track_id IS NOT NULL", here=f"{scope.in_scope_sql} OR {OWN_UPLOAD_SQL}"
        )
        rows = await self._database.fetch(sql, {"playlist": playlist.id, "user": user_id, **scope.parameters})
        entries = [Entry(*row) for row in rows]
        return [entry for entry in entries if not entry.away or user_id == playlist.user_id]

    async def create(self, user_id: int, name: str, track_ids: Iterable[int] = ()) -> Playlist:
        """Create a playlist. Raises UserError when the name is empty, too long or taken."""
        name = _checked(name)
        async with self._database.transaction() as transaction:
            [count] = await transaction.run("SELECT count(*) FROM playlist WHERE user_id = ?", [user_id])
            if count[0] >= MOST_LISTS:
                raise Refusal("too-many-playlists", most=MOST_LISTS)
            await _free(transaction, user_id, name)
            [row] = await transaction.run(
                "INSERT INTO playlist (user_id, name, folded) VALUES (?, ?, ?) RETURNING id",
                [user_id, name, _folded(name)],
            )
            await _add(transaction, row["id"], track_ids)
        return await self.own(row["id"], user_id)

    async def free_name(self, user_id: int, wanted: str) -> str:
        """Return the name, with a number appended if the member has a playlist of that name already."""
        wanted = (one_line(wanted) or "Playlist")[:LONGEST_NAME].strip()
        taken = {_folded(playlist.name) for playlist in await self.of(user_id)}
        name, number = wanted, 2
        while _folded(name) in taken:
            name, number = f"{wanted[: LONGEST_NAME - 6].strip()} ({number})", number + 1
        return name

    async def add(self, playlist_id: int, user_id: int, track_ids: Iterable[int]) -> int:
        """Append the tracks that are not in the playlist yet, and return how many those were."""
        await self.own(playlist_id, user_id)
        async with self._database.transaction() as transaction:
            return await _add(transaction, playlist_id, track_ids)

    async def remove(self, playlist_id: int, user_id: int, entry_id: int) -> Entry:
        """Remove one entry and return it. Raises UserError when it is not there."""
        await self.own(playlist_id, user_id)
        entry = await self._entry(playlist_id, entry_id)
        async with self._database.transaction() as transaction:
            await transaction.run("DELETE FROM playlist_entry WHERE id = ?", [entry_id])
            await _touch(transaction, playlist_id)
        return entry

    async def move(self, playlist_id: int, user_id: int, entry_id: int, place: int) -> int:
        """Move an entry to a position, counted from 1 and clipped to the ends, and return its new position."""
        await self.own(playlist_id, user_id)
        await self._entry(playlist_id, entry_id)
        async with self._database.transaction() as transaction:
            rows = await transaction.run(
                "SELECT id FROM playlist_entry WHERE playlist_id = ? ORDER BY position, id", [playlist_id]
            )
            order = [row["id"] for row in rows if row["id"] != entry_id]
            place = min(max(place, 1), len(order) + 1)
            order.insert(place - 1, entry_id)
            for position, one in enumerate(order, 1):
                await transaction.run("UPDATE playlist_entry SET position = ? WHERE id = ?", [position, one])
            await _touch(transaction, playlist_id)
        return place

    async def arrange(self, playlist_id: int, user_id: int, entry_ids: Sequence[int]) -> None:
        """Put the entries in this order; entries that it does not name follow in their old order."""
        await self.own(playlist_id, user_id)
        wanted = {entry_id: place for place, entry_id in enumerate(entry_ids)}
        async with self._database.transaction() as transaction:
            rows = await transaction.run(
                "SELECT id FROM playlist_entry WHERE playlist_id = ? ORDER BY position, id", [playlist_id]
            )
            order = sorted((row["id"] for row in rows), key=lambda one: wanted.get(one, len(wanted)))
            for position, one in enumerate(order, 1):
                await transaction.run("UPDATE playlist_entry SET position = ? WHERE id = ?", [position, one])
            await _touch(transaction, playlist_id)

    async def rename(self, playlist_id: int, user_id: int, name: str) -> Playlist:
        """Rename the playlist. Raises UserError when the name is empty, too long or taken."""
        name = _checked(name)
        await self.own(playlist_id, user_id)
        async with self._database.transaction() as transaction:
            await _free(transaction, user_id, name, but=playlist_id)
            await transaction.run(
                "UPDATE playlist SET name = ?, folded = ?, changed_at = unixepoch() WHERE id = ?",
                [name, _folded(name), playlist_id],
            )
        return await self.own(playlist_id, user_id)

    async def share(self, playlist_id: int, user_id: int, place: int) -> Playlist:
        """Share the playlist with everybody who has a card of it in this place: a guild, or the channel of a direct message."""
        await self.own(playlist_id, user_id)
        await self._database.write(
            "INSERT INTO playlist_place (playlist_id, place) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [playlist_id, place],
        )
        return await self.own(playlist_id, user_id)

    async def unshare(self, playlist_id: int, user_id: int) -> Playlist:
        """Stop sharing the playlist anywhere."""
        await self.own(playlist_id, user_id)
        await self._database.write("DELETE FROM playlist_place WHERE playlist_id = ?", [playlist_id])
        return await self.own(playlist_id, user_id)

    async def delete(self, playlist_id: int, user_id: int) -> Playlist:
        """Delete the playlist and return it."""
        playlist = await self.own(playlist_id, user_id)
        await self._database.write("DELETE FROM playlist WHERE id = ?", [playlist_id])
        return playlist

    async def copy(self, playlist_id: int, user_id: int, place: int, scope: LibraryScope) -> Playlist:
        """Copy a playlist into one of the member's own, with the tracks that this scope finds."""
        playlist = await self.visible(playlist_id, user_id, place)
        entries = await self.seen(playlist, scope, user_id)
        tracks = [entry.track_id for entry in entries if entry.track_id is not None]
        return await self.create(user_id, await self.free_name(user_id, playlist.name), tracks)

    async def _get(self, playlist_id: int) -> Playlist | None:
        rows = await self._database.fetch(_LIST.format(where="playlist.id = ?"), [playlist_id])
        return _playlist(rows[0]) if rows else None

    async def _entry(self, playlist_id: int, entry_id: int) -> Entry:
        for entry in await self.entries(playlist_id):
            if entry.id == entry_id:
                return entry
        raise Refusal("not-in-playlist")


async def _add(transaction: Transaction, playlist_id: int, track_ids: Iterable[int]) -> int:
    [before] = await transaction.run(
        "SELECT count(*), coalesce(max(position), 0) FROM playlist_entry WHERE playlist_id = ?", [playlist_id]
    )
    count, position = before
    added = 0
    for track_id in dict.fromkeys(track_ids):
        if count + added >= MOST_ENTRIES:
            raise Refusal("playlist-full", most=MOST_ENTRIES)
        rows = await transaction.run(
            "INSERT INTO playlist_entry (playlist_id, position, track_id, content_hash, title, artist, duration_s)"
            " SELECT ?, ?, id, content_hash, title, artist, duration_s FROM track WHERE id = ?"
            " ON CONFLICT DO NOTHING RETURNING id",
            [playlist_id, position + added + 1, track_id],
        )
        added += len(rows)
    if added:
        await _touch(transaction, playlist_id)
    return added


async def _touch(transaction: Transaction, playlist_id: int) -> None:
    await transaction.run("UPDATE playlist SET changed_at = unixepoch() WHERE id = ?", [playlist_id])


async def _free(transaction: Transaction, user_id: int, name: str, but: int | None = None) -> None:
    rows = await transaction.run(
        "SELECT 1 FROM playlist WHERE user_id = ? AND folded = ? AND id IS NOT ?",
        [user_id, _folded(name), but],
    )
    if rows:
        raise Refusal("playlist-name-taken", name=name)


def _checked(name: str) -> str:
    cleaned = one_line(name)
    if not cleaned:
        raise Refusal("playlist-name-empty")
    if len(cleaned) > LONGEST_NAME:
        raise Refusal("playlist-name-too-long", most=LONGEST_NAME)
    return cleaned


def _folded(name: str) -> str:
    return fold(one_line(name) or "")


def _playlist(row: Row | Sequence[object]) -> Playlist:
    playlist_id, user_id, name, shared, count, duration = tuple(row)
    return Playlist(playlist_id, user_id, name, bool(shared), count, duration)
