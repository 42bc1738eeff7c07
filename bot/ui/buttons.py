"""Buttons that work for ever: after a restart, on ephemeral messages, on cards from last week.

Every button and every list is a DynamicItem whose custom id says what to do, 'ms:<action>:<argument>:...' or
'mc:<action>:...'; cogs name their handlers with `@on_press("action")`, and a list's handler gets the chosen value as its
last argument. Nothing else is ever on a card, since discord.py unregisters a DynamicItem for everybody when a view that
mixes it with ordinary items times out.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import discord

if TYPE_CHECKING:
    from bot.app import Moodstem

Handler = Callable[..., Awaitable[None]]
_F = TypeVar("_F", bound=Callable[..., Any])


def on_press(action: str) -> Callable[[_F], _F]:
    """Mark a cog's method `(self, interaction, *arguments: str)` as the handler of a button."""

    def mark(function: _F) -> _F:
        function.__button_action__ = action  # type: ignore[attr-defined]
        return function

    return mark


class Press(
    discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"ms:(?P<action>[a-z_]+):(?P<arguments>.*)"
):
    """A button that calls the handler of its action with its arguments."""

    def __init__(
        self,
        action: str,
        *arguments: object,
        label: str | None = None,
        emoji: str | None = None,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
    ) -> None:
        self.action = action
        self.arguments = tuple(str(argument) for argument in arguments)
        super().__init__(
            discord.ui.Button(
                label=label,
                emoji=emoji,
                style=style,
                disabled=disabled,
                custom_id=f"ms:{action}:{':'.join(self.arguments)}",
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Press:
        return cls(match["action"], *(match["arguments"].split(":") if match["arguments"] else ()))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        bot: Moodstem = interaction.client
        await bot.press(interaction, self.action, self.arguments)


class Choose(
    discord.ui.DynamicItem[discord.ui.Select[Any]], template=r"mc:(?P<action>[a-z_]+):(?P<arguments>.*)"
):
    """A list to choose one from; it calls the handler of its action with its arguments and the chosen value."""

    def __init__(
        self,
        action: str,
        *arguments: object,
        placeholder: str | None = None,
        options: list[discord.SelectOption] | None = None,
    ) -> None:
        self.action = action
        self.arguments = tuple(str(argument) for argument in arguments)
        super().__init__(
            discord.ui.Select(
                placeholder=placeholder,
                options=options or [],
                custom_id=f"mc:{action}:{':'.join(self.arguments)}",
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str]
    ) -> Choose:
        return cls(match["action"], *(match["arguments"].split(":") if match["arguments"] else ()))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        bot: Moodstem = interaction.client
        data: Any = interaction.data or {}
        await bot.press(interaction, self.action, (*self.arguments, *data.get("values", ())[:1]))
