"""Names for cards, pictures and reasons: stems, notes and keys in the reader's language, titles cut to the room there is."""

from __future__ import annotations

from bot.words.i18n import mark, tr
from bot.words.named import word
from core.spoken import spoken


def stem_name(stem: str) -> str:
    """'Drums', for buttons; `inside(stem_name(stem))` within a line."""
    return word("stems", stem)


def key_name(key: str, mode: str | None = None) -> str:
    """'D minor' as musicians write it: 'd-Moll' in German, 're menor' in Spanish."""
    if key in _MODES:
        return tr(_MODES[key])
    tonic, _, own = key.partition(" ")
    name = note_name(tonic)
    mode = mode or own
    if spoken() == "de" and mode:
        return f"{name.lower() if mode == 'minor' else name}-{tr(_MODES[mode])}"
    return f"{name} {tr(_MODES.get(mode, mode))}".strip()


def note_name(note: str) -> str:
    """'C#' is 'Cis' in German and 'do sostenido' in Spanish."""
    return {"de": _GERMAN, "es": _SPANISH}.get(spoken(), {}).get(note, note)


def note_sign(note: str) -> str:
    """The same where there is little room: 'do#' in Spanish."""
    return note_name(note).replace(" sostenido", "#").replace(" bemol", "b")


def short(text: str, limit: int = 60) -> str:
    """A title inside a sentence or on a button: at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


_MODES = {"minor": mark("minor"), "major": mark("major")}
_GERMAN = {
    "C#": "Cis", "Db": "Des", "D#": "Dis", "Eb": "Es", "F#": "Fis", "Gb": "Ges", "G#": "Gis", "Ab": "As", "A#": "Ais",
    "Bb": "B", "B": "H", "C♯": "Cis", "D♭": "Des", "D♯": "Dis", "E♭": "Es", "F♯": "Fis", "G♭": "Ges", "G♯": "Gis",
    "A♭": "As", "A♯": "Ais", "B♭": "B",
}  # fmt: skip
_SPANISH = {
    sharp: name + sign
    for letter, name in zip("CDEFGAB", ("do", "re", "mi", "fa", "sol", "la", "si"), strict=True)
    for sharp, sign in (
        (letter, ""), (f"{letter}#", " sostenido"), (f"{letter}♯", " sostenido"), (f"{letter}b", " bemol"),
        (f"{letter}♭", " bemol"),
    )
}  # fmt: skip
