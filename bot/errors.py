"""The one error path: commands, buttons and modals all end here when something goes wrong."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import discord
from discord import app_commands

from bot.ui.cards import problem_card
from core.errors import UserError

log = logging.getLogger(__name__)
_F = TypeVar("_F", bound=Callable[..., Any])

EXPIRED_INTERACTION = 10062  # Discord gave up on us after 3 s; nobody is there to be told


async def report(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the person in one sentence what to do next, whatever state the interaction is in."""
    while (
        isinstance(error, app_commands.CommandInvokeError | app_commands.TransformerError) and error.__cause__
    ):
        error = error.__cause__
    if isinstance(error, discord.NotFound) and error.code == EXPIRED_INTERACTION:
        log.warning("an interaction expired before the answer: %s", describe(interaction))
        return
    sentence = sentence_for(error)
    if sentence is None:
        log.error("unexpected error in %s", describe(interaction), exc_info=error)
        sentence = "Something went wrong on my side and nothing was changed; please try again in a moment."
    try:
        await say(interaction, sentence)
    except discord.HTTPException as failure:
        log.warning("could not tell about an error in %s: %s", describe(interaction), failure)


def sentence_for(error: BaseException) -> str | None:
    """The sentence for an error that is the person's or the server's to mend, None for a bug."""
    match error:
        case UserError():
            return str(error)
        case app_commands.MissingPermissions():
            return "Only members who may manage this server can do that; ask one of them."
        case app_commands.CommandOnCooldown():
            return f"That was quick: please try again in {error.retry_after:.0f} seconds."
        case app_commands.NoPrivateMessage():
            return "That works in a server only; use the command in one of its channels."
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return "This command has just changed; please restart Discord (Ctrl+R) and try again."
        case discord.Forbidden():
            return "I am not allowed to do that here; ask an admin to give me access to this channel."
        case _:
            return None


async def say(interaction: discord.Interaction[Any], sentence: str) -> None:
    """A private card, by the first way that is still open."""
    card = problem_card(sentence)
    if not interaction.response.is_done():
        await interaction.response.send_message(view=card, ephemeral=True)
    elif interaction.is_expired():
        log.warning("too late to tell about an error in %s", describe(interaction))
    elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        await interaction.edit_original_response(view=card)  # where "thinking ..." stands
    else:
        await interaction.followup.send(view=card, ephemeral=True)


def answer_refusals(command: _F) -> _F:
    """For commands that may have to say no: a refusal is an answer, not a fault of the program."""

    @functools.wraps(command)
    async def answered(cog: Any, interaction: discord.Interaction[Any], *args: Any, **options: Any) -> None:
        try:
            await command(cog, interaction, *args, **options)
        except UserError as refusal:
            await report(interaction, refusal)

    return cast(_F, answered)


def describe(interaction: discord.Interaction[Any]) -> str:
    """What was asked, for the log: never who asked or what was answered."""
    if interaction.command is not None:
        return f"/{interaction.command.qualified_name}"
    data: dict[str, Any] = dict(interaction.data or {})
    return f"button {data.get('custom_id', '?')}"
