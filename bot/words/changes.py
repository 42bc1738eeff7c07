"""What one tap on a list of picks changed, in the reader's language."""

from __future__ import annotations

from typing import Any

from bot.words import wording
from bot.words.i18n import tr, trn
from bot.words.say import say
from core.audio.vocabulary import phrases
from core.errors import Fact


def change_text(changed: Fact) -> str:
    """What followed: 'slower (118 → 84 BPM), softer, less drums; 4 of 5 are new.' Numbers are means over the picks."""
    fresh = changed["fresh"]
    if fresh:
        new = trn("{count} of {all} is new", "{count} of {all} are new", fresh, all=changed["all"])
    elif changed["reordered"]:
        new = tr("the same picks, in another order")
    else:
        new = tr("the same picks, in the same order")
    said = ", ".join(_move(move) for move in changed["moves"])
    return f"{said}; {new}." if said else f"{new}."


def change_title(changed: Fact) -> str:
    """What was tapped: 'Calmer', 'Calmer taken back', 'Skipped Autumn: Leaves'."""
    return say(changed["tap"])


def _move(move: dict[str, Any]) -> str:
    words, known = tr(move["change"]), phrases(move["descriptor"])
    if known is None or known.short is None or move["before"] is None:
        return words
    first, second = (wording.formatted(move[when], known.format) for when in ("before", "after"))
    return f"{words} ({first} → {second} {tr(known.short)}".rstrip() + ")" if first != second else words
