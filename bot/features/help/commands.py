"""/help: what I can do."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.consent import stores_nothing
from bot.features.help.cards import help_card


class Help(commands.Cog):
    """Explains."""

    @app_commands.command(name="help", description="What I can do, in a few lines.", extras=stores_nothing)
    async def command(self, interaction: discord.Interaction[Moodstem]) -> None:
        await interaction.response.send_message(view=help_card(), ephemeral=True)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Help())
