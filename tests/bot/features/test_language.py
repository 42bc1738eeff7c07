"""Who is spoken to in which language: the member's choice, the server's, that of their Discord, English."""

from __future__ import annotations

from typing import Any
from unittest import mock

import discord
import pytest
from discord import app_commands

from bot.translator import NAMES, Words, labels
from core.settings import DiscordSettings
from core.spoken import LANGUAGES, spoken
from research.messages import found
from tests.bot.conftest import World, discord_set_to, tick, upload, words
from tests.make import plucked

ENGLISH, GERMAN, SPANISH = "Only members who", "Das können nur", "Eso solo pueden"


async def refused(world: World, member: Any = None) -> str:
    """A sentence that the bot says to whoever presses an admin's button."""
    message = world.channel.history()[0]
    pressed = await (member or world.alice).click(message, custom_id="ms:admin_jobs:")
    return words(pressed.response)


@pytest.fixture
async def button(world: World) -> None:
    cog = world.bot.get_cog("Admin")
    await world.bot.get_channel(world.channel.id).send(view=await cog.jobs_view(world.channel.guild.id))


async def test_the_order_of_choices(world: World, button: None) -> None:
    assert ENGLISH in await refused(world)
    with discord_set_to("es-ES"):
        assert SPANISH in await refused(world)
        await world.admin.slash(world.channel, "admin language", language="de")
        assert GERMAN in await refused(world)
        await world.alice.slash(world.channel, "language", language="en")
        assert ENGLISH in await refused(world)
        assert GERMAN in await refused(world, world.bob)
        await world.alice.slash(world.channel, "language", language="auto")
        assert GERMAN in await refused(world)
        await world.admin.slash(world.channel, "admin language", language="auto")
        assert SPANISH in await refused(world)
    with discord_set_to("fr"):
        assert ENGLISH in await refused(world)
        settings = world.settings.model_copy(update={"discord": DiscordSettings(language="de")})
        with mock.patch.object(world.bot, "settings", settings):
            assert GERMAN in await refused(world)


async def test_the_answer_to_a_choice_is_in_that_language(world: World) -> None:
    said = (await world.alice.slash(world.channel, "language", language="de")).response
    assert "Ab jetzt antworte ich dir auf Deutsch." in words(said)
    said = (await world.alice.slash(world.channel, "language", language="auto")).response
    assert "here that means English" in words(said)
    said = (await world.admin.slash(world.channel, "admin language", language="es")).response
    assert "Aquí hablo Español" in words(said)


async def test_a_choice_survives_a_restart_and_stays_in_its_task(world: World, button: None) -> None:
    await world.alice.slash(world.channel, "language", language="de")
    await world.restart()
    assert GERMAN in await refused(world)
    assert ENGLISH in await refused(world, world.bob) and spoken() == "en"


async def test_members_cannot_choose_for_the_server(world: World) -> None:
    assert "admin language" not in world.alice.available_commands(world.channel)


async def test_a_card_goes_on_in_the_language_of_whoever_asked(world: World) -> None:
    await world.alice.slash(world.channel, "language", language="de")
    await upload(world, "song.wav", plucked())
    rows = await world.bot.database.fetch("SELECT language FROM card")
    assert [row["language"] for row in rows] == ["de"]
    [job] = await world.bot.queue.jobs()
    await world.bot.queue.cancel(job.id)
    await tick(world)
    assert "Abgebrochen" in words(world.channel.last_message)


async def test_a_busy_database_leaves_the_language_of_discord(world: World, button: None) -> None:
    import sqlite3

    fault = sqlite3.OperationalError("database is locked")
    with mock.patch("core.library.languages.chosen", side_effect=fault), discord_set_to("de"):
        assert GERMAN in await refused(world)


async def test_commands_are_described_in_every_language(world: World) -> None:
    """Descriptions and choices, at most as long as Discord takes them; names stay what guides call them."""
    asked: set[str] = set()
    too_long: list[str] = []

    class Listening(Words):
        async def translate(self, string: Any, locale: discord.Locale, context: Any) -> str | None:
            said = await super().translate(string, locale, context)
            if context.location not in NAMES or isinstance(context.data, app_commands.ContextMenu):
                asked.add(string.message)
            else:
                assert said is None
            too_long.extend([said] if said and len(said) > 100 else [])
            return said

    tree = world.bot.tree
    for command in [*tree.get_commands(), *tree.get_commands(type=discord.AppCommandType.message)]:
        await command.get_translated_payload(tree, Listening())
    assert not too_long and len(asked) > 50
    known = {message for message in found() if isinstance(message, str)}
    assert asked - known - set(labels()) - SAME == set()


SAME = {*LANGUAGES.values(), "M3U8", "XSPF", "JSPF"}
"""Choices that are names."""


async def test_discord_gets_the_descriptions_in_every_language(world: World) -> None:
    [sent] = [one for one in world.env.http_requests if one.method == "PUT" and "commands" in one.path]
    [recommend] = [one for one in sent.json if one["name"] == "recommend"]
    assert recommend["description_localizations"]["de"] == "Musik für deine Stimmung, mit Begründung."
    moods = next(option for option in recommend["options"] if option["name"] == "mood")["choices"]
    assert moods[-1]["name"] == "Sadness" and moods[-1]["name_localizations"]["de"] == "Traurigkeit"
    [menu] = [one for one in sent.json if one.get("type") == 3]
    assert menu["name_localizations"]["es-ES"] == "Analizar este tema"
