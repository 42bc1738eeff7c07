"""Buttons that work for ever: after a restart, on ephemeral messages, on cards from last week.

Every button and every list is a DynamicItem whose custom id says what to do, 'ms:<action>:<argument>:...' or
'mc:<action>:...'; cogs name their handlers with `@on_press("action")`, and a list's handler gets the chosen value as its
last argument. Nothing else is ever on a card, since discord.py unregisters a DynamicItem for everybody when a view that
mixes it with ordinary items times out. Forms ('mf:<action>:...') go the same way, also when they are sent after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
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


FORM = re.compile(r"mf:(?P<action>[a-z_]+):(?P<arguments>.*)")
"""The custom id of a form."""


class Form(discord.ui.Modal):
    """A form that calls the handler of its action with its arguments and what was filled in, in order.

    discord.py knows the forms of this process only, so the bot takes them all by their custom id (`sent_form`) and
    `press` runs the handler.
    """

    def __init__(
        self,
        action: str,
        *arguments: object,
        title: str,
        fields: Sequence[discord.ui.TextInput[Any] | discord.ui.Label[Any]],
    ) -> None:
        custom_id = f"mf:{action}:{':'.join(str(argument) for argument in arguments)}"
        super().__init__(title=title[:45], timeout=None, custom_id=custom_id)
        for field in fields:
            self.add_item(field)

    def is_finished(self) -> bool:
        """Always: discord.py keeps the others, each with a task, until they time out."""
        return True


def sent_form(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """The action and arguments of a form that was sent, its fields last; None when it is no form of ours."""
    match = FORM.fullmatch(str(data.get("custom_id", "")))
    if match is None:
        return None
    arguments = match["arguments"].split(":") if match["arguments"] else []
    return match["action"], (*arguments, *_values(data.get("components", ())))


def _values(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands in the fields of a form, which may be wrapped in labels or rows."""
    found = []
    for one in components:
        if "value" in one:
            found.append(str(one["value"]))
        elif "values" in one:  # a list; nothing chosen is an empty field
            found.append(str(next(iter(one["values"]), "")))
        found += _values([*one.get("components", ()), *([one["component"]] if "component" in one else ())])
    return found
