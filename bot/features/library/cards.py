"""Cards about the library: answers of a search, one track, what was heard and recommended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from discord import ui

from bot.router import Press
from bot.theme import STEM_EMOJI, bar, clock, plain
from bot.widgets import Card, Style, by_line, gallery, line, mood_colour, row, section, text, turning
from bot.words.i18n import inside, joined, number, percent, tr, trn
from bot.words.meanings import in_words
from bot.words.moods import mood_adjective, occasion_label
from bot.words.named import word
from bot.words.names import key_name, stem_name
from core.library.history import Moment
from core.library.query import Query
from core.library.search import SOUNDS, Filters, Found, Hit
from core.library.tracks import Track
from core.recommend.search_semantics import estimated
from core.separation.base import HEARD
from core.separation.registry import describe

PAGE = 5
MOMENTS = 8
"""Tracks, and moments of the past, on one card: it holds at most 40 components."""

PICTURE = "analysis.png"
"""Of a track: its spectrogram and the activity of its stems."""


@dataclass(frozen=True)
class Asked:
    """A search as the member made it; `text` is None when browsing."""

    text: str | None
    query: Query
    filters: Filters


def hits_card(asked: Asked, found: Found, search_id: int, page: int) -> Card:
    """One page of tracks that were found, with what each has of what was asked for."""
    pages = max(-(-found.total // PAGE), 1)
    title = f"## “{plain(asked.text, 60)}”" if asked.text else tr("## The library")
    items: list[ui.Item[Any]] = [text(title, f"-# {_counted(found)}{_understood(asked)}")]
    first = page * PAGE + 1
    items += [
        section(
            Press("play", hit.track.id, label=tr("Play"), emoji="▶️"),
            f"**{place}. {plain(hit.track.title)}**",
            by_line(hit.track.artist, genre_line(hit.track, hit), *_facts(hit)),
            _met(hit),
        )
        for place, hit in enumerate(found.hits, first)
    ]
    opening = [
        Press("track_open", hit.track.id, label=tr("About {place}", place=place))
        for place, hit in enumerate(found.hits, first)
    ]
    items += [line(), row(*opening)]
    if pages > 1:
        items.append(row(*turning("lib_page", search_id, page=page, pages=pages)))
    return Card(*items)


def nothing_card(asked: Asked) -> Card:
    """What was looked for without success, and what to do next."""
    understood = _understood(asked).removeprefix(" · ")
    return Card(
        text(
            tr("Nothing in the library for “{words}”.", words=plain(asked.text, 60))
            if asked.text
            else tr("Nothing in the library.")
        ),
        text(f"-# {understood}") if understood else None,
        text(tr("Try fewer words or filters, or look around with /library browse.")),
    )


def track_card(
    track: Track, hit: Hit | None, moods: Sequence[tuple[str, float]], *, picture: bool = False
) -> Card:
    """Everything that is known about a track. `moods` are (name, score) of those that fit best."""
    facts = [clock(track.duration_s), *(_facts(hit) if hit else [])]
    source = tr("Comes with Moodstem") if track.source.placeholder else None
    if track.source.member_owned:
        source = tr("Uploaded by a member")
    fits = [f"{bar(score, 8)}  {mood_adjective(mood)} **{number(score, '+.2f')}**" for mood, score in moods]
    heard = sorted(
        ((share, stem) for stem, share in (hit.activity if hit else {}).items() if share >= HEARD),
        reverse=True,
    )
    sounds = [
        f"{STEM_EMOJI[stem]} {bar(share, 8)}  {inside(stem_name(stem))} {percent(share)}"
        for share, stem in heard
    ]
    note = estimate_note(hit.separator) if hit and heard else ""
    return Card(
        text(
            f"## {plain(track.title)}",
            by_line(track.artist, track.album, genre_line(track, hit)) or tr("-# Artist unknown"),
            " · ".join(facts),
        ),
        text(tr("**How it fits**"), *fits) if fits else None,
        text(tr("**How much of the time each sounds**"), *sounds, note) if sounds else None,
        overview(track) if picture else None,
        text(f"-# {source}.") if source else None,
        row(
            Press("play", track.id, label=tr("Play"), emoji="▶️", style=Style.primary),
            Press("like_this", track.id, label=tr("More like this")),
            Press("pl_pick", track.id, label=tr("Add to playlist"), emoji="➕"),
        ),
        colour=mood_colour(moods[0][0] if moods else None),
    )


def overview(track: Track) -> ui.MediaGallery[Any]:
    """The track's picture, attached as PICTURE."""
    title = plain(track.title)
    return gallery(PICTURE, tr("Spectrogram of {title} and the activity of each stem over time", title=title))


def estimate_note(separator: str | None) -> str:
    """Return small print below what each instrument does; empty for a separator that tells them apart well."""
    if separator is None or not (info := describe(separator)).is_estimate:
        return ""
    return tr(
        "-# The instruments were told apart by {separator}: take this as an estimate.",
        separator=tr(info.label),
    )


def history_card(moments: Sequence[Moment], total: int, kind: str, page: int) -> Card:
    """What was heard and recommended, the latest first."""
    pages = -(-total // MOMENTS)
    items: list[ui.Item[Any]] = [text(f"## {word('history-titles', kind)}")]
    for moment in moments:
        names = ", ".join(plain(title, 50) for title in moment.titles)
        more = moment.count - len(moment.titles)
        titles = names + (tr(" and {count} more", count=more) if more > 0 else "")
        if moment.kind == "played":
            items.append(
                section(
                    Press("hist_play", moment.id, len(items), label=tr("Play"), emoji="▶️"),
                    f"▶️ **{names}**",
                    by_line(moment.artist, f"<t:{moment.at}:R>", raw=1),
                )
            )
        else:
            picked = tr("🎧 Picked: {titles}", titles=titles)
            if moment.occasion:
                occasion = inside(occasion_label(moment.occasion))
                picked = tr("🎧 Picked for {occasion}: {titles}", occasion=occasion, titles=titles)
            show = Press("hist_open", moment.id, label=tr("Show"))
            items.append(section(show, picked, f"-# <t:{moment.at}:R>"))
    if pages > 1:
        items.append(row(*turning("hist_page", kind or "all", page=page, pages=pages)))
    return Card(*items)


def genre_line(track: Track, hit: Hit | None) -> str | None:
    """The genre of the tags, else what the network takes the track for, which it then says."""
    if track.genre is not None or hit is None or not hit.told:
        return track.genre
    if len(hit.told) == 1:
        return tr("{genre}, by its sound", genre=hit.told[0])
    return tr("{first} or {second}, by its sound", first=hit.told[0], second=hit.told[1])


def _facts(hit: Hit) -> list[str]:
    return [
        *([f"{hit.tempo_bpm:.0f} BPM"] if hit.tempo_bpm is not None else []),
        *([key_name(str(hit.key))] if hit.key else []),
    ]


def _met(hit: Hit) -> str:
    said = [
        in_words(meaning, strength, estimate=estimated(hit.separator, meaning))
        for meaning, strength in hit.met.items()
    ]
    return f"> {', '.join(said)}" if said else ""


def _counted(found: Found) -> str:
    how = {"beginnings": tr("by how words begin"), "parts": tr("by parts of words")}.get(found.how)
    tracks = trn("{count:,} track", "{count:,} tracks", found.total)
    return f"{tracks}, {how}" if how else tracks


def _understood(asked: Asked) -> str:
    """How the words were taken, and the filters."""
    filters, parts = asked.filters, []
    if asked.query.meant:
        words = [plain(term.text, 30) for term in asked.query.meant]
        parts.append(tr("{words}: by sound or name", words=joined(words)))
    if filters.genre:
        parts.append(plain(filters.genre, 40))
    if filters.tempo_from or filters.tempo_to:
        ends = [tr("from {tempo:.0f}", tempo=filters.tempo_from)] if filters.tempo_from else []
        ends += [tr("up to {tempo:.0f}", tempo=filters.tempo_to)] if filters.tempo_to else []
        parts.append(f"{' '.join(ends)} BPM")
    if filters.key:
        parts.append(tr("in {key}", key=key_name(str(filters.key))))
    if filters.instrument:
        parts.append(
            tr(
                "{instrument} at least {percent} of the time",
                instrument=stem_name(filters.instrument),
                percent=percent(SOUNDS),
            )
        )
    return "".join(f" · {part}" for part in parts)


def details_card(track: Track, pictures: Sequence[str], audio_is_there: bool) -> Card:
    """The pictures by name (attached as NAME.png), each below what it shows."""
    items: list[ui.Item[Card]] = []
    for name in pictures:
        described = word("pictured", name, title=plain(track.title))
        items += [text(word("captions", name)), gallery(f"{name}.png", described)]
    gone = text(tr("-# Its audio is no longer kept, so there is no picture of its sound."))
    return Card(
        text(f"## {plain(track.title)}", f"-# {plain(track.artist)}" if track.artist else None),
        *items,
        None if audio_is_there else gone,
    )
