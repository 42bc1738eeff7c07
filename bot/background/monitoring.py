"""Monitoring, when a port is set: health, metrics, and how late the event loop's timers fire."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.app import Moodstem
from bot.errors import name_of
from bot.monitor import Monitoring

SAMPLE_S = 0.1


class Watch(commands.Cog):
    """Counts commands that went well, and serves what was counted."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.monitoring = Monitoring(bot)
        self.sampler: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        where = self.bot.settings.monitor
        if where.port is not None:
            await self.monitoring.start(where.host, where.port)
            self.sampler = asyncio.create_task(self.sample(), name="event-loop-lag")

    async def cog_unload(self) -> None:
        if self.sampler is not None:
            self.sampler.cancel()
        await self.monitoring.stop()

    async def sample(self) -> None:
        """How late the event loop wakes up, in seconds, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.bot.metrics.lagged(max(0.0, loop.time() - due))

    @commands.Cog.listener()
    async def on_app_command_completion(
        self,
        interaction: discord.Interaction[Any],
        command: app_commands.Command[Any, ..., Any] | app_commands.ContextMenu,
    ) -> None:
        self.bot.metrics.ended(interaction, name_of(interaction))


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Watch(bot))
