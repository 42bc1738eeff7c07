"""`moodstem run` and `moodstem worker`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal

import aiohttp
import click
import discord
import yarl
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot import create_bot
from bot.cli.root import settings_of
from core import logs
from core.errors import UserError
from core.settings import Settings
from jobs.configure import runner_options
from jobs.process import run_worker

log = logging.getLogger(__name__)


@click.command()
@click.pass_context
def run(ctx: click.Context) -> None:
    """Run the bot on Discord (token from DISCORD_TOKEN) with its own worker."""
    token = os.environ.get("DISCORD_TOKEN", "").strip()
    if not token:
        raise UserError(
            "DISCORD_TOKEN is not set: put your bot's token into it (Discord developer portal, Bot, Reset Token)."
        )
    settings = settings_of(ctx)
    runner_options(settings)  # says at once what its worker would miss
    logs.configure(settings.log.format, settings.log.level)
    asyncio.run(_run(settings, token))


async def _run(settings: Settings, token: str) -> None:
    """Until SIGTERM or Ctrl+C: discord.py itself handles only the latter, and not this way of starting."""
    if settings.discord.loopback is not None:
        _use_loopback(settings.discord.loopback)
    bot = create_bot(settings)
    loop = asyncio.get_running_loop()
    asked_at: float | None = None
    async with bot:
        running = asyncio.current_task()
        assert running is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        try:
            await bot.login(token)  # and with it all that is loaded once
            _settle()
            await bot.connect()
        except discord.LoginFailure:
            raise UserError(
                "Discord does not know this token: copy it anew from the developer portal into DISCORD_TOKEN."
            ) from None
        except aiohttp.ClientConnectionError as error:
            raise UserError(
                f"Discord cannot be reached ({error}): check the network, then start again."
            ) from None
        except commands.ExtensionFailed as error:
            if isinstance(error.original, UserError):
                raise error.original from None
            raise
        except asyncio.CancelledError:
            running.uncancel()  # asked to stop: `async with` closes the bot, which stops its worker
            asked_at = loop.time()
            log.info("Stopping: answers are finished, the running job ends or is given back")
    if asked_at is not None:
        log.info("Stopped after %.1f s", loop.time() - asked_at)


def _settle() -> None:
    """What has been loaded stays, so the garbage collector need not look through it again and again.

    Its full passes stop the event loop for as long as the modules, commands and tables are many; from here on they see
    only what was made since. And it looks less often than after every 700 objects, of which one card has more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _use_loopback(port: int) -> None:
    """Direct discord.py to this machine; it has no setting for that, only these two class variables."""
    Route.BASE = f"http://127.0.0.1:{port}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://127.0.0.1:{port}/gateway")


@click.command()
@click.pass_context
def worker(ctx: click.Context) -> None:
    """Run one more worker: takes jobs from the queue until it is stopped."""
    settings = settings_of(ctx)
    logs.configure(settings.log.format, settings.log.level)
    asyncio.run(run_worker(runner_options(settings)))
