"""The language to answer a member in, and what Discord itself shows in it: descriptions and choices of commands."""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Where

from bot.words.i18n import catalogue
from core.library import languages
from core.library.database import Database
from core.moods.profile import tables
from core.spoken import nearest_language

log = logging.getLogger(__name__)

NAMES = (Where.command_name, Where.group_name, Where.parameter_name)
"""What stays English: guides and answers name commands, and everybody is to find them."""


async def language_of(database: Database, interaction: discord.Interaction[Any]) -> str:
    """Return the language to answer in: the member's choice, the server's, that of their Discord, [discord] language.

    A busy database leaves the last two.
    """
    try:
        own = await languages.chosen(database, interaction.user.id, interaction.guild_id)
    except sqlite3.Error as error:
        log.warning("the chosen language could not be read: %s", error)
        own = None
    return own or nearest_language(str(interaction.locale)) or interaction.client.settings.discord.language


class Words(app_commands.Translator):
    """Descriptions and choices of commands in each member's Discord language."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """None leaves English: for names of commands, and for what has no translation."""
        language = nearest_language(str(locale))
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
