"""Who uploaded which track. The same bytes may be uploaded by several members of a guild: one track, several owners.

Ownership is a row of its own and ends with its track; track ids are never used again, so that no job, card or link of
an earlier track gives anybody a claim on a later one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from core.library.connection import ExecuteSQL
from core.library.sources import MEMBER_OWNED_SQL
from core.library.tags import from_file_name

GONE = "—"
"""Stands in members' histories for the title of a track whose owner took it away."""


async def claim(execute: ExecuteSQL, track_id: int, user_id: int, file_name: str | None) -> None:
    """Note that the user uploaded the track, if it is an upload, and what they called its file."""
    await execute(
        "INSERT INTO upload_owner (track_id, user_id, file_name)"
        f" SELECT id, ?, ? FROM track WHERE id = ? AND origin IN {MEMBER_OWNED_SQL}"
        " ON CONFLICT (track_id, user_id) DO UPDATE SET file_name = excluded.file_name",
        [user_id, file_name or "", track_id],
    )


async def disclaim(
    execute: ExecuteSQL, track_ids: Iterable[int], user_id: int | None
) -> tuple[set[int], set[int]]:
    """End the user's claims on these tracks (None: everybody's) and take their titles out of what others keep; return
    which are gone, since nobody else uploaded them, and which have another title, since theirs had come from this
    user's name for the file."""
    renamed: dict[int, tuple[str, str]] = {}
    gone, changed = set(), set()
    for track_id in track_ids:
        ended = await execute(
            "DELETE FROM upload_owner WHERE track_id = ? AND user_id = coalesce(?, user_id) RETURNING file_name",
            [track_id, user_id],
        )
        others = await execute(
            "SELECT file_name FROM upload_owner WHERE track_id = ? ORDER BY uploaded_at, user_id LIMIT 1",
            [track_id],
        )
        removing = f"DELETE FROM track WHERE id = ? AND origin IN {MEMBER_OWNED_SQL} RETURNING title"
        if not others and (removed := await execute(removing, [track_id])):
            gone.add(track_id)
            renamed[track_id] = removed[0]["title"], GONE
        elif ended and ended[0]["file_name"]:
            before = from_file_name(ended[0]["file_name"])
            after = from_file_name(others[0]["file_name"]) if others else before
            if after.title != before.title and await execute(
                "UPDATE track SET title = ?, artist = iif(artist IS ?, ?, artist) WHERE id = ? AND title = ? RETURNING id",
                [after.title, before.artist, after.artist, track_id, before.title],
            ):
                changed.add(track_id)
            # It may have been the title before the track became a folder's.
            for row in await execute("SELECT title FROM track WHERE id = ?", [track_id]):
                if row["title"] != before.title:
                    renamed[track_id] = before.title, row["title"]
    await forget_titles(execute, renamed)
    return gone, changed


_HELD = {
    "recommendation": ("tracks", "changed"),
    "journey": ("steps", "drawn"),
    "party": ("tracks",),
    "job": ("spec", "result"),
}
"""Where others' rows hold titles: columns with JSON."""


async def forget_titles(execute: ExecuteSQL, renamed: Mapping[int, tuple[str, str]]) -> None:
    """Replace titles, {track id: (old, new)}, in everything that is kept of members, and leave no word of the old ones
    in the index to search by."""
    if not renamed:
        return
    forms = {json.dumps(old, ensure_ascii=ascii_) for old, _ in renamed.values() for ascii_ in (True, False)}
    for table, column in ((table, column) for table, columns in _HELD.items() for column in columns):
        holding = f"SELECT id, {column} FROM {table} WHERE EXISTS (SELECT 1 FROM json_each(?) WHERE instr({column}, value))"
        for row in await execute(holding, [json.dumps(list(forms))]):
            held = json.dumps(_renamed(json.loads(row[column]), renamed))
            await execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", [held, row["id"]])
    await execute(
        "UPDATE playlist_entry SET title = track.title, artist = track.artist FROM track"
        " WHERE track.id = track_id AND track_id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(renamed))],
    )
    await execute("INSERT INTO track_text (track_text) VALUES ('optimize')", [])


def _renamed(held: Any, renamed: Mapping[int, tuple[str, str]]) -> Any:
    """Return JSON data with the new titles: by the track's id where it stands beside, else by the old title."""
    if isinstance(held, list):
        return [_renamed(one, renamed) for one in held]
    if not isinstance(held, dict):
        return held
    names = [renamed[held["track_id"]]] if held.get("track_id") in renamed else renamed.values()
    new = dict(names) if "track_id" not in held or held["track_id"] in renamed else {}
    found = {key: _renamed(one, renamed) for key, one in held.items()}
    for key in ("title", "name"):
        if found.get(key) in new:
            found[key] = new[found[key]]
            found |= {other: None for other in ("artist", "genre") if other in found}
    if "titles" in found:
        found["titles"] = [new.get(title, title) for title in found["titles"]]
    return found
