"""The clock: nightly re-index, retention, backups and lost leases; everything heavy is only enqueued here."""

from __future__ import annotations

from discord.ext import commands

from bot.app import Moodstem
from jobs.configure import plan
from jobs.schedule import Schedule


class Clock(commands.Cog):
    """Runs while the bot does; what was missed meanwhile is made up for once."""

    def __init__(self, bot: Moodstem) -> None:
        self.bot = bot
        self.schedule = Schedule(bot.queue, plan(bot.settings))

    async def cog_load(self) -> None:
        # Of several processes that share the servers, the one that has direct messages, which is exactly one.
        if self.bot.settings.jobs.schedule and self.bot.serves(None):
            await self.schedule.start()

    async def cog_unload(self) -> None:
        await self.schedule.stop()


async def setup(bot: Moodstem) -> None:
    await bot.add_cog(Clock(bot))
