"""How far an instrument stands out in a track, in the reader's language."""

from __future__ import annotations

from bot.words.i18n import mark, percent, tr
from bot.words.wording import is_plural, the_source
from core.recommend.prominence import Prominent

SENTENCES = {
    (False, False): mark("{stem} sounds {activity} of the time and holds {energy} of the energy."),
    (False, True): mark("{stem} sounds about {activity} of the time and holds {energy} of the energy."),
    (True, False): mark("{stem} sound {activity} of the time and hold {energy} of the energy."),
    (True, True): mark("{stem} sound about {activity} of the time and hold {energy} of the energy."),
}
"""By (the name is a plural, an estimate)."""


def prominence_text(one: Prominent) -> str:
    """'The guitar sounds 90% of the time and holds 50% of the energy.'"""
    name = the_source(one.instrument)
    return tr(
        SENTENCES[is_plural(one.instrument), one.estimate],
        stem=name[:1].upper() + name[1:],
        activity=percent(one.activity),
        energy=percent(one.energy),
    )
