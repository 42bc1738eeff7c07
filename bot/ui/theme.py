"""Colours and small words that every card shares."""

from __future__ import annotations

import re

import discord

from bot.i18n import mark, spoken, tr, trn

NEUTRAL = discord.Colour(0x7C8CF8)
GOOD = discord.Colour(0x5FB98A)
BAD = discord.Colour(0xD9705F)

MOOD_COLOURS = {
    "wonder": discord.Colour(0xB58CF5),
    "transcendence": discord.Colour(0x8E9BE8),
    "tenderness": discord.Colour(0xF29BB2),
    "nostalgia": discord.Colour(0xD9A866),
    "peacefulness": discord.Colour(0x6FC3B2),
    "power": discord.Colour(0xE8643C),
    "joyful_activation": discord.Colour(0xF5C542),
    "tension": discord.Colour(0xA03E5B),
    "sadness": discord.Colour(0x5B84B8),
}

STEM_EMOJI = {
    "drums": "🥁",
    "bass": "🎚️",
    "vocals": "🎤",
    "guitar": "🎸",
    "piano": "🎹",
    "other": "🎻",
    "mix": "🎧",
}

STEM_NAMES = {
    "drums": mark("Drums"),
    "bass": mark("Bass"),
    "vocals": mark("Vocals"),
    "guitar": mark("Guitar"),
    "piano": mark("Piano"),
    "other": mark("The rest"),
}


def stem_name(stem: str) -> str:
    """'Drums', for buttons; `inside(stem_name(stem))` within a line."""
    return tr(STEM_NAMES[stem])


def key_name(key: str, mode: str | None = None) -> str:
    """'D minor' as musicians write it: 'd-Moll' in German, 're menor' in Spanish."""
    if key in _MODES:
        return tr(_MODES[key])
    tonic, _, own = key.partition(" ")
    name = {"de": _GERMAN, "es": _SPANISH}.get(spoken(), {}).get(tonic, tonic)
    mode = mode or own
    if spoken() == "de" and mode:
        return f"{name.lower() if mode == 'minor' else name}-{tr(_MODES[mode])}"
    return f"{name} {tr(_MODES.get(mode, mode))}".strip()


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


def bar(share: float, width: int = 10) -> str:
    """A bar of text that reads well in every client: ▰▰▰▱▱▱▱▱▱▱."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "▰" * filled + "▱" * (width - filled)


# discord.py's escape_markdown leaves what stands around a link as it is, and with it links and bold type. A link's colon
# is marked, so that a title cannot be one.
_MARKUP = re.compile(r"[\\*_~`|\[\]<]|^[#>+-]|:(?=//)")


def plain(text: str | None, limit: int = 80) -> str:
    """Somebody's words as they are: no markdown, no mentions, one line, at most `limit` characters."""
    line = " ".join((text or "").split())
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return discord.utils.escape_mentions(_MARKUP.sub(r"\\\g<0>", line))


def clock(seconds: float) -> str:
    """Minutes and seconds, 3:07."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def roughly(seconds: float) -> str:
    """A waiting time as one would say it: 'about 20 seconds', 'about 3 minutes'."""
    if seconds < 90:
        tens = max(10, round(seconds / 10) * 10)
        return tr("about {count} seconds", count=tens)
    if seconds < 5400:
        return trn("about {count} minute", "about {count} minutes", round(seconds / 60))
    return tr("about {count:.1f} hours", count=seconds / 3600)
