"""What somebody typed into the search, taken apart: words of names, words that mean a sound, a key, a tempo.

`parse` never fails: whatever the text holds, what comes out is letters and digits that FTS5 can look for.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LONGEST, MOST = 200, 12
"""Characters and terms that are looked at; more than that nobody types."""

ALIKE = 0.03
"""'120 BPM' means this much more or less: what a listener still takes for the same tempo."""

SLOWEST, FASTEST = 20.0, 400.0
"""Beats a minute that are taken for a tempo."""

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""How keys are spelled: black keys as most scores do."""
_ENHARMONIC = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B", "Fb": "E", "B#": "C", "E#": "F"}  # fmt: skip
_MODES = {"major": "major", "maj": "major", "dur": "major", "mayor": "major"} | dict.fromkeys(
    ("minor", "min", "moll", "menor"), "minor"
)
_KEY = re.compile(r"\b([A-Ga-g])\s?(#|♯|b|♭|-?sharp|-?flat)?[\s-]+(" + "|".join(_MODES) + r")\b", re.I)
_TEMPO = re.compile(r"\b(\d{2,3})(?:\s?(?:-|–|to)\s?(\d{2,3}))?\s?bpm\b", re.I)


@dataclass(frozen=True)
class Meaning:
    """The sound that a word means. `kind` is 'mood', 'occasion', 'instrument', 'without', 'high', 'low', 'key' or 'tempo'; `name`
    what of it: for a key 'D minor', for a tempo '116-124', from and to in beats a minute."""

    kind: str
    name: str


@dataclass(frozen=True)
class Term:
    """One thing asked for: the words as typed, in order, and what they mean, if they mean a sound."""

    words: tuple[str, ...]
    meaning: Meaning | None = None

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Key:
    """A key to look for: 'D minor', or only a tonic or a mode."""

    tonic: str | None
    mode: str | None

    def __str__(self) -> str:
        return " ".join(part for part in (self.tonic, self.mode) if part)


@dataclass(frozen=True)
class Query:
    """Every term must be met."""

    terms: tuple[Term, ...] = ()

    @property
    def meant(self) -> tuple[Term, ...]:
        """Return the terms that a sound can meet; names may meet them as well."""
        return tuple(term for term in self.terms if term.meaning is not None)

    def __bool__(self) -> bool:
        return bool(self.terms)


def parse(text: str) -> Query:
    """Return the query of a text such as 'calm piano in D minor' or '"so what" 136 bpm'. Quotes keep words together."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    terms: list[Term] = []
    for place, part in enumerate(text.split('"')):
        if place % 2:  # between quotes
            words = split(part)
            terms += [Term(tuple(words[:MOST]))] if words else []
        else:
            terms += _unquoted(part)
    if any(term.meaning for term in terms):
        filler = _table()[1]
        terms = [
            term for term in terms if term.meaning or len(term.words) > 1 or fold(term.text) not in filler
        ]
    return Query(tuple(dict.fromkeys(terms))[:MOST])


def _unquoted(text: str) -> list[Term]:
    """Keys and tempos are looked for first, since they are written in several words."""
    for pattern, meaning_of in ((_KEY, _key_meaning), (_TEMPO, _tempo_meaning)):
        found = pattern.search(text)
        meaning = meaning_of(found) if found else None
        if found and meaning:
            here = Term(tuple(split(found[0])), meaning)
            return [*_unquoted(text[: found.start()]), here, *_unquoted(text[found.end() :])]
    return _terms(split(text))


def _key_meaning(found: re.Match[str]) -> Meaning | None:
    key = parse_key(found[0])
    return Meaning("key", str(key)) if key else None


def _tempo_meaning(found: re.Match[str]) -> Meaning | None:
    low, high = float(found[1]), float(found[2] or found[1])
    if not SLOWEST <= low <= high <= FASTEST:
        return None
    if not found[2]:
        low, high = low * (1 - ALIKE), low * (1 + ALIKE)
    return Meaning("tempo", f"{low:g}-{high:g}")


def parse_key(text: str) -> Key | None:
    """Return the key of 'D minor', 'bb maj', 'F#' (a key, a tonic or a mode), or None for anything else."""
    words = re.sub(r"(?<=[A-Ga-g])\s?-?(sharp|♯)", "#", re.sub(r"(?<=[A-Ga-g])\s?-?(flat|♭)", "b", text, flags=re.I), flags=re.I)  # fmt: skip
    parts = words.replace("-", " ").split()
    mode = _MODES.get(parts[-1].lower()) if parts else None
    if mode:
        parts = parts[:-1]
    if not parts:
        return Key(None, mode) if mode else None
    tonic = parts[0][:1].upper() + parts[0][1:].lower()
    tonic = _ENHARMONIC.get(tonic, tonic)
    return Key(tonic, mode) if len(parts) == 1 and tonic in TONICS else None


def keys() -> list[Key]:
    """Return every key, and the two modes."""
    pairs = [Key(tonic, mode) for mode in ("major", "minor") for tonic in TONICS]
    return [Key(None, "major"), Key(None, "minor"), *pairs]


def split(text: str) -> list[str]:
    """Return the words of a text: runs of letters, digits and their accents; apostrophes keep a word together."""
    return re.findall(r"\w+(?:['’]\w+)*", text.replace("_", " "))


def fold(text: str) -> str:
    """Return the text without accents and case, as words are compared: 'Größe' and 'grosse' are one."""
    decomposed = unicodedata.normalize(
        "NFKD", text[: 2 * LONGEST].casefold()
    )  # takes the square of its length
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _terms(words: list[str]) -> list[Term]:
    meanings, _, negations = _table()
    terms: list[Term] = []
    at = 0
    while at < len(words):
        pair = " ".join(map(fold, words[at : at + 2]))
        meaning = meanings.get(fold(words[at]))
        second = meanings.get(fold(words[at + 1])) if at + 1 < len(words) else None
        if " " in pair and pair in meanings:
            terms.append(Term(tuple(words[at : at + 2]), meanings[pair]))
            at += 2
        elif fold(words[at]) in negations and second and second.kind == "instrument":
            terms.append(Term(tuple(words[at : at + 2]), Meaning("without", second.name)))
            at += 2
        else:
            terms.append(Term((words[at],), meaning))
            at += 1
    return terms


@cache
def _table() -> tuple[dict[str, Meaning], frozenset[str], frozenset[str]]:
    """Return {folded words: meaning}, filler words and negations."""
    table = tomllib.loads(files("core.library").joinpath("words.toml").read_text("utf-8"))
    meanings = {
        fold(word): Meaning(kind, name)
        for kind in ("mood", "occasion", "instrument", "without", "high", "low")
        for name, words in table[kind].items()
        for word in words
    }
    return meanings, frozenset(table["filler"]["words"]), frozenset(table["negation"]["words"])


def meanings() -> dict[str, Meaning]:
    """Return {folded word: meaning}."""
    return dict(_table()[0])
