"""Cards of /journey: where to, where from, and the way with its tracks."""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.features.recommend.cards import cited, for_and_against, opinion_buttons
from bot.router import Choose, Press
from bot.theme import clock, plain
from bot.widgets import Card, Style, by_line, gallery, line, mood_colour, row, section, text, turning
from bot.words.explain import why
from bot.words.i18n import percent, tr, trn
from bot.words.moods import mood_label, moods_text
from bot.words.reasons import reason_text
from core.library.journeys import Made
from core.moods.profile import MOODS
from core.recommend.explain import in_short

PAGE = 5
PICTURE = "journey.png"
SENTENCE = 300


def where_card(action: str, arguments: tuple[object, ...], *, known: bool) -> Card:
    """A mood to choose: where to (`known`: the present mood is known), or where from."""
    options = [discord.SelectOption(label=mood_label(mood), value=mood) for mood in MOODS]
    if action == "jr_to":
        question = (
            tr("I know how you feel. Where should the music lead you?")
            if known
            else tr("Where should the music lead you?")
        )
        placeholder = tr("Choose a mood to arrive at")
        more: list[ui.Item[Any]] = []
    else:
        question = tr("A journey begins where you are, and I don't know your mood yet.")
        placeholder = tr("Choose how you feel now")
        more = [row(Press("mood_start", label=tr("Ask me"), style=Style.primary))]
    return Card(
        text(question), *more, row(Choose(action, *arguments, placeholder=placeholder, options=options))
    )


def journey_card(made: Made, page: int = 0, *, picture: bool = False, drawing: bool = False) -> Card:
    """One page of the way: each track, how far along it lies, and why. `drawing`: the picture is on its way."""
    start, goal = map(moods_text, made.ends)
    pages = -(-len(made.stops) // PAGE)
    page %= pages
    first = page * PAGE
    items: list[ui.Item[Any]] = [
        text(
            tr("## From {start} to {goal}, step by step", start=start, goal=goal),
            f"-# {trn('{count} track', '{count} tracks', len(made.stops))} · {clock(made.seconds)} · "
            + tr("it begins where you are, as the iso principle of music therapy does"),
        )
    ]
    if picture:
        items.append(gallery(PICTURE, described(made)))
    elif drawing:
        items.append(text(tr("-# The picture of the way is being drawn ...")))
    said: set[str] = set()
    shown = list(enumerate(made.stops))[first : first + PAGE]
    for place, stop in shown:
        reasons = in_short(stop.pick, 1, said)
        items.append(
            section(
                Press("play", stop.pick.track_id, label=tr("Play"), emoji="▶️"),
                f"**{place + 1}. {plain(stop.pick.title, 60)}**",
                by_line(stop.pick.artist, tr("{share:.0%} of the way", share=stop.at), raw=1),
                *(f"> {plain(reason_text(reason), SENTENCE)}" for reason in reasons),
            )
        )
    items.append(line())
    items.append(
        row(*(Press("jr_why", made.id, place, label=tr("Why {i}?", i=place + 1)) for place, _ in shown))
    )
    items.append(
        row(
            Press("jr_save", made.id, label=tr("Save"), emoji="💾", style=Style.primary),
            Press("jr_again", made.id, label=tr("Another way"), emoji="🔀"),
            *turning("jr_page", made.id, page=page, pages=pages),
        )
    )
    return Card(*items, colour=mood_colour(made.question.goal))


def described(made: Made) -> str:
    """The picture in words, for those who do not see it."""
    start, goal = map(moods_text, made.ends)
    way = ", ".join(
        f"{place}. {plain(stop.pick.title, 40)} {percent(stop.at)}"
        for place, stop in enumerate(made.stops, 1)
    )
    return tr(
        "The way from {start} to {goal}: how much of each mood every track has, and the tracks on the plane of valence"
        " and arousal. How far along the way each lies: {way}",
        start=start,
        goal=goal,
        way=way,
    )[:1000]


def why_card(made: Made, place: int) -> Card:
    """Why this track at this step: what speaks for it and against it; the sum is the score."""
    stop = made.stops[place]
    found = why(stop.pick, 4)
    step = tr(
        "Step {place} of {count}, at {asked:.0%} of the way",
        place=place + 1,
        count=len(made.stops),
        asked=stop.asked,
    )
    sources = cited(found)
    return Card(
        text(tr("## Why {title}?", title=plain(stop.pick.title)), f"-# {step} · {found.total}"),
        *for_and_against(found),
        text(f"-# {sources}") if sources else None,
        row(
            Press("play", stop.pick.track_id, label=tr("Play"), emoji="▶️"),
            Press("details", stop.pick.track_id, label=tr("Details"), emoji="🔍"),
            *opinion_buttons(stop.pick.track_id),
        ),
    )
