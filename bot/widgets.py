"""Cards: pure functions from what is known to a layout. They ask nobody and change nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.router import Choose, Press
from bot.theme import BAD, NEUTRAL, bar, plain
from bot.words.i18n import tr
from bot.words.names import short
from core.pictures.colours import MOOD_COLOURS

Style = discord.ButtonStyle


class Card(ui.LayoutView):
    """One coloured container; every interactive child is a `Press` or `Choose`, so the view itself need not live."""

    def __init__(self, *items: ui.Item[Any] | None, colour: discord.Colour = NEUTRAL) -> None:
        """Items that are None are left out."""
        super().__init__(timeout=None)
        self.add_item(ui.Container(*(item for item in items if item is not None), accent_colour=colour))
        self.stop()  # see bot/router.py


def text(*lines: str | None) -> ui.TextDisplay[Any]:
    """Lines of Markdown, without those that are None or empty; Discord takes 4,000 characters on a whole card."""
    return ui.TextDisplay(_joined(lines))


def section(button: Press, *lines: str | None) -> ui.Section[Any]:
    """The same with a button beside it."""
    return ui.Section(_joined(lines), accessory=button)


def _joined(lines: Sequence[str | None]) -> str:
    return "\n".join(one for one in lines if one)


def by_line(*parts: str | None, raw: int = 0) -> str:
    """Small print under a title; the last `raw` parts are ours and stay as they are."""
    cut = len(parts) - raw
    shown = [*(plain(part, 50) for part in parts[:cut] if part), *(part for part in parts[cut:] if part)]
    return f"-# {' · '.join(shown)}" if shown else ""


def row(*buttons: Press | Choose | None) -> ui.ActionRow[Any]:
    """Up to five buttons, or one list; those that are None are left out."""
    return ui.ActionRow(*(button for button in buttons if button is not None))


def turning(action: str, *arguments: object, page: int, pages: int) -> list[Press]:
    """Buttons through several pages: back, where one is, and on; the ends meet."""
    buttons = [
        Press(action, *arguments, (page - 1) % pages, emoji="◀️"),
        Press(action, *arguments, (page + 1) % pages, label=f"{page + 1} / {pages}", emoji="▶️"),
    ]
    return buttons[max(3 - pages, 0) :]  # none on a single page, only onwards on two


def line() -> ui.Separator[Any]:
    return ui.Separator()


def gallery(name: str, description: str) -> ui.MediaGallery[Any]:
    """A picture attached under this name; `description` is for those who do not see it (Discord takes 1,024 characters)."""
    return ui.MediaGallery(
        discord.MediaGalleryItem(f"attachment://{name}", description=short(description, 1000))
    )


def attached(content: bytes, name: str) -> discord.File:
    """A file beside a card or an answer."""
    return discord.File(io.BytesIO(content), filename=name)


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
