"""The clock: nightly re-index, retention, backups and lost leases; everything heavy is only enqueued here."""

from __future__ import annotations

from bot.app import Feature, Moodstem
from jobs.configure import plan
from jobs.schedule import Schedule


class Clock(Feature):
    """Runs while the bot does; what was missed meanwhile is made up for once."""

    def __init__(self, bot: Moodstem) -> None:
        super().__init__(bot)
        self.schedule = Schedule(bot.queue, plan(bot.settings))

    async def cog_load(self) -> None:
        # Of several processes that share the servers, the one that has direct messages, which is exactly one.
        if self.bot.settings.jobs.schedule and self.bot.serves(None):
            await self.schedule.start()

    async def cog_unload(self) -> None:
        await self.schedule.stop()
