"""The embedded worker: a process of its own beside the bot; separation and analysis never run in the bot's."""

from __future__ import annotations

import asyncio

from bot.app import Feature, Moodstem
from jobs.process import RunnerProcess

DRAIN_S = 8.0  # a service manager expects us to be gone within ten seconds


class Worker(Feature):
    """Starts it, stops it; it starts itself again when it dies, and ends when this process does."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.process: RunnerProcess | None = None

    async def cog_load(self) -> None:
        if self.bot.settings.jobs.embedded_worker:
            self.process = RunnerProcess(self.bot.settings)

    async def cog_unload(self) -> None:
        if self.process is not None:
            await asyncio.to_thread(self.process.terminate, DRAIN_S)
