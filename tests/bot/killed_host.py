"""The real bot with its worker on SimCord, in a process of its own that is killed without warning.

    python -m tests.bot.killed_host DATA DISCORD SONG

Discord does not die with a bot: this host writes down what SimCord's Discord knows (`keep_discord`), so that the host
that is started next finds the same server, channel and messages (`same_discord`). The bot takes no part in that.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import simcord

from bot import create_bot
from core.library.consent import agree
from core.settings import JobSettings, Settings


def settings_of(data: Path) -> Settings:
    return Settings(data=data, jobs=JobSettings(separator="none", embedded_worker=True, schedule=False))


def keep_discord(env: simcord.Env, file: Path) -> None:
    state = {key: value for key, value in vars(env.backend).items() if key not in ("subscribers", "faults")}
    part = file.with_suffix(".part")
    part.write_bytes(pickle.dumps(state))
    part.replace(file)


def same_discord(bot: Any, file: Path) -> simcord.Env:
    """An environment, not started yet, whose Discord is the one that was kept."""
    env = simcord.Env(bot, settle_timeout=20.0)
    vars(env.backend).update(pickle.loads(file.read_bytes()))
    return env


async def host(data: Path, discord: Path, song: Path) -> None:
    bot = create_bot(settings_of(data))
    env = simcord.Env(bot, settle_timeout=20.0)
    guild = env.create_guild("Moodstem", owner=env.create_user("admin"))
    channel = guild.create_text_channel("music")
    alice = guild.add_member(env.create_user("alice"))
    await env.start()
    await agree(bot.database, alice.id)
    shown = await alice.slash(channel, "upload", track=(song.name, song.read_bytes()))
    assert shown.ephemeral
    keep_discord(env, discord)
    card = channel.last_message
    print(json.dumps({"channel": channel.id, "card": card.id, "alice": alice.id}), flush=True)
    while True:
        await asyncio.sleep(0.1)
        await env.advance_time(0.5)
        keep_discord(env, discord)


if __name__ == "__main__":
    asyncio.run(host(*map(Path, sys.argv[1:4])))
