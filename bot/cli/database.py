"""`moodstem db`: the database and its backups."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bot.cli.root import settings_of
from bot.service.member_data import erase_again
from core.library import backup as backups
from core.library.schema import open_database, schema_version
from core.settings import Settings


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Bring the database up to date (every command does so by itself)."""

    async def work(path: Path) -> None:
        async with await open_database(path) as database:
            click.echo(f"{path}: schema {await schema_version(database)}")

    asyncio.run(work(settings_of(ctx).database))


@db.command()
@click.pass_context
def backup(ctx: click.Context) -> None:
    """Write a checked copy of the database into the data folder's backups."""

    async def work(settings: Settings) -> None:
        async with await open_database(settings.database) as database:
            keep = settings.retention.backups
            click.echo(str(await backups.backup(database, settings.backups, keep=keep, by_hand=True)))

    asyncio.run(work(settings_of(ctx)))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Put a backup in the place of the database, which is kept beside the backups. Stop the bot and its workers first.

    Members who were erased since it was made are erased from it.
    """

    async def work(settings: Settings) -> int:
        async with await open_database(settings.database) as database:
            return await erase_again(database, settings.data)

    settings = settings_of(ctx)
    aside = backups.restore(file, settings.database)
    click.echo(f"{settings.database}: restored from {file.name}")
    if aside is not None:
        click.echo(f"What was there is kept as {aside}")
    if erased := asyncio.run(work(settings)):
        click.echo(f"Erased again, since they had been after this backup: {erased} members")
