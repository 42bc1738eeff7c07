"""How strongly a track has what a word of a search means, in the reader's language."""

from __future__ import annotations

from bot.words.i18n import inside, number, percent, tr
from bot.words.moods import mood_adjective, occasion_label
from bot.words.named import word
from core.library.query import Meaning


def in_words(meaning: Meaning, strength: float, *, estimate: bool = False) -> str:
    """How a card says it: 'calm +0.61', 'piano 91% of the time', 'slower than 74%'; an `estimate` says so."""
    share = percent(strength)
    match meaning.kind:
        case "mood":
            return f"{mood_adjective(meaning.name)} {number(2 * strength - 1, '+.2f')}"
        case "occasion":
            return f"{inside(occasion_label(meaning.name))} {number(2 * strength - 1, '+.2f')}"
        case "instrument":
            stem = word("instruments", meaning.name)
            if estimate:
                return tr("{stem} about {share} of the time", stem=stem, share=share)
            return tr("{stem} {share} of the time", stem=stem, share=share)
        case "without":
            stem = word("instruments", meaning.name)
            return tr("no {stem}", stem=stem) if strength > 0.995 else tr("almost no {stem}", stem=stem)
        case _:
            how = word("lower" if meaning.kind == "low" else "higher", meaning.name)
            return tr("{how} than {share}", how=how, share=share)
