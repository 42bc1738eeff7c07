"""Commands that run and look after the bot: try, run, worker, doctor, db, export, erase."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.root import main, print_json, settings_of
from bot.cli.shared import JSON
from core import logs
from core.errors import UserError

if TYPE_CHECKING:
    from core.settings import Settings

log = logging.getLogger(__name__)


@main.command("try")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the preview (a free one when not said).")
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
@click.pass_context
def try_(ctx: click.Context, port: int | None, no_browser: bool) -> None:
    """Try the real bot on a simulated Discord, in the browser."""
    from bot.cli import try_it
    from jobs.configure import runner_options

    settings = settings_of(ctx)
    runner_options(settings)  # says at once what its worker would miss
    asyncio.run(try_it.run(settings, port=port, browser=not no_browser))


@main.command()
@click.pass_context
def run(ctx: click.Context) -> None:
    """Run the bot on Discord (token from DISCORD_TOKEN) with its own worker."""
    token = os.environ.get("DISCORD_TOKEN", "").strip()
    if not token:
        raise UserError(
            "DISCORD_TOKEN is not set: put your bot's token into it (Discord developer portal, Bot, Reset Token)."
        )
    from jobs.configure import runner_options

    settings = settings_of(ctx)
    runner_options(settings)  # says at once what its worker would miss
    logs.configure(settings.log.format, settings.log.level)
    asyncio.run(_run(settings, token))


async def _run(settings: Settings, token: str) -> None:
    """Until SIGTERM or Ctrl+C: discord.py itself handles only the latter, and not this way of starting."""
    import aiohttp
    import discord
    from discord.ext import commands

    from bot import create_bot

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
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    Route.BASE = f"http://127.0.0.1:{port}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws://127.0.0.1:{port}/gateway")


@main.command()
@click.pass_context
def worker(ctx: click.Context) -> None:
    """Run one more worker: takes jobs from the queue until it is stopped."""
    from jobs.configure import runner_options
    from jobs.process import run_worker

    settings = settings_of(ctx)
    logs.configure(settings.log.format, settings.log.level)
    asyncio.run(run_worker(runner_options(settings)))


@main.command()
@JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check what Moodstem needs and say what to do."""
    from bot.cli.doctor import examine

    findings = asyncio.run(examine(settings_of(ctx)))
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'LOOK'}  {finding.name}: {finding.text}")
    if not all(finding.ok for finding in findings if finding.needed):
        ctx.exit(1)


@main.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Bring the database up to date (every command does so by itself)."""

    async def work(path: Path) -> None:
        from core.library.schema import schema_version
        from core.library.store import Database

        async with await Database.open(path) as database:
            click.echo(f"{path}: schema {await schema_version(database)}")

    asyncio.run(work(settings_of(ctx).database))


@db.command()
@click.pass_context
def backup(ctx: click.Context) -> None:
    """Write a checked copy of the database into the data folder's backups."""

    async def work(settings: Settings) -> None:
        from core.library.backup import backup as copy
        from core.library.store import Database

        async with await Database.open(settings.database) as database:
            click.echo(str(await copy(database, settings.backups)))

    asyncio.run(work(settings_of(ctx)))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Put a backup in the place of the database, which is kept beside it. Stop the bot and its workers first."""
    from core.library.backup import restore as put_back

    settings = settings_of(ctx)
    aside = put_back(file, settings.database)
    click.echo(f"{settings.database}: restored from {file.name}")
    if aside is not None:
        click.echo(f"What was there is kept as {aside}")


@main.command()
@click.argument("user", type=int)
@click.pass_context
def export(ctx: click.Context, user: int) -> None:
    """Print everything that is kept about a Discord user (by id), as JSON."""
    print_json(asyncio.run(_member(settings_of(ctx), user, erase=False)))


@main.command()
@click.argument("user", type=int)
@click.confirmation_option(prompt="Erase everything about this user?")
@click.pass_context
def erase(ctx: click.Context, user: int) -> None:
    """Erase everything that is kept about a Discord user (by id)."""
    print_json(asyncio.run(_member(settings_of(ctx), user, erase=True)))


async def _member(settings: Settings, user: int, *, erase: bool) -> Any:
    from bot.service.member_data import erase_member
    from core.library.members import export_member
    from core.library.store import Database

    async with await Database.open(settings.database) as database:
        if erase:
            return await erase_member(database, settings.data, user)
        return await export_member(database, user)
