"""Everything that knows Discord, and the command line. `create_bot(settings)` is the entry for any host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord.ext import commands

    from core.settings import Settings


def create_bot(settings: Settings) -> commands.Bot:
    """The bot, ready for `bot.start(token)` or for SimCord; it opens its database in `setup_hook`."""
    from bot.app import Moodstem, ShardedMoodstem

    shards, ids = settings.discord.shards, settings.discord.shard_ids
    if shards == 1:
        return Moodstem(settings)
    return ShardedMoodstem(settings, shard_count=None if shards == "auto" else shards, shard_ids=ids)
