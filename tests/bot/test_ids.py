"""Ids, pages and places from outside: whatever they say, the answer is a sentence, and nothing is logged as a fault."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

from bot.router import Buttons, Press
from bot.widgets import Card, row
from core.library.consent import agree
from tests.bot.conftest import World, words

pytestmark = pytest.mark.usefixtures("drawn_here")

ODD = {
    "2**63": str(2**63),
    "2**63 - 1": str(2**63 - 1),
    "10**30 - 1": "9" * 30,
    "-2**70": str(-(2**70)),
    "the largest that is read": "9" * 15,
    "minus one": "-1",
    "Arabic": "٣",
    "superscript": "²",
    "underscore": "1_0",
    "plus": "+1",
    "blank": " 1",
    "empty": "",
    "fraction": "1.5",
    "not a number": "nan",
    "SQL": "1 OR 1=1",
    "null": "\0",
    "line": "1\n",
    "zero": "0",
    "one": "1",
}

UNDER_PREVIEWS = ("pl_on", "rec_next")
"""Buttons whose message is no card."""


async def press(world: World, who: Any, action: str, *arguments: str) -> Any:
    channel: Any = world.bot.get_channel(world.channel.id)
    button = Press(action, *arguments, label="x")
    if action in UNDER_PREVIEWS:
        await channel.send("x", view=Buttons(button))
    else:
        await channel.send(view=Card(row(button)))
    return await who.click(world.channel.last_message, custom_id=f"ms:{action}:{':'.join(arguments)}")


def answered(step: Any) -> bool:
    """Whether there was an answer, in place or after it, with words or a form."""
    answers = [one for one in (step.response, *step.followups) if one is not None]
    return bool(step.modal or any(words(one) or one.content for one in answers))


@pytest.mark.parametrize("kind", ODD)
async def test_every_button_answers_odd_ids_in_a_sentence(
    world: World, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    faults = []
    for action, handler in sorted(world.bot.handlers.items()):
        parameters = [*inspect.signature(handler).parameters.values()][1:]
        spread = any(one.kind is one.VAR_POSITIONAL for one in parameters)
        count = 5 if spread else len(parameters)
        if not count:
            continue
        await agree(world.bot.database, world.admin.id)
        caplog.clear()
        step = await press(world, world.admin, action, *[ODD[kind][: 80 // count - 1]] * count)
        faults += [
            (action, record.message, record.exc_info and record.exc_info[1])
            for record in caplog.records
            if record.levelno >= logging.ERROR
        ]
        if not answered(step):
            faults.append((action, "no answer", None))
    assert not faults


@pytest.mark.parametrize("kind", ODD)
async def test_every_option_answers_odd_ids_in_a_sentence(
    world: World, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    await world.alice.slash(world.channel, "playlist create", name="mine")
    listed, track, entry = f"list:{ODD[kind]}", f"track:{ODD[kind]}", f"entry:{ODD[kind]}"
    for command, options in (
        ("playlist show", {"playlist": listed}),
        ("playlist add", {"playlist": listed, "track": "track:1"}),
        ("playlist add", {"playlist": "mine", "track": track}),
        ("playlist remove", {"playlist": "mine", "track": entry}),
        ("playlist play", {"playlist": listed}),
        ("library track", {"track": track}),
        ("similar", {"track": track}),
    ):
        assert answered(await world.alice.slash(world.channel, command, **options)), command
    for value in (listed, track, entry, ODD[kind]):
        await world.alice.autocomplete(world.channel, "playlist remove", "track", value, playlist=listed)
        await world.alice.autocomplete(world.channel, "playlist show", "playlist", value)
        await world.alice.autocomplete(world.channel, "similar", "track", value)
        await world.alice.autocomplete(world.channel, "library search", "key", value, query="x")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
