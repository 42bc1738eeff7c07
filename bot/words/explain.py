"""Why this track: what speaks for and against it, and what the sum is made of, in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.words.i18n import inside, joined, lowered, number, percent, tr
from bot.words.moods import mood_adjective, occasion_label, steer_label
from bot.words.named import word, words
from bot.words.wording import the_source
from core.library.recommendations import Reason
from core.moods.profile import MOODS
from core.recommend.explain import WEIGHS, Explained, distinct, speaking_for
from core.recommend.table import trust
from core.separation.registry import describe

PARTS = 5
"""The sum is shown in this many parts, the smallest ones together."""


@dataclass(frozen=True)
class Why:
    """The answer to 'why this?': the strongest reasons on both sides, and `notes` on what could not be counted."""

    total: str
    reasons: list[Reason]
    against: list[Reason]
    notes: list[str]


def why(one: Explained, n: int = 3) -> Why:
    """Up to `n` reasons for the track, each about another measurement, and two against it that weigh."""
    chosen = distinct(speaking_for(one), n)
    against = [reason for reason in one.against if reason.contribution <= -WEIGHS]
    against = distinct(against, 2, skip=chosen)
    notes = [note for note in (left_out(one.missing), heard_by(one.separator, [*chosen, *against])) if note]
    return Why(total(one.parts, one.score), chosen, against, notes)


def total(parts: Mapping[str, float], score: float) -> str:
    """What the score is made of, largest first: '+0.31 calm, +0.12 study, −0.04 shown lately = +0.39'.

    Hundredths are rounded so that they add up to the rounded score (largest remainders).
    """
    ordered = sorted(parts.items(), key=lambda part: -abs(part[1]))
    shown = ordered if len(ordered) <= PARTS else ordered[: PARTS - 1]
    named = [(part_label(topic), value) for topic, value in shown]
    if rest := ordered[len(shown) :]:
        named.append((tr("all else"), sum(value for _, value in rest)))
    whole = [math.floor(100 * value) for _, value in named]
    remainders = sorted(range(len(named)), key=lambda i: whole[i] - 100 * named[i][1])
    shown_score = round(100 * round(score, 2))  # as it is written; 100 * 0.265 alone would be 26
    for i in remainders[: max(shown_score - sum(whole), 0)]:
        whole[i] += 1
    said = [f"{signed(cents / 100)} {label}" for (label, _), cents in zip(named, whole, strict=True) if cents]
    return f"{', '.join(said)} = {signed(score)}" if said else signed(score)


def part_label(topic: str) -> str:
    """A part of the sum in one or two words: 'calm', 'Study', 'your wish on vocals', 'calmer', 'shown lately'."""
    kind, _, name = topic.partition(".")
    if topic in MOODS:
        return mood_adjective(topic)
    if kind == "preference":
        return tr("your wish: {preference}", preference=word("preferences", name))
    if kind == "steer":
        return lowered(steer_label(name))
    return word("parts", topic) if topic in words("parts") else inside(occasion_label(topic))


def signed(value: float) -> str:
    """'+0.08' or '−0.08'."""
    return number(value, "+.2f").replace("-", "\u2212")


def left_out(missing: Sequence[str]) -> str | None:
    """Which stems' rules were left out of the sum."""
    if not missing:
        return None
    return tr(
        "Left out of the sum, in part: {instruments} (not heard here, or not told apart for sure).",
        instruments=joined([the_source(stem) for stem in missing]),
    )


def heard_by(separator: str, reasons: Sequence[Reason]) -> str | None:
    """Who told the instruments apart, and how far the reasons could rely on it."""
    info = describe(separator)
    if not info.reliability:
        return tr("No instruments were told apart in this track, so only the music as a whole speaks.")
    stems = dict.fromkeys(
        reason.source for reason in reasons if reason.percentile is not None and reason.source != "mix"
    )
    if not stems:
        return None
    shares = [f"{the_source(stem)} {percent(trust(separator, stem))}" for stem in stems]
    return tr(
        "The instruments were told apart by {separator}, and count that much: {shares}.",
        separator=tr(info.label),
        shares=", ".join(shares),
    )
