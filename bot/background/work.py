"""What runs beside the bot: the schedule, and the embedded worker in a process of its own, for separation and analysis
never run in the bot's."""

from __future__ import annotations

import asyncio

from bot.app import Feature
from jobs.process import RunnerProcess

DRAIN_S = 8.0  # a service manager expects us to be gone within ten seconds


class Work(Feature):
    """Starts and stops both. A run that was missed is made up for once; a worker that dies is started again."""

    async def cog_load(self) -> None:
        if self.bot.runs_schedule:
            await self.bot.schedule.start()
        if self.bot.settings.jobs.embedded_worker:
            self.bot.worker = RunnerProcess(self.bot.settings)

    async def cog_unload(self) -> None:
        await self.bot.schedule.stop()
        if self.bot.worker is not None:
            await asyncio.to_thread(self.bot.worker.terminate, DRAIN_S)
