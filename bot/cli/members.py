"""`moodstem export` and `moodstem erase`: what is kept about a member."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from bot.cli.root import print_json, settings_of
from bot.service.member_data import erase_member
from core.library.members import export_member
from core.library.schema import open_database
from core.settings import Settings


@click.command()
@click.argument("user", type=int)
@click.pass_context
def export(ctx: click.Context, user: int) -> None:
    """Print everything that is kept about a Discord user (by id), as JSON."""
    print_json(asyncio.run(_member(settings_of(ctx), user, erase=False)))


@click.command()
@click.argument("user", type=int)
@click.confirmation_option(prompt="Erase everything about this user?")
@click.pass_context
def erase(ctx: click.Context, user: int) -> None:
    """Erase everything that is kept about a Discord user (by id)."""
    print_json(asyncio.run(_member(settings_of(ctx), user, erase=True)))


async def _member(settings: Settings, user: int, *, erase: bool) -> Any:
    async with await open_database(settings.database) as database:
        if erase:
            return await erase_member(database, settings.data, user)
        return await export_member(database, user)
