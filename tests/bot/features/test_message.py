"""'Analyse this track' on a message: the way of /upload for what somebody posted."""

from __future__ import annotations

import pytest

from jobs.runner import Runner
from tests.bot.conftest import World, card, tick, uploads, words
from tests.make import plucked

MENU = "Analyse this track"


async def test_a_posted_track_goes_the_way_of_an_upload(world: World, runner: Runner) -> None:
    posted = await world.bob.send(
        world.channel, "listen!", attachments=[("note.txt", b"x"), ("demo.wav", plucked())]
    )
    shown = await world.alice.context_menu(world.channel, MENU, posted)
    assert shown.ephemeral and shown.response is not None and "follows its way" in words(shown.response)
    assert "demo.wav" in words(await card(world))
    assert await runner.run_one()
    await tick(world)
    assert "## demo" in words(await card(world))
    [job] = await world.bot.queue.jobs()
    assert job.user_id == world.alice.id and job.state == "done"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([], "There is no file in that message"),
        ([("cat.png", b"\x89PNG\r\n"), ("list.pdf", b"%PDF")], "That file is no audio"),
        ([("empty.mp3", b"")], "That file is empty"),
        ([("big.mp3", b"x" * 2_100_000)], "larger than 2 MB"),
    ],
)
async def test_what_is_no_track_is_refused_in_a_sentence(
    world: World, files: list[tuple[str, bytes]], says: str
) -> None:
    posted = await world.bob.send(world.channel, "look", attachments=files)
    shown = await world.alice.context_menu(world.channel, MENU, posted)
    assert shown.ephemeral and shown.response is not None and says in words(shown.response)
    assert not await uploads(world) and not await world.bot.queue.jobs()


async def test_it_is_there_after_a_restart_and_once(world: World) -> None:
    await world.restart()
    menus = [command.name for command in world.bot.tree.get_commands() if command.name == MENU]
    assert menus == [MENU]
    posted = await world.bob.send(world.channel, "x", attachments=[("demo.ogg", plucked())])
    shown = await world.alice.context_menu(world.channel, MENU, posted)
    assert shown.response is not None and "follows its way" in words(shown.response)
