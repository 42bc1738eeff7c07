"""The one error path: commands, buttons, forms, autocomplete and menus all end here when something goes wrong."""

from __future__ import annotations

import functools
import logging
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

import aiohttp
import discord
from discord import app_commands

from bot.widgets import problem_card
from bot.words.i18n import tr
from bot.words.say import say
from core.errors import UserError, is_disk_full
from core.library.consent import NO_CONSENT, NO_TRACK

log = logging.getLogger(__name__)
_F = TypeVar("_F", bound=Callable[..., Any])

TROUBLE = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, TimeoutError, ConnectionError)
"""What any request to Discord may raise through no fault of ours."""

EXPIRED = {
    10015,  # the interaction's webhook is gone: its token is older than 15 minutes
    10062,  # Discord gave up on us after 3 s
    40060,  # answered already: the same interaction was delivered twice
    50027,  # invalid webhook token: older than 15 minutes
}
"""Nobody is there to be told."""

GONE = {
    10003,  # unknown channel
    10008,  # unknown message
    50001,  # no access
    50013,  # missing permissions
}
"""A message that cannot be edited any more, now or ever."""

TOO_LARGE = 40005


async def report(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the person in one sentence what to do next, whatever state the interaction is in."""
    while (
        isinstance(error, app_commands.CommandInvokeError | app_commands.TransformerError) and error.__cause__
    ):
        error = error.__cause__
    if has_expired(error):
        interaction.extras["outcome"] = "expired"
        log.warning("too late to answer %s: %s", name_of(interaction), error)
        return
    sentence = sentence_for(error)
    interaction.extras["outcome"] = "error" if sentence is None else "refused"
    if sentence is None:
        log.error("unexpected error in %s", name_of(interaction), exc_info=error)
        sentence = tr(
            "Something went wrong on my side and nothing was changed; please try again in a moment."
        )
    elif isinstance(error, TROUBLE):
        log.warning("Discord did not take an answer to %s: %s", name_of(interaction), error)
    try:
        await answer(interaction, sentence)
    except (*TROUBLE, RuntimeError) as failure:
        if isinstance(failure, RuntimeError) and not is_closed(failure):
            raise
        log.warning("could not tell about an error in %s: %s", name_of(interaction), failure)


def has_expired(error: BaseException) -> bool:
    """Is the interaction one that Discord no longer lets us answer?"""
    return isinstance(error, discord.HTTPException) and error.code in EXPIRED


def is_closed(error: BaseException) -> bool:
    """Did the bot stop while Discord was asked once more? aiohttp has only this for it."""
    return isinstance(error, RuntimeError) and str(error) == "Session is closed"


def sentence_for(error: BaseException) -> str | None:
    """The sentence for an error that is the person's or the server's to mend, None for a bug."""
    match error:
        case UserError():
            return say(error)
        case app_commands.MissingPermissions():
            return tr("Only members who may manage this server can do that; ask one of them.")
        case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
            return tr("This command has just changed; please restart Discord (Ctrl+R) and try again.")
        case _ if is_closed(error):
            return tr("I am being restarted; please try again in a minute.")
        case _ if is_disk_full(error):
            return tr(
                "There is no room left on my disk, so nothing was changed; please tell whoever runs me."
            )
        case sqlite3.IntegrityError() if str(error) == NO_CONSENT:
            return tr("You had everything erased meanwhile, so I stored nothing; ask again if you want it.")
        case sqlite3.IntegrityError() if str(error) == NO_TRACK:
            return tr("A track was taken out of the library just now; please try again.")
        case sqlite3.OperationalError() if "locked" in str(error):
            return tr("My database is busy, so nothing was changed; please try again in a moment.")
        case app_commands.TransformerError():
            return tr("I cannot read one of the options; choose it from the list and try again.")
        case discord.Forbidden():
            return tr("I am not allowed to do that here; ask an admin to give me access to this channel.")
        case discord.RateLimited():
            return tr(
                "Discord asks me to slow down; please try again in {seconds:.0f} seconds.",
                seconds=error.retry_after,
            )
        case discord.HTTPException(status=429):
            return tr("Discord asks me to slow down; please try again in a few minutes.")
        case discord.HTTPException(code=code, status=status) if code == TOO_LARGE or status == 413:
            return tr("That is more than Discord lets me send here; choose something shorter.")
        case discord.HTTPException(code=code) if code in GONE:
            return tr("The message or channel is gone; run the command again.")
        case discord.HTTPException(status=status) if status < 500:
            return None  # what it refuses there, we asked wrongly
        case discord.HTTPException() | aiohttp.ClientError() | TimeoutError() | ConnectionError():
            return tr("Discord did not take my answer; please try again in a moment.")
        case _:
            return None


async def answer(interaction: discord.Interaction[Any], sentence: str) -> None:
    """A private card, by the first way that is still open; autocomplete can only offer nothing."""
    if interaction.type is discord.InteractionType.autocomplete:
        if not interaction.response.is_done():
            await interaction.response.autocomplete([])
        return
    card = problem_card(sentence)
    if not interaction.response.is_done():
        await interaction.response.send_message(view=card, ephemeral=True)
    elif interaction.is_expired():
        log.warning("too late to tell about an error in %s", name_of(interaction))
    elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        # Where "thinking ..." stands; what could not be attached must not be tried again.
        await interaction.edit_original_response(view=card, attachments=[])
    else:
        await interaction.followup.send(view=card, ephemeral=True)


def slash(**about: Any) -> Callable[[Callable[..., Any]], app_commands.Command[Any, ..., None]]:
    """app_commands.command for a method whose refusals are answers, not faults of the program."""

    def decorate(command: Callable[..., Any]) -> app_commands.Command[Any, ..., None]:
        @functools.wraps(command)
        async def answered(
            cog: Any, interaction: discord.Interaction[Any], *args: Any, **options: Any
        ) -> None:
            try:
                await command(cog, interaction, *args, **options)
            except UserError as refusal:
                await report(interaction, refusal)

        return app_commands.command(**about)(answered)

    return decorate


def guard_autocomplete(complete: _F) -> _F:
    """For autocompletes: their errors take the one path, too. discord.py would log them and leave the list open."""

    @functools.wraps(complete)
    async def guarded(interaction: discord.Interaction[Any], current: str) -> Any:
        try:
            choices = await complete(interaction, current)
            if not interaction.response.is_done():
                await interaction.response.autocomplete(choices)
        except Exception as error:
            await report(interaction, error)
        interaction.client.metrics.ended(interaction, name_of(interaction))
        return []

    return cast(_F, guarded)


def name_of(interaction: discord.Interaction[Any]) -> str:
    """What was asked, for logs and metrics: never who asked, with which words, or about which track."""
    if interaction.command is not None:
        name = f"/{interaction.command.qualified_name}"
        return f"{name} (completing)" if interaction.type is discord.InteractionType.autocomplete else name
    if interaction.type is discord.InteractionType.modal_submit:
        return "form"
    data: dict[str, Any] = dict(interaction.data or {})
    parts = str(data.get("custom_id", "")).split(":")
    known = len(parts) > 1 and parts[1] in getattr(interaction.client, "handlers", {})
    return f"button {parts[1]}" if known else "button"
