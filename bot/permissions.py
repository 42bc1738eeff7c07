"""Who may do what: hidden from members by default, and checked again, since a server can change what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import discord
from discord import app_commands

from bot.words.i18n import tr
from core.errors import UserError

_T = TypeVar("_T", bound=Callable[..., Any])


def admin_only(command: _T) -> _T:
    """For commands of those who manage the server."""
    command = app_commands.default_permissions(manage_guild=True)(command)
    command = app_commands.guild_only()(command)
    return app_commands.checks.has_permissions(manage_guild=True)(command)


def must_manage(interaction: discord.Interaction[Any]) -> int:
    """The server's id; for buttons on cards of admins, which anybody could press on a shared card.

    Raises UserError for everybody else.
    """
    if interaction.guild_id is None or not interaction.permissions.manage_guild:
        raise UserError(tr("Only members who may manage this server can do that; ask one of them."))
    return interaction.guild_id
