"""Colours and small words that every card shares."""

from __future__ import annotations

import re

import discord

from bot.words.i18n import tr, trn

NEUTRAL = discord.Colour(0x7C8CF8)
GOOD = discord.Colour(0x5FB98A)
BAD = discord.Colour(0xD9705F)

STEM_EMOJI = {
    "drums": "🥁",
    "bass": "🎚️",
    "vocals": "🎤",
    "guitar": "🎸",
    "piano": "🎹",
    "other": "🎻",
    "mix": "🎧",
}


def bar(share: float, width: int = 10) -> str:
    """A bar of text that reads well in every client: ▰▰▰▱▱▱▱▱▱▱."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "▰" * filled + "▱" * (width - filled)


# discord.py's escape_markdown leaves what stands around a link as it is, and with it links and bold type. A link's colon
# is marked, so that a title cannot be one.
_MARKUP = re.compile(r"[\\*_~`|\[\]<]|^[#>+-]|:(?=//)")

# Blank parts of a line, all but a single space between two words where no line may break ("42\u00a0%").
_GAP = re.compile(r"(?!(?<=\S)\u00a0(?=\S))\s+")


def plain(text: str | None, limit: int = 80) -> str:
    """Somebody's words as they are: no markdown, no mentions, one line, at most `limit` characters."""
    line = _GAP.sub(" ", text or "").strip()
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
