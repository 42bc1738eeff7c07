"""What the bot posts for everybody is remembered, so that it goes when a member whom it shows is erased."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterable
from typing import Any

import discord
from discord import ui

from bot.errors import GONE, TROUBLE
from bot.router import Press, route
from bot.widgets import Card, note_card
from bot.words.i18n import tr
from core.library.database import Database
from core.library.posted import change_posted, drop_posted, put_posted, withdrawn
from core.spoken import speaking, spoken

log = logging.getLogger(__name__)


async def post(interaction: discord.Interaction[Any], card: Card, tracks: Iterable[int] = ()) -> None:
    """Answer with a card for everybody here."""
    await interaction.response.send_message(view=card)
    message = await interaction.original_response()
    await remember(interaction.client, message, interaction.user.id, card, tracks)


async def remember(
    bot: Any, message: Any, user_id: int, card: Card | None = None, tracks: Iterable[int] = ()
) -> None:
    """Remember a message of the member's and what it shows; it goes at once if the member was erased while it was sent."""
    names = {*tracks, *shown_on(card)}
    try:
        await put_posted(bot.database, message.id, message.channel.id, user_id, names, spoken())
    except sqlite3.IntegrityError:
        await message.delete()
        raise


async def changes(bot: Any, message: Any, card: Card) -> None:
    """Remember what a message will show; to be called before it is edited."""
    await change_posted(bot.database, message.id, shown_on(card))


def shown_on(card: Card | None) -> set[int]:
    """Return the tracks of a card's Play buttons, and the members whom it mentions."""
    names: set[int] = set()
    for item in card.walk_children() if card else ():
        if isinstance(item, Press):
            action, arguments = route({"custom_id": item.custom_id}) or ("", ())
            names |= {int(arguments[0])} if action == "play" else set()
        elif isinstance(item, ui.TextDisplay):
            names |= {int(found) for found in re.findall(r"<@(\d+)>", item.content)}
    return names


async def take_down(bot: discord.Client, database: Database) -> None:
    """Delete what erased members had posted, and empty what others posted that shows something of them; what Discord
    does not take now is tried again the next time."""
    for one in await withdrawn(database):
        message = bot.get_partial_messageable(one["channel_id"]).get_partial_message(one["message_id"])
        try:
            if one["user_id"] is None:
                await message.delete()
            else:
                with speaking(one["language"]):
                    sentence = tr("What stood here showed something that was erased since.")
                    await message.edit(view=note_card(sentence), attachments=[])
        except TROUBLE as error:
            if not isinstance(error, discord.HTTPException) or error.code not in GONE:
                log.warning("a message that is to go stays for now: %s", error)
                continue
        await drop_posted(database, one["message_id"])
