"""'Analyse this track' on any message with audio: the same as /upload, for what is posted already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import report
from core.errors import UserError
from core.library.sources.folder import EXTENSIONS

if TYPE_CHECKING:
    from bot.features.upload.commands import Upload


class MessageMenu(commands.Cog):
    """Takes a track from a message."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.menu = app_commands.ContextMenu(name="Analyse this track", callback=self.analyse)

    async def cog_load(self) -> None:
        self.bot.tree.add_command(self.menu)

    async def cog_unload(self) -> None:
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)

    async def analyse(self, interaction: discord.Interaction[Moodstem], message: discord.Message) -> None:
        """Discord.py hands the message to this callback alone, so consent is asked for here, not before."""
        if await self.bot.gate.lets_through(interaction, partial(self.take, message=message)):
            await self.take(interaction, message)

    async def take(self, interaction: discord.Interaction[Moodstem], message: discord.Message) -> None:
        try:
            upload = cast("Upload", self.bot.get_cog("Upload"))
            await upload.take(interaction, first_audio(message))
        except UserError as refusal:
            await report(interaction, refusal)


def first_audio(message: discord.Message) -> discord.Attachment:
    """The message's first audio or video file. Raises UserError when there is none."""
    for attachment in message.attachments:
        kind = (attachment.content_type or "").partition("/")[0]
        if kind in ("audio", "video") or attachment.filename.lower().endswith(EXTENSIONS):
            return attachment
    if message.attachments:
        raise UserError(
            "That file is no audio; choose a message with an mp3, flac, ogg, wav, m4a or the like."
        )
    raise UserError("There is no file in that message; choose one with an audio file, or use /upload.")


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(MessageMenu(bot))
