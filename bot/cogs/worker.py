"""The embedded worker: a process of its own beside the bot, restarted when it dies."""

from __future__ import annotations

import asyncio
import logging

from discord.ext import commands, tasks

from bot.app import Moodstem
from jobs.runner import RunnerProcess, spawn_runner

log = logging.getLogger(__name__)


class Worker(commands.Cog):
    """Separation and analysis never run in this process."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.process: RunnerProcess | None = None

    async def cog_load(self) -> None:
        if self.bot.settings.jobs.embedded_worker:
            self.process = spawn_runner(self.bot.settings.data)
            self.watch.start()

    async def cog_unload(self) -> None:
        self.watch.cancel()
        if self.process is not None:
            await asyncio.to_thread(self.process.stop)

    @tasks.loop(seconds=2)
    async def watch(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            log.error("the worker ended with %s; starting another", self.process.poll())
            self.process = spawn_runner(self.bot.settings.data)


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Worker(bot))
