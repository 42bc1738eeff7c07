"""Who may do what: hidden from members by default, and checked again, since a server can change what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import discord
from discord import app_commands

from core.errors import Refusal

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
        raise Refusal("managers-only")
    return interaction.guild_id
