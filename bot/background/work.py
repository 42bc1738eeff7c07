"""What runs beside the bot: the schedule, and the embedded worker in a process of its own, for separation and analysis
never run in the bot's."""

from __future__ import annotations

import asyncio

from discord.ext import commands

from bot.app import Moodstem
from jobs.configure import runner_options
from jobs.process import spawn_runner

DRAIN_S = 8.0  # a service manager expects us to be gone within ten seconds


class Work(commands.Cog):
    """Starts and stops both. A run that was missed is made up for once; a worker that dies is started again."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        if self.bot.runs_schedule:
            await self.bot.schedule.start()
        if self.bot.settings.jobs.embedded_worker:
            self.bot.worker = spawn_runner(runner_options(self.bot.settings))

    async def cog_unload(self) -> None:
        await self.bot.schedule.stop()
        if self.bot.worker is not None:
            await asyncio.to_thread(self.bot.worker.terminate, DRAIN_S)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Work(bot))
