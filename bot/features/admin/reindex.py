"""/reindex: the shortcut of /admin reindex."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from bot.features.admin.commands import reindex
from bot.permissions import admin_only


class Reindex(commands.Cog):
    """Brings the library up to date with its folders."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(
        name="reindex",
        description="Look through the music folders for new, changed, moved and deleted files.",
    )
    @admin_only
    @answer_refusals
    async def command(self, interaction: discord.Interaction[Moodstem]) -> None:
        await reindex(interaction)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Reindex(bot))
