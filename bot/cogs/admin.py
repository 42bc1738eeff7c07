"""/reindex: bring the library up to date with its folders; for those who manage the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import answer_refusals
from core.errors import UserError
from jobs.model import BACKGROUND

_T = TypeVar("_T", bound=Callable[..., Any])


def admin_only(command: _T) -> _T:
    """Hidden from members by default, and checked again here: admins of a server can change what is shown."""
    command = app_commands.default_permissions(manage_guild=True)(command)
    command = app_commands.guild_only()(command)
    return app_commands.checks.has_permissions(manage_guild=True)(command)


class Admin(commands.Cog):
    """What only those who manage the server may do."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    @app_commands.command(
        description="Look through the music folders for new, changed, moved and deleted files."
    )
    @admin_only
    @answer_refusals
    async def reindex(self, interaction: discord.Interaction[Moodstem]) -> None:
        folders = self.bot.settings.library.folders
        if not folders:
            raise UserError(
                "No music folder is set yet; name one under [library] folders in config.toml and restart me."
            )
        await interaction.response.defer(ephemeral=True, thinking=True)
        for folder in folders:
            job = await self.bot.queue.enqueue(
                "index",
                {"folder": str(folder.resolve())},
                user_id=interaction.user.id,
                guild_id=interaction.guild_id,
                priority=BACKGROUND,
                dedup=f"index:{folder.resolve()}",
            )
            await self.bot.job_cards.open(interaction, job)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Admin(bot))
