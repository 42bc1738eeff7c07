"""How far an instrument stands out in a track, in the reader's language."""

from __future__ import annotations

from bot.words.i18n import percent
from bot.words.named import word
from bot.words.wording import is_plural, the_source
from core.recommend.prominence import Prominent


def prominence_text(one: Prominent) -> str:
    """'The guitar sounds 90% of the time and holds 50% of the energy.'"""
    name = the_source(one.instrument)
    number = "many" if is_plural(one.instrument) else "one"
    return word(
        "prominence",
        f"{number}-estimated" if one.estimate else number,
        stem=name[:1].upper() + name[1:],
        activity=percent(one.activity),
        energy=percent(one.energy),
    )
