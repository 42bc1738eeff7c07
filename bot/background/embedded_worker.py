"""The embedded worker: a process of its own beside the bot; separation and analysis never run in the bot's."""

from __future__ import annotations

import asyncio

from discord.ext import commands

from bot.app import Moodstem
from jobs.process import RunnerProcess

DRAIN_S = 8.0  # a service manager expects us to be gone within ten seconds


class Worker(commands.Cog):
    """Starts it, stops it; it starts itself again when it dies, and ends when this process does."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.process: RunnerProcess | None = None

    async def cog_load(self) -> None:
        if self.bot.settings.jobs.embedded_worker:
            self.process = RunnerProcess(self.bot.settings)

    async def cog_unload(self) -> None:
        if self.process is not None:
            await asyncio.to_thread(self.process.terminate, DRAIN_S)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Worker(bot))
