"""Cards about playlists: all of a member's, one to look at, one to change, one to share, what an import found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discord import ui

from bot.router import Buttons, Press
from bot.theme import GOOD, clock, plain
from bot.widgets import Card, Style, by_line, line, note_card, row, section, text, turning
from bot.words.i18n import tr, trn
from bot.words.names import short
from core.library.matching import Match
from core.library.playlists import Entry, Playlist
from core.library.tracks import Track

LISTS, PAGE, EDITED, SHARED = 8, 7, 5, 8
"""Playlists, entries, entries to change, and entries of a shared card, on one card of at most 40 components."""

CHOICES = 14
"""Playlists to add a track to by button; older ones by /playlist add."""

NAMED = 12
"""Entries of an import that are named when they were not found; the attached list has all."""


def lists_card(playlists: Sequence[Playlist], page: int) -> Card:
    """A member's playlists."""
    if not playlists:
        return Card(
            text(tr("You have no playlist yet.")),
            text(tr("Make one with /playlist create, or tap Save under what /recommend picks.")),
        )
    pages = -(-len(playlists) // LISTS)
    items: list[ui.Item[Any]] = [text(tr("## Your playlists"))]
    items += [
        section(
            Press("pl_page", one.id, 0, label=tr("Open")), f"**{plain(one.name)}**", f"-# {_summary(one)}"
        )
        for one in playlists[page * LISTS : (page + 1) * LISTS]
    ]
    if pages > 1:
        items.append(row(*turning("pl_lists", page=page, pages=pages)))
    return Card(*items)


def playlist_card(
    playlist: Playlist, entries: Sequence[Entry], page: int = 0, *, own: bool, note: str | None = None
) -> Card:
    """A playlist to look at and to listen to; its owner can change and share it from here."""
    pages = max(-(-len(entries) // PAGE), 1)
    page = min(page, pages - 1)
    items: list[ui.Item[Any] | None] = [
        text(f"-# {note}") if note else None,
        text(f"## {plain(playlist.name)}", f"-# {_summary(playlist)}"),
    ]
    shown = list(enumerate(entries, 1))[page * PAGE : (page + 1) * PAGE]
    items += [_line(place, entry) for place, entry in shown]
    if not entries:
        items.append(text(tr("Nothing in it yet: use /playlist add, or “Add to playlist” on a track.")))
    items.append(line())
    listen = [
        Press(
            "pl_play",
            playlist.id,
            0,
            label=tr("Listen"),
            emoji="🎧",
            style=Style.primary,
            disabled=not entries,
        )
    ]
    if own:
        share = (
            Press("pl_unshare", playlist.id, label=tr("Stop sharing"), emoji="🔒")
            if playlist.shared
            else Press("pl_share", playlist.id, label=tr("Share"), emoji="📣", disabled=not entries)
        )
        items.append(
            row(
                *listen,
                Press("pl_edit", playlist.id, page, label=tr("Edit"), emoji="✏️", disabled=not entries),
                share,
                Press("pl_export", playlist.id, label=tr("Export"), emoji="📄", disabled=not entries),
                Press("pl_delete", playlist.id, label=tr("Delete"), style=Style.danger),
            )
        )
    else:
        items.append(
            row(
                *listen,
                Press("pl_copy", playlist.id, label=tr("Copy to mine"), emoji="➕"),
                Press("pl_export", playlist.id, label=tr("Export"), emoji="📄"),
            )
        )
    if pages > 1:
        items.append(row(*turning("pl_page", playlist.id, page=page, pages=pages)))
    return Card(*items)


def edit_card(playlist: Playlist, entries: Sequence[Entry], page: int = 0) -> Card:
    """A playlist to put in order: each entry can go up, down or out."""
    pages = max(-(-len(entries) // EDITED), 1)
    page = min(page, pages - 1)
    items: list[ui.Item[Any]] = [
        text(f"## {plain(playlist.name)}", tr("-# Rename it with /playlist rename."))
    ]
    for place, entry in list(enumerate(entries, 1))[page * EDITED : (page + 1) * EDITED]:
        items.append(text(_heading(place, entry)))
        items.append(
            row(
                Press("pl_up", playlist.id, entry.id, page, emoji="⬆️", disabled=place == 1),
                Press("pl_down", playlist.id, entry.id, page, emoji="⬇️", disabled=place == len(entries)),
                Press("pl_drop", playlist.id, entry.id, page, label=tr("Remove")),
            )
        )
    if not entries:
        items.append(text(tr("Nothing in it any more.")))
    items.append(
        row(
            Press("pl_page", playlist.id, 0, label=tr("Done"), style=Style.primary),
            Press(
                "pl_flow", playlist.id, page, label=tr("Let it flow"), emoji="🌊", disabled=len(entries) < 3
            ),
            *turning("pl_edit", playlist.id, page=page, pages=pages),
        )
    )
    return Card(*items)


def shared_card(playlist: Playlist, entries: Sequence[Entry]) -> Card:
    """A playlist for everybody in the channel: the beginning, and where the rest is."""
    names = [_heading(place, entry) for place, entry in enumerate(entries[:SHARED], 1)]
    more = [tr("-# and {count} more", count=len(entries) - SHARED)] if len(entries) > SHARED else []
    return Card(
        text(f"## 🎶 {plain(playlist.name)}", f"-# {_summary(playlist, sharing=False)}"),
        text(*names, *more) if names else text(tr("Nothing in it.")),
        row(
            Press("pl_play", playlist.id, 0, label=tr("Listen"), emoji="🎧", style=Style.primary),
            Press("pl_show", playlist.id, label=tr("Show all")),
            Press("pl_copy", playlist.id, label=tr("Copy to mine"), emoji="➕"),
        ),
    )


def choose_card(track: Track, playlists: Sequence[Playlist]) -> Card:
    """Which playlist a track goes into."""
    buttons = [
        Press("pl_put", one.id, track.id, label=short(one.name, 40)) for one in playlists[:CHOICES]
    ] + [Press("pl_new", track.id, label=tr("New playlist"), emoji="➕", style=Style.primary)]
    rows = [row(*buttons[first : first + 5]) for first in range(0, len(buttons), 5)]
    older = [text(tr("-# Older playlists: use /playlist add."))] if len(playlists) > CHOICES else []
    return Card(text(tr("Add **{title}** to which playlist?", title=plain(track.title))), *rows, *older)


def import_card(playlist: Playlist | None, name: str, matches: Sequence[Match], left_out: int) -> Card:
    """What of an imported file is in the library and what is not."""
    missing = [one.item.label for one in matches if one.track_id is None]
    found = len(matches) - len(missing)
    lines = [f"-# · {plain(label, 90)}" for label in missing[:NAMED]]
    if len(missing) > NAMED:
        lines.append(tr("-# and {count} more, in the attached list", count=len(missing) - NAMED))
    tracks = _tracks(len(matches))
    if playlist is None:
        told = tr("None of its {tracks} is in the library, so no playlist was made.", tracks=tracks)
    elif missing:
        told = tr("{found} of {tracks} found; the others are not in the library.", found=found, tracks=tracks)
    else:
        told = tr("All {tracks} found.", tracks=tracks)
    return Card(
        text(
            f"## {plain(playlist.name if playlist else name)}",
            told,
            tr("-# The file names {left_out} more; I read no further.", left_out=left_out)
            if left_out
            else None,
        ),
        text(tr("**Not found**"), *lines) if missing else None,
        row(Press("pl_show", playlist.id, label=tr("Open"), style=Style.primary)) if playlist else None,
        colour=GOOD,
    )


def delete_card(playlist: Playlist) -> Card:
    """Before a list goes."""
    return note_card(
        tr("Delete **{name}**? This cannot be undone.", name=plain(playlist.name)),
        Press("pl_gone", playlist.id, label=tr("Delete it"), style=Style.danger),
        Press("pl_page", playlist.id, 0, label=tr("Keep it")),
    )


def player_buttons(playlist: Playlist, place: int, places: int, track_id: int) -> Buttons:
    """Under a preview that plays from a list."""
    buttons = [Press("pl_pick", track_id, label=tr("Add to playlist"), emoji="➕")]
    if places > 1:
        buttons = [
            Press("pl_on", playlist.id, (place - 1) % places, "b", emoji="⏮️"),
            Press("pl_on", playlist.id, (place + 1) % places, "f", label=tr("Next"), emoji="⏭️"),
            *buttons,
        ]
    return Buttons(*buttons)


def _line(place: int, entry: Entry) -> ui.Item[Any]:
    if entry.track_id is None:
        return text(_heading(place, entry))
    return section(Press("play", entry.track_id, label=tr("Play"), emoji="▶️"), _heading(place, entry))


def _heading(place: int, entry: Entry) -> str:
    length = clock(entry.duration_s)
    if entry.track_id is None:
        where = tr("only in another server's library") if entry.away else tr("not in the library now")
        return f"{place}. {plain(entry.title, 60)}\n{by_line(entry.artist, where, raw=1)}"
    return f"**{place}. {plain(entry.title, 60)}**\n{by_line(entry.artist, length, raw=1)}"


def _summary(playlist: Playlist, *, sharing: bool = True) -> str:
    parts = [_tracks(playlist.count)]
    if playlist.count:
        parts.append(_length(playlist.duration_s))
    if sharing:
        parts.append(tr("shared") if playlist.shared else tr("only you see it"))
    return " · ".join(parts)


def _length(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 1)} min"


def _tracks(count: int) -> str:
    return trn("{count:,} track", "{count:,} tracks", count)
