"""The bot in several languages. How to write a text that members read:

    from bot.i18n import mark, tr, trn

    tr("Press Join again.")                                   # a sentence
    tr("Uploads go after {days} days.", days=30)              # never an f-string; numbers become 1.234,5 by themselves
    trn("{count} track", "{count} tracks", count)             # counted
    raise UserError(tr("This card is from another version of me."))
    STATES = {"done": mark("finished")} ... tr(STATES[state]) # tables: marked here, translated where shown

`tr` is called while a card is drawn, never when a module is loaded: the language is that of the running task, set once
for each interaction by `Moodstem.admit`.
Labels and placeholders of `Press` and `Choose`, and options, take `tr(...)`. Descriptions of commands, options and
choices stay plain strings: discord.py hands them to `Words` below. Whole sentences, no pieces glued together: other
languages order them differently. What was stored or comes
from core and jobs is a fact; bot.words.say makes its sentence.

Then `make messages` adds the new texts to bot/words/locales/{de,es}.po; fill in the empty msgstr (German informal "du",
Spanish "tú"; keep the {placeholders}, markdown and /commands as they are). A test fails until both are there, when the
placeholders differ, and when a card's text is not marked. A conflict in a .po file: keep both sides, `make messages`.
Order: the member's choice (/language), the server's (/admin language), the language of their Discord, [discord] language.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Where

from bot.words.i18n import (
    catalogue,
    inside,
    joined,
    lowered,
    mark,
    nearest,
    number,
    percent,
    speak,
    speaking,
    spoken,
    tr,
    trn,
)
from core.library import languages
from core.library.database import Database
from core.moods.profile import tables
from core.spoken import LANGUAGES

__all__ = [
    "LANGUAGES",
    "inside",
    "joined",
    "lowered",
    "mark",
    "number",
    "percent",
    "speak",
    "speaking",
    "spoken",
    "tr",
    "trn",
]

log = logging.getLogger(__name__)

NAMES = (Where.command_name, Where.group_name, Where.parameter_name)
"""What stays English: guides and answers name commands, and everybody is to find them."""


async def language_of(database: Database, interaction: discord.Interaction[Any]) -> str:
    """The language to answer in; a busy database leaves the one that Discord tells."""
    try:
        own = await languages.chosen(database, interaction.user.id, interaction.guild_id)
    except sqlite3.Error as error:
        log.warning("the chosen language could not be read: %s", error)
        own = None
    return own or nearest(str(interaction.locale)) or interaction.client.settings.discord.language


class Words(app_commands.Translator):
    """Descriptions and choices of commands in each member's Discord language."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """None leaves English: for names of commands, and for what has no translation."""
        language = nearest(str(locale))
        is_menu = isinstance(context.data, app_commands.ContextMenu)
        if language in (None, "en") or (context.location in NAMES and not is_menu):
            return None
        found = catalogue(language).gettext(string.message) if language else string.message
        if found == string.message:
            found = labels().get(string.message, {}).get(language, string.message)
        return found if found != string.message else None


@cache
def labels() -> dict[str, dict[str, str]]:
    """{English label: {language: label}} of the moods, aims and occasions, which commands offer as choices."""
    rows = [
        *tables("questions")["moods"].values(),
        *tables("aims")["aim"].values(),
        *tables("occasions").values(),
    ]
    return {row["label"]["en"]: row["label"] for row in rows}
