"""Cards of a party: who is in, what plays, and why for each."""

from __future__ import annotations

from typing import Any

from discord import ui

from bot.router import Press
from bot.theme import bar, plain
from bot.widgets import Card, Style, by_line, line, row, section, text, turning
from bot.words.i18n import percent, tr, trn
from bot.words.moods import occasion_label
from bot.words.reasons import reason_text
from core.library.parties import Guest, Opened

PAGE = 5

FEW = 8
"""Guests to whom two reasons each can be told on one card."""


def waiting_card(opened: Opened) -> Card:
    """Before the playlist: who has joined, and how to."""
    names = ", ".join(mention(guest) for guest in opened.guests) or tr("nobody yet")
    return Card(
        text(tr("## One playlist for all of us"), _subject(opened)),
        text(
            tr("**In so far:** {names}", names=names),
            tr(
                "Join with the mood that you told me with `/mood`. Everyone here will see which tracks suit you and why, not your answers."
            ),
        ),
        _doors(opened, tr("Make the playlist")),
    )


def party_card(opened: Opened, page: int = 0) -> Card:
    """One page of the playlist, each track with the member it suits best, and how well everyone is served."""
    pages = max(-(-len(opened.tracks) // PAGE), 1)
    first = page % pages * PAGE
    shown = list(enumerate(opened.tracks))[first : first + PAGE]
    shares = [(guest, guest.better_than) for guest in opened.guests if guest.better_than is not None]
    served = [guest for guest, _ in shares]
    items: list[ui.Item[Any]] = [
        text(tr("## Our playlist"), _subject(opened)),
        text(
            tr("-# On average these tracks suit each of us better than so much of the library"),
            *(f"`{bar(share)}` {mention(guest)} {percent(share)}" for guest, share in shares[:10]),
            tr("-# and {count} more", count=len(served) - 10) if len(served) > 10 else None,
        ),
    ]
    for place, track in shown:
        items += [line(), _track(place, track, served)]
    items.append(line())
    whys = [
        Press("party_why", opened.id, place, label=tr("Why {place}?", place=place + 1)) for place, _ in shown
    ]
    items.append(row(*whys))
    turn = turning("party_page", opened.id, page=page % pages, pages=pages)[-1:]
    items.append(_doors(opened, tr("Make it again"), *turn))
    items.append(row(Press("party_save", opened.id, label=tr("Save as my playlist"), emoji="💾")))
    return Card(*items)


def why_card(opened: Opened, place: int) -> Card:
    """What one track holds for each member, those whom it suits best first."""
    heard = [(guest, guest.heard[place]) for guest in opened.guests if len(guest.heard) > place]
    heard.sort(key=lambda pair: (-pair[1].score, pair[0].user_id))
    lines = [
        f"{mention(guest)} **{one.score:+.2f}** ".replace("-", "−")
        + (
            " ".join(
                plain(reason_text(reason), 120) for reason in one.reasons[: 2 if len(heard) <= FEW else 1]
            )
            or tr("Nothing speaks for it; others gain more by it.")
        )
        for guest, one in heard[:20]
    ]
    return Card(
        text(
            f"## {plain(opened.tracks[place]['title'])}",
            tr("-# Each score is the sum of that person's reasons."),
        ),
        text(*(lines or [tr("Nobody of this playlist is left.")])),
        row(Press("play", opened.tracks[place]["track_id"], label=tr("Play"), emoji="▶️")),
    )


def mention(guest: Guest) -> str:
    return f"<@{guest.user_id}>"


def _subject(opened: Opened) -> str:
    about = trn("{count} track", "{count} tracks", opened.count)
    if opened.occasion:
        about += f" · {occasion_label(opened.occasion)}"
    return tr("-# {what}, started by {member}", what=about, member=f"<@{opened.host}>")


def _track(place: int, track: dict[str, Any], served: list[Guest]) -> ui.Section[Any]:
    happiest = max(served, key=lambda guest: (guest.heard[place].score, -guest.user_id), default=None)
    reasons = happiest.heard[place].reasons if happiest else []
    return section(
        Press("play", track["track_id"], label=tr("Play"), emoji="▶️"),
        f"**{place + 1}. {plain(track['title'])}**",
        by_line(track["artist"], track["genre"]),
        f"> {mention(happiest)}: {plain(reason_text(reasons[0]), 160)}" if happiest and reasons else None,
    )


def _doors(opened: Opened, make: str, *more: Press) -> ui.ActionRow[Any]:
    return row(
        *more,
        Press("party_join", opened.id, label=tr("Join"), emoji="🙋", style=Style.primary),
        Press("party_leave", opened.id, label=tr("Leave")),
        Press(
            "party_make", opened.id, label=make, emoji="🎶", style=Style.success, disabled=not opened.guests
        ),
    )
