"""What discord.py itself would log of tokens and addresses, with its real client, gateway and webhooks."""

from __future__ import annotations

import asyncio
import io
import logging

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from core import logs
from tests.fakes.discord_server import TOKEN, StandIn
from tests.fakes.running_bot import answered


class Client(discord.Client):
    async def on_interaction(self, interaction: discord.Interaction[discord.Client]) -> None:
        await interaction.response.send_message("hello")
        await interaction.followup.send("once more")


async def test_discords_own_loggers_tell_no_secret_even_at_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn()
    await stand_in.start()
    monkeypatch.setattr(Route, "BASE", f"http://127.0.0.1:{stand_in.port}/api/v10")
    monkeypatch.setattr(
        DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(f"ws://127.0.0.1:{stand_in.port}/gateway")
    )
    stream, logger = io.StringIO(), logging.getLogger("discord")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Human())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    client = Client(intents=discord.Intents(guilds=True))
    running = asyncio.create_task(client.start(TOKEN))
    try:
        await asyncio.wait_for(stand_in.ready.wait(), 60)
        stand_in.commands = [{"id": "500", "name": "upload"}]
        asked = await stand_in.slash("upload", track=stand_in.attach("song.ogg", b"music"))
        await answered(asked)
        async with asyncio.timeout(60), stand_in.changed:
            await stand_in.changed.wait_for(lambda: asked.followups)
    finally:
        await client.close()
        await running
        logger.removeHandler(handler)
        logger.setLevel(before)
        await stand_in.stop()
    said = stream.getvalue()
    assert "INTERACTION_CREATE" in said and "song.ogg" in said and "/callback" in said, (
        "the loggers did speak"
    )
    [attachment] = asked.payload["data"]["resolved"]["attachments"].values()
    for secret in (TOKEN, asked.token, yarl.URL(attachment["url"]).query["hm"]):
        assert secret not in said
