"""Which music is found where: each server's library, in memory, with the weights of rules that it has chosen."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from core.library.catalog import Catalog
from core.library.database import Database
from core.library.loading import Loader
from core.library.rule_weights import weights_of
from core.library.scope import SHARED, LibraryScope
from core.library.tracks import Library, Track
from core.recommend.topic_scores import tuned

REMEMBERED_SERVERS = 100
"""Servers with weights of their own whose scores are kept in memory."""


class Catalogs:
    """The libraries of all servers; None as a server's id means direct messages.

    `uploads`: are members' uploads part of the libraries?
    """

    def __init__(self, database: Database, library: Library, *, uploads: bool) -> None:
        self.database = database
        self.library = library
        self.uploads = uploads
        self._loader = Loader(database, uploads=uploads)
        self._lock = asyncio.Lock()
        self._tuned: OrderedDict[int, tuple[dict[str, float], Catalog, Catalog]] = OrderedDict()

    def scope(self, guild_id: int | None) -> LibraryScope:
        """Return the part of the library that this server finds."""
        return LibraryScope(SHARED if guild_id is None else guild_id, self.uploads)

    async def of(self, guild_id: int | None) -> Catalog:
        """Return a server's library as of now, with its own weights.

        Brought up to date in a thread when tracks or weights have changed, in whichever process.
        """
        async with self._lock:
            catalog = await self._loader.catalog(self.scope(guild_id).guild_id)
            for server in [one for one, (_, of, _) in self._tuned.items() if not self._loader.is_cached(of)]:
                del self._tuned[server]  # it would keep what the loader let go
            if guild_id is None:
                return catalog
            weights = await weights_of(self.database.fetch, guild_id)
            if not weights:
                self._tuned.pop(guild_id, None)
                return catalog
            known = self._tuned.get(guild_id)
            if known is None or known[0] != weights or known[1] is not catalog:
                known = weights, catalog, await asyncio.to_thread(tuned, catalog, weights)
            self._tuned[guild_id] = known
            self._tuned.move_to_end(guild_id)
            if len(self._tuned) > REMEMBERED_SERVERS:
                self._tuned.popitem(last=False)
            return known[2]

    async def track(self, guild_id: int | None, user_id: int, track_id: int) -> Track | None:
        """Return the track that a button names; None where it is gone or of another server's library. The member's own
        uploads are found everywhere."""
        return await self.library.visible_track(self.scope(guild_id), track_id, user_id)
