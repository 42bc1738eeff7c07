"""Consent before the first thing is stored: whoever has not agreed yet is asked, and what they wanted goes on after a yes.

Which handler stores nothing says so itself: `@on_press("play", consent=False)`, and a command by `extras=stores_nothing`
or `extras=asks_for(...)`; all others ask, and so does what is added later. What waits for the answer is kept in this
process's memory (nothing about the member is stored before they agree) and, where it is short enough, in the card's own
button, so that it goes on even after a restart.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.router import Press
from bot.widgets import Card, Style, row, text
from bot.words.i18n import tr
from core.library.consent import agreed
from core.library.database import Database
from core.settings import RetentionSettings

Interaction = discord.Interaction[Any]
Again = Callable[[Interaction], Awaitable[None]]
"""Does what was asked for, in answer to the interaction that agreed."""

stores_nothing: dict[Any, Any] = {"consent": False}
"""Extras of a command that stores nothing about who uses it."""

KEPT_S, MOST = 900.0, 1000
"""What waits is forgotten with its interaction, after a quarter of an hour, and when too many wait."""

LONGEST = 62
"""Characters of the custom id that may say what waits: Discord takes 100, of which the rest of it needs up to 37."""


def asks_for(stores: Callable[[app_commands.Namespace], bool]) -> dict[Any, Any]:
    """Extras of a command that stores something with some options only: `stores` is asked with those given."""
    return {"consent": stores}


def must_ask(command: object, options: app_commands.Namespace) -> bool:
    """Does this command, with these options, store something about who uses it?"""
    stores = command.extras.get("consent", True) if isinstance(command, app_commands.Command) else False
    return bool(stores(options) if callable(stores) else stores)


@dataclass(frozen=True)
class Waiting:
    """What a member asked for before they agreed."""

    interaction: Interaction
    again: Again
    since: float


class ConsentGate:
    """Lets through those who have agreed; asks the others."""

    def __init__(self, database: Database, retention: RetentionSettings) -> None:
        self.database = database
        self.retention = retention
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    async def lets_through(self, interaction: Interaction, again: Again, short: str = "") -> bool:
        """Has this member agreed? If not, they are asked here, and `again` is what goes on after a yes; `short` says the
        same in characters (`short_command`, `short_press`; empty: it does not outlive this process)."""
        if await agreed(self.database, interaction.user.id):
            return True
        self._waiting[str(interaction.id)] = Waiting(interaction, again, time.monotonic())
        while len(self._waiting) > MOST or (
            time.monotonic() - next(iter(self._waiting.values())).since > KEPT_S
        ):
            self._waiting.popitem(last=False)
        card = consent_card(self.retention, interaction.id, short)
        await interaction.response.send_message(view=card, ephemeral=True)
        return False

    def take(self, asked: str, user_id: int) -> Waiting | None:
        """What waits under the interaction's id, if it is this member's."""
        waiting = self._waiting.get(asked)
        if waiting is None or waiting.interaction.user.id != user_id:
            return None
        return self._waiting.pop(asked)


async def run_command(
    interaction: Interaction,
    command: app_commands.Command[commands.Cog, ..., Any],
    options: Mapping[str, Any],
) -> None:
    """Run a command that has waited, with its options by the names that members see, in answer to another interaction.

    discord.py runs a command only for the interaction that it came with, which has been answered already (by asking). Its
    checks, callback and parameters are public, and our options are all of Discord's own types, which `Namespace` has
    resolved: there is nothing left to transform.
    """
    cog = command.binding
    assert cog is not None  # all of ours are methods of cogs
    for check in (cog.interaction_check, *command.checks):
        if not await discord.utils.maybe_coroutine(check, interaction):
            raise app_commands.CheckFailure
    given = {one.name: options[one.display_name] for one in command.parameters if one.display_name in options}
    callback: Callable[..., Awaitable[None]] = command.callback
    await callback(cog, interaction, **given)


def short_command(name: str, options: Mapping[str, Any]) -> str:
    """A command as a few characters of a custom id; empty when they would be too many, or not say it all."""
    if not all(isinstance(value, str | int | float) for value in options.values()):
        return ""  # a file
    return _if_short("c" + json.dumps([name, options], separators=(",", ":"), ensure_ascii=False))


def short_press(action: str, arguments: tuple[str, ...]) -> str:
    """A button likewise."""
    return _if_short("b" + ":".join((action, *arguments)))


def _if_short(said: str) -> str:
    return said if len(said) <= LONGEST else ""


def from_short(short: str) -> tuple[str, dict[str, Any] | tuple[str, ...]] | None:
    """The way back: a command's name and options, or a button's action and arguments."""
    if short.startswith("b"):
        action, *arguments = short[1:].split(":")
        return action, tuple(arguments)
    if short.startswith("c"):
        try:
            name, options = json.loads(short[1:])
            return str(name), dict(options)
        except (ValueError, TypeError):  # from another version of us
            return None
    return None


def consent_card(kept: RetentionSettings, asked: int, short: str) -> Card:
    """At first use, before anything is stored; `asked` and `short` say what goes on after a yes."""
    return Card(
        text(tr("## Before we begin"), tr("To do that I have to keep something about you. You decide.")),
        text(*_briefly(kept)),
        text(tr("-# `/privacy` says it in full, hands all of it out, or erases it, any time.")),
        row(
            Press("consent_yes", asked, short, label=tr("Agree and go on"), style=Style.success),
            Press("consent_no", label=tr("Not now")),
        ),
    )


def _briefly(kept: RetentionSettings) -> tuple[str, str, str]:
    """What somebody reads who wants to begin."""
    return (
        tr(
            "**What:** {what}",
            what=tr(
                "your answers and your mood, what I pick and you play, 👍 and 👎, searches, lists and uploads. I read no messages and guess nothing."
            ),
        ),
        tr("**Why:** {why}", why=tr("to choose music for you, and to go on where you left.")),
        tr(
            "**How long:** uploads {uploads} days, what I picked and you played {history} days, the rest until you erase it.",
            uploads=kept.uploads_days,
            history=kept.history_days,
        ),
    )
