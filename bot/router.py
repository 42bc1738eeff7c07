"""Buttons that work for ever: after a restart, on ephemeral messages, on cards from last week.

The custom id of every button, list and form says what to do, 'ms:<action>:<argument>:...' ('mc:' for a list, 'mf:' for a
form); cogs name their handlers with `@on_press("action")`. A list's handler gets the chosen value as its last argument,
a form's what was filled in; where it is annotated `int`, as the number that it says (`whole`). The bot takes all of them by discord.py's public event `on_interaction`, so discord.py itself
need not remember any: cards and forms are stopped when they are made (a view that is not is kept, and a private one gets
a task as well, for a quarter of an hour).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar, cast

import discord

Handler = Callable[..., Awaitable[None]]
_F = TypeVar("_F", bound=Callable[..., Any])

_WHOLE = re.compile("[0-9]{1,15}")
_ROUTE = re.compile(r"m[scf]:(?P<action>[a-z_]+):(?P<arguments>.*)", re.DOTALL)


@dataclass(frozen=True)
class Marked:
    """What `on_press` notes about a handler. `consent`: its member must have agreed that something is kept."""

    action: str
    consent: bool


def on_press(action: str, *, consent: bool = True) -> Callable[[_F], _F]:
    """Mark a cog's method `(self, interaction, *arguments: str | int)` as the handler of a button, list or form.

    `consent=False` is for handlers that store nothing about who presses; the others ask first (bot/consent.py).
    """

    def mark(function: _F) -> _F:
        function.__on_press__ = Marked(action, consent)  # type: ignore[attr-defined]
        return function

    return mark


def marked(function: object) -> Marked | None:
    """Return what `on_press` noted about a function or bound method, None when it is no handler."""
    return getattr(function, "__on_press__", None)


def route(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """Return action and arguments of a press, choice or form, by its data; None when its custom id is none of ours."""
    match = _ROUTE.fullmatch(str(data.get("custom_id", "")))
    if match is None:
        return None
    arguments = match["arguments"].split(":") if match["arguments"] else []
    return match["action"], (*arguments, *data.get("values", ())[:1], *_filled_in(data.get("components", ())))


def whole(text: str) -> int | None:
    """Return the number that an id, a page or a place from outside says; None for what none of ours can be: signs, other
    scripts' digits, and what, times the length of a page, is more than SQLite's 64 bits."""
    return int(text) if _WHOLE.fullmatch(text) else None


def typed(handler: Handler, arguments: Sequence[str]) -> list[str | int] | None:
    """Return a handler's arguments, those annotated `int` as numbers; None if they do not suit it."""
    signature = inspect.signature(handler, eval_str=True)
    try:
        signature.bind(None, *arguments)
    except TypeError:
        return None
    kinds = [one.annotation for one in signature.parameters.values()][1 : 1 + len(arguments)]
    found = [whole(text) if kind is int else text for text, kind in zip_longest(arguments, kinds)]
    return None if None in found else cast(list[str | int], found)


def _filled_in(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands in the fields of a form, which may be wrapped in labels or rows."""
    found = []
    for one in components:
        if "value" in one:
            found.append(str(one["value"]))
        elif "values" in one:  # a list; nothing chosen is an empty field
            found.append(str(next(iter(one["values"]), "")))
        found += _filled_in([*one.get("components", ()), *([one["component"]] if "component" in one else ())])
    return found


def _custom_id(kind: str, action: str, arguments: Sequence[object]) -> str:
    return f"{kind}:{action}:{':'.join(map(str, arguments))}"


class Press(discord.ui.Button[Any]):
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
        custom_id = _custom_id("ms", action, arguments)
        super().__init__(label=label, emoji=emoji, style=style, disabled=disabled, custom_id=custom_id)


class Choose(discord.ui.Select[Any]):
    """A list to choose one from; it calls the handler of its action with its arguments and the chosen value."""

    def __init__(
        self,
        action: str,
        *arguments: object,
        placeholder: str | None = None,
        options: list[discord.SelectOption] | None = None,
    ) -> None:
        custom_id = _custom_id("mc", action, arguments)
        super().__init__(placeholder=placeholder, options=options or [], custom_id=custom_id)


class Form(discord.ui.Modal):
    """A form that calls the handler of its action with its arguments and what was filled in, in order; also when it is
    sent to another process than the one that opened it."""

    def __init__(
        self,
        action: str,
        *arguments: object,
        title: str,
        fields: Sequence[discord.ui.TextInput[Any] | discord.ui.Label[Any]],
    ) -> None:
        super().__init__(title=title[:45], timeout=None, custom_id=_custom_id("mf", action, arguments))
        for field in fields:
            self.add_item(field)
        self.stop()


class Buttons(discord.ui.View):
    """Buttons under an ordinary message."""

    def __init__(self, *buttons: Press) -> None:
        super().__init__(timeout=None)
        for button in buttons:
            self.add_item(button)
        self.stop()
