"""Moods, aims, occasions and steers in the reader's language: core's tables hold their names in all languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bot.words.i18n import joined, lowered, mark, tr
from core.moods.aim import aim_entry, aim_moves
from core.moods.profile import Profile, tables
from core.recommend.steer import steer_entry
from core.spoken import spoken


def translated(texts: dict[str, Any]) -> Any:
    """The text in the reader's language, in English where there is none."""
    return texts.get(spoken(), texts["en"])


def mood_label(mood: str) -> str:
    """The mood's name for buttons and tables: 'Joyful activation'."""
    return str(translated(tables("questions")["moods"][mood]["label"]))


def mood_adjective(mood: str) -> str:
    """The mood inside a sentence: 'joyful'."""
    return str(translated(tables("questions")["moods"][mood]["adjective"]))


def moods_text(moods: Sequence[str]) -> str:
    """'sad and tense'."""
    return joined([mood_adjective(mood) for mood in moods])


def profile_text(profile: Profile) -> str:
    """One line about the listener: 'mostly calm and a little nostalgic'."""
    words = {name: str(translated(texts)) for name, texts in tables("questions")["summary"].items()}
    first, second = [*profile.strongest(2), ("", 0.0), ("", 0.0)][:2]
    if first[1] < 0.2:
        return words["none"]
    line = f"{words['mostly']} {mood_adjective(first[0])}"
    if second[1] >= max(0.2, 0.45 * first[1]):
        line += f" {words['and']} {words['also']} {mood_adjective(second[0])}"
    return line


def occasion_label(occasion: str) -> str:
    """The occasion's name for buttons: 'Relaxation'."""
    return str(translated(tables("occasions")[occasion]["label"]))


AIMS = {"match": mark("Match"), "lift": mark("Lift"), "settle": mark("Settle")}


def aim_label(aim: str) -> str:
    """For buttons: 'Lift my mood'."""
    return str(translated(aim_entry(aim)["label"]))


def aim_sentence(profile: Profile, aim: str, *, brief: bool = False) -> str:
    """What the aim does with this profile: 'Lift: from sad towards joyful and amazed; it begins where you are ...'."""
    how = tr(aim_entry(aim)["text"])
    if aim == "match":
        return tr("Match: {how}.", how=how)
    losing, gaining = aim_moves(profile, aim)
    if not losing or not gaining:
        return tr("{aim}: you are there already, so the music matches your mood.", aim=tr(AIMS[aim]))
    start, goal = moods_text(losing), moods_text(gaining)
    moved = tr("{aim}: from {start} towards {goal}", aim=tr(AIMS[aim]), start=start, goal=goal)
    return f"{moved}." if brief else f"{moved}; {how}."


def steer_label(name: str) -> str:
    """For buttons: 'Less vocals'."""
    return str(translated(steer_entry(name)["label"]))


def steers_text(applied: Sequence[str]) -> str:
    """What is applied, in one phrase: 'calmer ×2, less vocals'."""
    return ", ".join(
        lowered(steer_label(name)) + (f" ×{count}" if count > 1 else "")
        for name, count in Counter(applied).items()
    )
