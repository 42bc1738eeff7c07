"""Cards: pure functions from what is known to a layout. They ask nobody and change nothing."""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.router import Choose, Press
from bot.theme import BAD, NEUTRAL, bar
from bot.words.i18n import tr
from bot.words.names import short
from core.pictures.colours import MOOD_COLOURS

Style = discord.ButtonStyle


class Card(ui.LayoutView):
    """One coloured container; every interactive child is a `Press` or `Choose`, so the view itself need not live."""

    def __init__(self, *items: ui.Item[Any], colour: discord.Colour = NEUTRAL) -> None:
        super().__init__(timeout=None)
        self.add_item(ui.Container(*items, accent_colour=colour))
        self.stop()  # see bot/router.py


def text(*lines: str) -> ui.TextDisplay[Any]:
    """Lines of Markdown; Discord takes 4,000 characters on a whole card."""
    return ui.TextDisplay("\n".join(lines))


def row(*buttons: Press | Choose) -> ui.ActionRow[Any]:
    """Up to five buttons, or one list."""
    return ui.ActionRow(*buttons)


def line() -> ui.Separator[Any]:
    return ui.Separator()


def gallery(name: str, description: str) -> ui.MediaGallery[Any]:
    """A picture attached under this name; `description` is for those who do not see it (Discord takes 1,024 characters)."""
    return ui.MediaGallery(
        discord.MediaGalleryItem(f"attachment://{name}", description=short(description, 1000))
    )


def note_card(sentence: str, *buttons: Press, colour: discord.Colour = NEUTRAL) -> Card:
    """One sentence and what one can do about it."""
    return Card(text(sentence), *([row(*buttons)] if buttons else []), colour=colour)


def problem_card(sentence: str, *buttons: Press) -> Card:
    """What went wrong, in one sentence that says what to do; it may hold what a member typed."""
    return note_card(f"⚠️ {discord.utils.escape_mentions(short(sentence, 1000))}", *buttons, colour=BAD)


def mood_colour(mood: str | None) -> discord.Colour:
    """The mood's own colour; neutral without one."""
    return discord.Colour.from_str(MOOD_COLOURS[mood]) if mood in MOOD_COLOURS else NEUTRAL


def step(asked: int, expected: int) -> str:
    """'Question 3 of about 7' with a bar."""
    return tr(
        "-# Question {asked} of {expected}  {bar}",
        asked=asked + 1,
        expected=max(expected, asked + 1),
        bar=bar(asked / max(expected, 1), 8),
    )
