"""The card of /similar: what goes with a track, why, and other ways to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import ui

from bot.features.recommend.cards import compare_row
from bot.router import Choose, Press
from bot.theme import STEM_EMOJI, plain
from bot.widgets import Card, Style, by_line, gallery, line, row, section, text
from bot.words.i18n import inside, joined, number, tr
from bot.words.likeness import likeness_text
from bot.words.named import word, words
from bot.words.names import stem_name
from bot.words.prominence import prominence_text
from core.audio.types import STEMS
from core.errors import Fact
from core.library.tracks import Track
from core.recommend.prominence import Prominent
from core.recommend.similar import Similar

KINDS = {"sound": "🎚️", "instruments": "🎻", "latent": "🧠"}
"""What tracks can be compared by here."""

PICTURE = "comparison.png"
COUNT = 5


@dataclass(frozen=True)
class SimilarQuestion:
    """What was asked; it travels in the buttons, so that they work for ever. `track_id` 0: no track, only `practise`."""

    track_id: int
    by: str = "sound"
    metric: str = "cosine"
    stems: tuple[str, ...] = ()
    practise: str = ""

    @property
    def arguments(self) -> tuple[object, ...]:
        stems = "".join(str(STEMS.index(stem)) for stem in self.stems)
        return self.track_id, self.by, self.metric, stems, self.practise

    @classmethod
    def of(cls, track_id: int, by: str, metric: str, stems: str, practise: str) -> SimilarQuestion:
        """From a button's arguments; what this version does not know becomes what it asks by itself."""
        known = tuple(STEMS[int(digit)] for digit in stems if digit.isdecimal() and int(digit) < len(STEMS))
        return cls(
            track_id,
            by if by in KINDS else "sound",
            metric if metric in words("metrics") else "cosine",
            known,
            practise if practise in STEMS else "",
        )

    def toggled(self, stem: str) -> SimilarQuestion:
        """With this stem among those that are compared, or without it; compares by instruments from now on."""
        stems = tuple(one for one in STEMS if (one in self.stems) != (one == stem))
        return replace(self, by="instruments", stems=stems)


def answer_card(
    question: SimilarQuestion, track: Track | None, near: Sequence[Similar], standing: Sequence[Prominent]
) -> Card:
    """The tracks with their reasons; `standing` in place of `near` where an instrument is to be practised."""
    items: list[ui.Item[Any]] = [text(*_heading(question, track))]
    shown: list[tuple[Any, str, list[str]]]
    if question.practise:
        alike = {one.track.id: [likeness_text(reason) for reason in one.reasons[:1]] for one in near}
        shown = [
            (
                one.track,
                tr("prominence {value:.2f}", value=one.prominence),
                [prominence_text(one), *alike.get(one.track.id, ())],
            )
            for one in standing
        ]
    else:
        shown = [
            (one.track, number(one.similarity, "+.2f"), [likeness_text(reason) for reason in one.reasons[:2]])
            for one in near
        ]
    for place, (found, value, why) in enumerate(shown, 1):
        items.append(
            section(
                Press("play", found.id, label=tr("Play"), emoji="▶️"),
                f"**{place}. {plain(found.title, 60)}**  {value}",
                by_line(found.artist, found.genre),
                *(f"> {plain(reason, 200)}" for reason in why),
            )
        )
    if not shown:
        items.append(
            text(tr("Nothing in the library fits; try another way below, or add music with /upload."))
        )
    items.append(line())
    if track is not None and shown:
        items.append(compare_row(track, [found for found, _, _ in shown]))
    if track is not None:
        items += _ways(question)
    items.append(row(Choose("sim_practise", *question.arguments, placeholder=tr("Practise an instrument"), options=_practise(question))))  # fmt: skip
    return Card(*items)


def _heading(question: SimilarQuestion, track: Track | None) -> list[str]:
    by = f"{inside(word('compared', question.by))}, {inside(word('metrics', question.metric))}"
    if question.by == "instruments" and question.stems:
        stems = joined([inside(stem_name(stem)) for stem in question.stems])
        by = tr("{measure}, only {instruments}", measure=by, instruments=stems)
    practised = inside(stem_name(question.practise)) if question.practise else ""
    if practised and track is None:
        return [
            tr("## To practise {instrument} with", instrument=practised),
            tr("-# Where it plays most of the time and stands out."),
        ]
    title = plain(track.title if track else "", 60)
    if practised:
        return [
            tr("## Like {title}, to practise {instrument} with", title=title, instrument=practised),
            tr("-# Among the most alike by {measure}.", measure=by),
        ]
    return [tr("## Like {title}", title=title), tr("-# Compared by {measure}: +1 is the same.", measure=by)]


def _ways(question: SimilarQuestion) -> list[ui.Item[Any]]:
    buttons = [
        Press(
            "sim", *replace(question, by=name, stems=question.stems if name == "instruments" else ()).arguments,
            label=word("compared", name), emoji=emoji, style=Style.primary if question.by == name else Style.secondary,
            disabled=question.by == name,
        )
        for name, emoji in KINDS.items()
    ]  # fmt: skip
    buttons += [
        Press(
            "sim_metric",
            *replace(question, metric=name).arguments,
            label=word("metrics", name),
            disabled=question.metric == name or question.by == "latent",  # those vectors have a length of 1
        )
        for name in words("metrics")
    ]
    options = [
        discord.SelectOption(
            label=(
                tr("Without: {stem}", stem=stem_name(stem))
                if stem in question.stems
                else tr("With: {stem}", stem=stem_name(stem))
            ),
            value=stem,
            emoji=STEM_EMOJI[stem],
        )
        for stem in STEMS
    ]
    return [
        row(*buttons),
        row(
            Choose(
                "sim_stem",
                *question.arguments,
                placeholder=tr("Compare these instruments only"),
                options=options,
            )
        ),
    ]


def _practise(question: SimilarQuestion) -> list[discord.SelectOption]:
    options = [
        discord.SelectOption(
            label=tr("Practise: {stem}", stem=stem_name(stem)), value=stem, emoji=STEM_EMOJI[stem]
        )
        for stem in STEMS
        if stem not in ("other", question.practise)
    ]
    if question.practise and question.track_id:
        options.append(discord.SelectOption(label=tr("Any instrument"), value="none"))
    return options


def comparison_card(left: Track, right: Track, reasons: Sequence[Fact], audio_is_there: bool) -> Card:
    """Two tracks beside each other; the picture is attached as PICTURE."""
    one, other = plain(left.title, 60), plain(right.title, 60)
    description = tr(
        "Spectrograms of {one} and {other} beside each other, and for tone colour, notes, tempo, brightness, zero crossings and contrast how much each makes them alike",
        one=one,
        other=other,
    )
    return Card(
        text(tr("## {one} and {other}", one=one, other=other)),
        text(*(f"> {plain(likeness_text(one), 200)}" for one in reasons)) if reasons else None,
        gallery(PICTURE, description),
        None if audio_is_there else text(tr("-# The audio of one of them is no longer kept.")),
        row(
            Press("play", left.id, label=tr("Play the first"), emoji="▶️"),
            Press("play", right.id, label=tr("Play the second"), emoji="▶️"),
            Press("details", right.id, label=tr("Details"), emoji="🔍"),
        ),
    )
