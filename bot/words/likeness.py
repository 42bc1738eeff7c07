"""What two tracks have in common and what not, in the reader's language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bot.words.i18n import number, tr
from bot.words.named import word
from bot.words.names import note_sign
from bot.words.say import say
from bot.words.wording import formatted, measured, of, the_source
from core.audio.vocabulary import phrases
from core.errors import Fact
from core.library.query import TONICS
from core.recommend.acoustic_similarity import DESCRIPTORS, Agreement


def likeness_text(reason: Fact) -> str:
    """One reason of core.recommend.similar: 'Alike in tempo: 120 BPM here, 118 BPM there (+0.12).'"""
    match reason["code"]:
        case "both-heard":
            stem = the_source(reason["stem"])
            return tr(
                "{stem} can be heard {here} of the time here and {there} there.",
                stem=stem[:1].upper() + stem[1:],
                here=formatted(reason["here"], "%"),
                there=formatted(reason["there"], "%"),
            )
        case "both-measured":
            words = phrases(reason["descriptor"])
            here = reason["here"], reason["unit"], reason["percentile"]
            return tr(
                "In both, {fact}; there {value}.",
                fact=measured(reason["source"], reason["descriptor"], *here),
                value=formatted(reason["there"], words.format if words is not None else ""),
            )
        case "alike" | "different" as how:
            part = (
                f" ({number(reason['part'], '+.2f')})"
                if reason["metric"] == "cosine"
                else tr(" ({share:.0%} of the distance)", share=reason["part"])
            )
            return word("likeness", how, what=_compared(reason), part=part)
        case _:
            return say(reason)


def _compared(reason: Fact) -> str:
    name = reason["descriptor"]
    here, there = (_value(name, reason[side]) for side in ("here", "there"))
    return word("agreements", name, of=of(reason["source"]), here=here, there=there)


def side_by_side(
    found: Sequence[Agreement], left: Mapping[str, float], right: Mapping[str, float]
) -> list[tuple[str, str, str, float, str]]:
    """(descriptor, its value on the left, on the right, what it adds in all sources together, how that is written), most first."""
    added = {
        name: math.fsum(term.contribution for term in found if term.descriptor == name)
        for name in DESCRIPTORS
    }
    rows = [
        (
            word("descriptors", name),
            _of_features(name, left),
            _of_features(name, right),
            value,
            number(value, "+.2f").replace("-", "\u2212"),
        )
        for name, value in added.items()
    ]
    return sorted(rows, key=lambda row: -row[3])


def _of_features(descriptor: str, features: Mapping[str, float]) -> str:
    """The value of the whole track; a dash where it is unknown."""
    values = [features.get(f"mix.{name}") for name in DESCRIPTORS[descriptor]]
    known = [value for value in values if value is not None]
    return _value(descriptor, known) if len(known) == len(values) else "\u2013"


def _value(descriptor: str, values: Sequence[float]) -> str:
    """What a listener can read of one descriptor; empty where that is nothing."""
    match descriptor:
        case "tempo":
            return f"{values[0]:.0f} BPM"
        case "centroid":
            return f"{number(values[0], ',.0f')} Hz"
        case "zcr":
            return number(values[0], ".3f")
        case "contrast":
            return f"{number(sum(values) / len(values), '.1f')} dB"
        case "chroma":
            return strongest_notes(values)
        case _:
            return ""


def strongest_notes(chroma: Sequence[float]) -> str:
    """The three pitch classes that sound most: 'D, A, F'."""
    return ", ".join(note_sign(TONICS[i]) for i in sorted(range(12), key=lambda i: -chroma[i])[:3])
