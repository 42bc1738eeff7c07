"""`moodstem run` and `moodstem worker`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from importlib.metadata import version

import aiohttp
import click
import discord
import yarl
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot import create_bot
from bot.cli.instance import hold
from bot.cli.root import settings_of
from bot.token import ANEW, read_token
from core import logs
from core.errors import NO_ROOM, UserError, is_disk_full
from core.folders import advice_on
from core.library.schema import available_migrations
from core.protection import protect_process
from core.settings import Settings, config_file
from jobs.engines.registry import make_engine
from jobs.process import run_worker

log = logging.getLogger(__name__)

LONGEST_STOP_S = 14.0
"""A service manager waits for 15 seconds (deploy/moodstem.service, compose.yaml) before it kills."""

PAUSES_S = (5, 10, 20, 40, 80, 160, 300)
"""Between attempts to reach Discord; the last one again and again."""

OUTAGES = (aiohttp.ClientConnectionError, TimeoutError, discord.DiscordServerError, discord.GatewayNotFound)
"""What goes by itself: no network, or Discord is down. A wrong token does not."""

REFUSALS = {
    4004: f"Discord does not know this token: {ANEW}, then `moodstem setup`.",
    4010: "Discord refuses this shard: correct [discord] shard_ids in config.toml.",
    4011: 'This bot is in so many servers that Discord demands several connections: set shards = "auto" under [discord] in config.toml.',
    4012: "Discord no longer speaks this version of its gateway: update Moodstem.",
    4013: "Discord does not know the intents that this bot asks for: update Moodstem.",
    4014: "Discord refuses the intents that this bot asks for, though none of them is privileged: update Moodstem; if it is the newest, please report it.",
}
"""Codes with which Discord's gateway ends a connection for good, and what an operator does about it."""


@click.command()
@click.pass_context
def run(ctx: click.Context) -> None:
    """Run the bot on Discord with its own worker.

    The token is what `moodstem setup` kept, or DISCORD_TOKEN.
    """
    settings = settings_of(ctx)
    token = read_token(settings.data)
    os.environ.pop("DISCORD_TOKEN", None)  # workers and what they start inherit the rest
    if not token:
        raise UserError("There is no token: `moodstem setup` asks for it, or put it into DISCORD_TOKEN.")
    make_engine(settings)  # says at once what its worker would miss
    protect_process()
    logs.configure(settings.log.format, settings.log.level)
    about = (settings.data.absolute(), max(available_migrations()), config_file().absolute())
    log.info("Moodstem %s starts: data %s, schema %d, settings %s", version("moodstem"), *about)
    for folder in settings.library.folders:
        if advice := advice_on(folder):
            log.warning("The music folder %s is left out: %s", folder, advice)
    try:
        with hold(settings):
            asyncio.run(_run(settings, token))
    except UserError:
        raise
    except Exception:
        log.critical("Moodstem broke down; please report this", exc_info=True)
        ctx.exit(os.EX_SOFTWARE)  # not 1, after which a service manager need not try again


async def _run(settings: Settings, token: str) -> None:
    """Run the bot until SIGTERM, SIGINT or SIGHUP; while Discord is out of reach, wait for it with growing pauses.

    Signals only set an event, so that a second one, or one to the whole process group, changes nothing: what has begun
    to stop ends well, or is ended after LONGEST_STOP_S.
    """
    if settings.discord.loopback is not None:
        _use_loopback(settings.discord.loopback)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pauses = iter(PAUSES_S)
    while not stop.is_set():
        try:
            await _until(stop, settings, token)
        except OUTAGES as error:
            pause = next(pauses, PAUSES_S[-1])
            log.warning("Discord cannot be reached (%s); the next attempt is in %d s", error, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
        except Exception as error:
            raise refusal_of(error) or error from None


async def _until(stop: asyncio.Event, settings: Settings, token: str) -> None:
    """Connect a new bot and keep it until it is asked to stop. Raises what ends it otherwise."""
    loop = asyncio.get_running_loop()
    async with create_bot(settings) as bot:
        working = asyncio.create_task(_work(bot, token))
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if working.done():
            await working
            return
        asked_at = loop.time()
        log.info("Stopping: answers are finished, the running job ends or is given back")
        last_resort = threading.Timer(LONGEST_STOP_S, _give_up)
        last_resort.daemon = True  # it goes on when all is closed: the end of the process waits for threads
        last_resort.start()
        working.cancel()
        await asyncio.wait({working})
    log.info("Stopped after %.1f s", loop.time() - asked_at)


async def _work(bot: commands.Bot, token: str) -> None:
    await bot.login(token)  # and with it all that is loaded once
    _settle()
    await bot.connect()


def _give_up() -> None:
    log.critical(
        "Stopping took longer than %d s; this process ends now, and jobs go back to the queue", LONGEST_STOP_S
    )
    os._exit(os.EX_SOFTWARE)


def refusal_of(error: BaseException) -> UserError | None:
    """Return what an operator can do about an error of Discord's or of a command; None where it is a fault of ours."""
    if isinstance(error, app_commands.CommandInvokeError):
        return refusal_of(error.original)
    if isinstance(error, UserError):
        return error
    if is_disk_full(error):
        return UserError(NO_ROOM)
    if isinstance(error, discord.LoginFailure):
        return UserError(REFUSALS[4004])
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return UserError(REFUSALS[4014])
    if isinstance(error, discord.ConnectionClosed) and error.code in REFUSALS:
        return UserError(REFUSALS[error.code])
    if isinstance(error, discord.Forbidden):
        return UserError(
            f"Discord refuses a request of this bot ({error.text or error.status}): invite it again with the scopes bot and"
            " applications.commands (`moodstem setup` prints the link), and check [discord] test_guild in config.toml."
        )
    return None


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
    protect_process()
    logs.configure(settings.log.format, settings.log.level)
    asyncio.run(run_worker(settings))
