"""Cards about recommended and similar tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.router import Choose, Press
from bot.theme import plain
from bot.widgets import Card, Style, by_line, line, mood_colour, row, section, text, turning
from bot.words.changes import change_text, change_title
from bot.words.explain import Why, signed, why
from bot.words.i18n import inside, ordinal, tr
from bot.words.likeness import likeness_text
from bot.words.moods import (
    aim_label,
    aim_sentence,
    mood_adjective,
    mood_label,
    occasion_label,
    profile_text,
    steer_label,
    steers_text,
)
from bot.words.names import short
from bot.words.reasons import reason_text
from core.library.catalog import TrackLike
from core.library.recommendations import Pick, RecommendationQuery, Recommended
from core.library.tracks import Track
from core.moods.aim import AIMS, aim_emoji
from core.moods.profile import MOODS
from core.recommend.explain import in_short
from core.recommend.similar import Similar
from core.recommend.steer import SURPRISE, quick_steers, steer_emoji

PAGE = 5
"""Tracks on one card: a card holds at most 40 components, and more than five reasons to listen are none."""

MOST_OPTIONS = 25
"""That Discord takes in a list."""

SENTENCE = 300
"""Characters of one sentence: titles may be long."""


def picks_card(made: Recommended, page: int = 0, *, steers: Sequence[str] = (), shared: bool = False) -> Card:
    """One page of recommended tracks: what, why in one or two sentences, and a button to hear each.

    `steers` are those that the library can follow. A shared card shows neither the mood nor what was steered.
    """
    pages = -(-len(made.picks) // PAGE)
    first = page * PAGE
    shown = made.picks[first : first + PAGE]
    items: list[ui.Item[Any]] = [text(*(_shared_heading(made.query) if shared else _heading(made)))]
    said: set[str] = set()
    for position, pick in enumerate(shown, first):
        items.append(
            section(
                Press("play", pick.track_id, label=tr("Play"), emoji="▶️"),
                f"**{position + 1}. {plain(pick.title)}**",
                by_line(pick.artist, pick.genre),
                *(
                    f"> {plain(reason_text(reason), SENTENCE)}"
                    for reason in in_short(pick, 2 if len(shown) <= 3 else 1, said)
                ),
            )
        )
    if pages > 1 and not shared:
        items.append(row(*turning("rec_page", made.id, page=page, pages=pages)))
    else:
        items.append(line())
    items.append(
        row(
            *(
                Press("rec_why", made.id, i, label=tr("Why {i}?", i=i + 1))
                for i in range(first, first + len(shown))
            )
        )
    )
    if not shared:
        items += _steering(made, shown, steers)
        items.append(
            row(
                Press("rec_undo", made.id, label=tr("Undo"), emoji="↩️") if made.parent_id else None,
                Press("rec_more", made.id, label=tr("Other picks"), emoji="🔀", style=Style.primary),
                Press("rec_share", made.id, page, label=tr("Share"), emoji="📣"),
                Press("pl_save", made.id, label=tr("Save"), emoji="💾"),
            )
        )
    strongest = None if shared else next(iter(made.query.target.strongest(1)), (None,))[0]
    return Card(*items, colour=mood_colour(strongest))


def _heading(made: Recommended) -> list[str]:
    """What the picks are for, and what the last steer changed."""
    query = made.query
    about = [_what_for(query.occasion) if query.occasion else tr("Music for the mood of the moment")]
    if query.chosen:
        about.append(mood_adjective(query.chosen))
    elif any(query.profile.moods.values()):
        about.append(profile_text(query.profile))
    if query.steers:
        about.append(tr("steered: {steers}", steers=steers_text(query.steers)))
    lines = [tr("## For you, now"), f"-# {' · '.join(about)}"]
    if not any(query.profile.moods.values()):
        lines.append(tr("-# Answer `/mood`, and I match how you feel, too."))
    if query.aim != "match":
        lines.append(f"-# {aim_sentence(query.profile, query.aim, brief=True)}")
    if made.changed:
        back = "↩️ " if made.changed["tap"]["code"] == "taken-back" else ""
        lines.append(f"{back}**{plain(change_title(made.changed), 100)}:** {change_text(made.changed)}")
    return lines


def _what_for(occasion: str) -> str:
    return tr("Music for {occasion}", occasion=inside(occasion_label(occasion)))


def _shared_heading(query: RecommendationQuery) -> list[str]:
    return [tr("## Picked to share"), *([f"-# {_what_for(query.occasion)}"] if query.occasion else [])]


def _steering(made: Recommended, shown: Sequence[Pick], steers: Sequence[str]) -> list[ui.Item[Any]]:
    """A row of one-tap steers, and a list of the others, of the aims, of what can be taken back or skipped: buttons to
    skip each would be more than a card holds."""
    quick = [name for name in quick_steers() if name in steers and name != SURPRISE]
    applied = made.query.steers
    on_buttons = (*quick[:4], SURPRISE)
    buttons = [
        Press("rec_steer", made.id, name, label=steer_label(name), emoji=steer_emoji(name))
        for name in on_buttons
    ]
    options = [
        discord.SelectOption(
            label=tr("Take back: {steer_label}", steer_label=steer_label(name).lower()),
            value=f"back.{name}",
            emoji="↩️",
        )
        for name in dict.fromkeys(applied)
        if name != SURPRISE
    ]
    taken = len(options)
    if any(made.query.profile.moods.values()):
        options += [
            discord.SelectOption(label=aim_label(aim), value=f"aim.{aim}", emoji=aim_emoji(aim))
            for aim in AIMS
            if aim != made.query.aim
        ]
    options += [
        discord.SelectOption(label=steer_label(name), value=name, emoji=steer_emoji(name))
        for name in steers
        if name not in on_buttons
    ]
    # A steer is nowhere else, a skip stands under Why and the preview, too: when the list is full, skips give way.
    options[taken:taken] = [
        discord.SelectOption(
            label=tr("Skip {title}", title=short(pick.title)), value=f"skip.{pick.track_id}", emoji="⏭️"
        )
        for pick in shown[: max(MOST_OPTIONS - len(options), 0)]
    ]
    more = [
        row(
            Choose(
                "rec_steer",
                made.id,
                placeholder=tr("Skip one, or more ways to steer"),
                options=options[:MOST_OPTIONS],
            )
        )
    ]
    return [row(*buttons), *(more if options else ())]


def no_mood_card(occasion: str | None, aim: str, count: int) -> Card:
    """Nothing is known about the member's mood yet: questions, or one mood by choice."""
    options = [discord.SelectOption(label=mood_label(mood), value=mood) for mood in MOODS]
    return Card(
        text(tr("I don't know your mood yet: a few questions, about a minute, and I can choose.")),
        row(
            Press("mood_start", label=tr("Ask me"), style=Style.primary),
            Press("mood_form", label=tr("Five at once"), emoji="📝"),
        ),
        row(
            Choose(
                "recommend_mood",
                occasion or "",
                count,
                aim,
                placeholder=tr("Or choose a mood"),
                options=options,
            )
        ),
    )


def why_card(made: Recommended, position: int, ranking: Sequence[str], *, own: bool = True) -> Card:
    """Why one track: for it, against it, and what would have ranked higher. Others' moods stay theirs."""
    pick = made.picks[position]
    found = why(pick)
    place = tr("{place} of {count}", place=ordinal(position + 1), count=len(made.picks))
    small = [plain(note, SENTENCE) for note in found.notes]
    if sources := cited(found):
        small.append(tr("After {sources}.", sources=sources))
    return Card(
        text(
            tr("## Why {title}?", title=plain(pick.title)),
            f"-# {place}" + (f" · {found.total}" if own else ""),
        ),
        *for_and_against(found),
        text(tr("**What would rank higher**"), *(plain(one, SENTENCE) for one in ranking))
        if ranking
        else None,
        text(*(f"-# {one}" for one in small)) if small else None,
        row(
            Press("play", pick.track_id, label=tr("Play"), emoji="▶️"),
            Press("like_this", pick.track_id, label=tr("More like this")),
            Press("rec_less", made.id, pick.track_id, label=tr("Less like this")) if own else None,
            Press("details", pick.track_id, label=tr("Details"), emoji="🔍"),
        ),
        row(
            *opinion_buttons(pick.track_id),
            Press("rec_skip", made.id, pick.track_id, emoji="⏭️", label=tr("Skip")) if own else None,
            Press("pl_pick", pick.track_id, label=tr("Add to playlist"), emoji="➕"),
        ),
        colour=mood_colour(next(iter(made.query.target.strongest(1)), (None,))[0] if own else None),
    )


def for_and_against(found: Why) -> list[ui.Item[Any]]:
    """What speaks for a track, and what against it."""
    said, against = (
        [f"**{signed(one.contribution)}** {plain(reason_text(one), SENTENCE)}" for one in reasons]
        for reasons in (found.reasons, found.against)
    )
    pro = text(
        tr("**What speaks for it**"), *(said or [tr("Nothing in particular: the others fit even less.")])
    )
    return [pro, text(tr("**What speaks against it**"), *against)] if against else [pro]


def cited(found: Why) -> str:
    """The literature behind all reasons."""
    return "; ".join(sorted({one.citation for one in (*found.reasons, *found.against) if one.citation}))


def opinion_buttons(track_id: int, said: bool | None = None) -> list[Press]:
    """Thumbs up and down; the one that stands is coloured, and pressing it again takes it back."""
    return [
        Press("rate", track_id, 1, emoji="👍", style=Style.success if said is True else Style.secondary),
        Press("rate", track_id, 0, emoji="👎", style=Style.danger if said is False else Style.secondary),
    ]


def next_button(made: Recommended, track_id: int) -> Press:
    """⏭ under the preview of a pick: plays the one after it."""
    place = [pick.track_id for pick in made.picks].index(track_id)
    return Press("rec_next", made.id, (place + 1) % len(made.picks), emoji="⏭️", label=tr("Next"))


def similar_card(track: Track, near: Sequence[Similar]) -> Card:
    """Behind "More like this": the nearest tracks, each with what both have in common."""
    if not near:
        return Card(
            text(tr("Nothing else in the library sounds like **{title}** yet.", title=plain(track.title)))
        )
    return Card(
        text(tr("## Sounds like {title}", title=plain(track.title))),
        *(similar_section(one) for one in near),
        compare_row(track, [one.track for one in near[:5]]),
        row(Press("sim", track.id, "sound", "cosine", "", "", label=tr("More ways to compare"), emoji="🎚️")),
    )


def compare_row(track: Track, others: Sequence[TrackLike]) -> ui.ActionRow[Any]:
    """Buttons that put each of up to five others beside the track."""
    labels = [tr("Compare {place}", place=place) for place in range(1, len(others) + 1)]
    return row(
        *(Press("compare", track.id, one.id, label=label) for one, label in zip(others, labels, strict=True))
    )


def similar_section(one: Similar) -> ui.Section[Any]:
    """One of them, with its first reason and a button to hear it."""
    return section(
        Press("play", one.track.id, label=tr("Play"), emoji="▶️"),
        f"**{plain(one.track.title)}**",
        by_line(one.track.artist, one.track.genre),
        *(f"> {likeness_text(reason)}" for reason in one.reasons[:1]),
    )
