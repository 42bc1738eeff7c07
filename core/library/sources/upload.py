"""Tracks that members upload; jobs.kinds.analyse makes them from the files in the uploads folder."""

from __future__ import annotations

from core.library.sources.base import Source

SOURCE = Source(
    origin="upload",
    rank=0,
    in_scope_sql="(:guild IS NULL OR {track}.guild_id IN (0, :guild))",
    member_owned=True,
)
