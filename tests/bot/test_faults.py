"""What goes wrong at Discord's side or ours: everybody is told one sentence, and nothing is lost."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import discord
import pytest

import bot.app as bot_app
from bot.router import Press
from bot.widgets import Card, row
from bot.words.say import sentences
from core.moods.profile import Profile
from jobs.runner import Runner
from tests.bot.conftest import World, card, labels, press_ids, previews_ready, tick, upload, words
from tests.make import plucked

SORRY = "Something went wrong on my side"


class Bug(Exception):  # noqa: N818
    pass


async def fails(*arguments: Any, **options: Any) -> Any:
    raise Bug("a fault of ours")


# -- one error path for everything that members can use --------------------------------------------------


async def test_a_bug_in_a_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.bot.queue, "jobs", fails)
    shown = await world.alice.slash(world.channel, "jobs")
    assert shown.ephemeral and SORRY in words(shown.response)
    world.expected = (*world.expected, Bug)


async def test_a_bug_after_thinking_takes_the_place_of_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.bot.catalogs, "of", fails)
    await world.bot.moods.finish(world.alice.id, Profile({"power": 1.0}))
    shown = await world.alice.slash(world.channel, "recommend")
    assert SORRY in words(shown.response) and not shown.followups
    world.expected = (*world.expected, Bug)


async def test_a_bug_in_a_button(world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    shown = await world.alice.slash(world.channel, "help")
    monkeypatch.setitem(world.bot.handlers, "mood_start", fails_pressed)
    with caplog.at_level(logging.ERROR, "bot.errors"):
        told = await world.alice.click(shown.response.message, label="Ask me")
    assert told.ephemeral and SORRY in words(told.response)
    assert [record.message for record in caplog.records] == ["unexpected error in button mood_start"]


async def test_a_bug_before_a_command_or_button_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose language it is, and whether they agreed, is asked first; also that may fail, and is answered."""
    shown = await world.alice.slash(world.channel, "help")
    monkeypatch.setattr(bot_app, "language_of", fails)
    told = await world.alice.slash(world.channel, "help")
    assert told.ephemeral and SORRY in words(told.response)
    told = await world.alice.click(shown.response.message, label="Ask me")
    assert told.ephemeral and SORRY in words(told.response)
    world.expected = (*world.expected, Bug)


async def fails_pressed(interaction: Any) -> None:
    raise Bug


async def test_a_bug_in_autocomplete_offers_nothing_and_is_logged_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(world.bot.library.database, "fetch", fails)
    monkeypatch.setattr(world.bot.catalogs, "of", fails)
    with caplog.at_level(logging.ERROR):
        found = await world.alice.autocomplete(world.channel, "playlist create", "track", "pillow")
    assert found == []
    assert [record.name for record in caplog.records] == ["bot.errors"], (
        "discord.py itself had nothing to log"
    )


async def test_a_bug_in_a_context_menu(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    message = await world.bob.send(world.channel, "no file here")
    shown = await world.alice.context_menu(world.channel, "Analyse this track", message)
    assert shown.ephemeral and "⚠️" in words(shown.response), "what cannot be done is said in a sentence"
    monkeypatch.setattr(world.bot.get_cog("Upload"), "take", fails)
    message = await world.bob.send(world.channel, "", attachments=[("song.wav", plucked())])
    shown = await world.alice.context_menu(world.channel, "Analyse this track", message)
    assert SORRY in words(shown.response)
    world.expected = (*world.expected, Bug)


async def test_buttons_from_before_are_answered(world: World) -> None:
    channel: Any = world.bot.get_channel(world.channel.id)
    await channel.send(
        view=Card(row(Press("dance", 1, label="Dance"), Press("job_show", 1, 2, 3, label="Job")))
    )
    for label in ("Dance", "Job"):
        told = await world.alice.click(world.channel.last_message, label=label)
        assert told.ephemeral and "from another version of me" in words(told.response)
    view = discord.ui.LayoutView()
    view.add_item(discord.ui.ActionRow(discord.ui.Button(label="Ancient", custom_id="ancient")))
    await channel.send(view=view)
    await world.restart()
    told = await world.alice.click(world.channel.last_message, label="Ancient")
    assert told.ephemeral and sentences()["from-before-restart"] in words(told.response)


async def test_buttons_live_on_after_views_have_timed_out(world: World) -> None:
    """discord.py gives ephemeral views 15 minutes, and would unregister the buttons of all others with a mixed one."""
    old = await world.alice.slash(world.channel, "help")
    await world.alice.slash(world.channel, "privacy")
    world.bot.get_cog("JobCardsCog").follow.cancel()  # a thousand ticks of it would take a minute here
    await world.env.advance_time(16 * 60)
    told = await world.alice.slash(world.channel, "help")
    for shown in (told, old):
        pressed = await world.alice.click(shown.response.message, label="Ask me")
        assert "Question 1 of" in words(pressed.response or shown.response)


async def test_discord_py_keeps_no_card_and_no_form(world: World) -> None:
    """It would hold each for a quarter of an hour, or for ever, and hand presses to it past the one error path."""
    before = views()
    asked = await world.alice.slash(world.channel, "mood", form="form")
    assert asked.modal is not None
    told = await world.alice.submit_modal(asked, {})
    assert told.response is not None
    await world.alice.slash(world.channel, "help")
    await previews_ready(world)
    [track, *_] = await world.bot.library.tracks()
    shown = await world.alice.slash(world.channel, "library track", track=track.title)
    await world.alice.click(shown.response.message, custom_id=press_ids(shown.response, "play")[0])
    del asked, told, shown
    for _ in range(50):  # what answered may still be ending
        if views() <= before:
            return
        await asyncio.sleep(0.1)
    assert views() <= before


def views() -> set[int]:
    """The ids of all cards, rows of buttons and forms that are in memory."""
    gc.collect()
    kinds = discord.ui.View | discord.ui.LayoutView | discord.ui.Modal
    return {
        id(one) for one in gc.get_objects() if issubclass(type(one), kinds)
    }  # a dead proxy has no isinstance


# -- what Discord does to us -----------------------------------------------------------------------------


async def test_an_interaction_that_expired_before_the_answer(world: World, caplog: Any) -> None:
    world.env.inject_error("POST", "/interactions/*", status=404, code=10062, message="Unknown interaction")
    with caplog.at_level(logging.WARNING, "bot.errors"):
        await upload(world, "song.wav", plucked())
    assert any("too late to answer /upload" in record.message for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records), "no traceback: it is nobody's fault"
    assert not await world.bot.queue.jobs() and not list(world.settings.uploads.glob("*"))
    world.expected = (*world.expected, discord.NotFound)


async def test_answers_are_kept_when_the_reply_is_lost(world: World) -> None:
    begun = await world.alice.slash(world.channel, "mood")
    world.env.inject_error("POST", "/interactions/*", status=404, code=10062, message="Unknown interaction")
    choice = press_ids(begun.response, "mood_answer")[3]
    await world.alice.click(begun.response.message, custom_id=choice)
    again = await world.alice.slash(world.channel, "mood")
    assert "Question 2 of" in words(again.response)


@pytest.mark.parametrize("code", [10015, 50027])
async def test_a_token_of_more_than_15_minutes_loses_no_job(world: World, code: int) -> None:
    world.env.inject_error("PATCH", "/webhooks/*", status=401, code=code, message="Invalid Webhook Token")
    await upload(world, "song.wav", plucked())
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    assert job.state == "queued" and "song.wav" in words(await card(world))
    world.expected = (*world.expected, discord.HTTPException)


@pytest.mark.parametrize(
    ("status", "code"), [(403, 50013), (403, 50001), (404, 10003), (500, 0), (503, 0), (429, 0)]
)
async def test_a_channel_that_takes_no_card(world: World, status: int, code: int) -> None:
    """Lost permissions, deleted channels, faults: the card goes to its member alone and stays useful."""
    world.env.inject_error("POST", "/channels/*/messages", status=status, code=code)
    shown = await upload(world, "song.wav", plucked())
    assert shown.ephemeral and "song.wav" in words(shown.response)
    assert {"Refresh", "Cancel"} <= set(labels(shown.response))
    await world.alice.click(shown.response.message, label="Cancel")
    assert "Cancelled" in words(shown.response)


@pytest.mark.parametrize(("status", "code"), [(404, 10003), (404, 10008), (403, 50001), (403, 50013)])
async def test_a_card_that_is_gone_is_forgotten_and_its_job_is_not(
    world: World, status: int, code: int
) -> None:
    await upload(world, "song.wav", plucked())
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=status, code=code, times=None)
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    await world.bot.queue.cancel(job.id)
    await tick(world)
    assert not await world.bot.database.fetch("SELECT * FROM card"), "nobody edits it for ever"
    found = await world.alice.slash(world.channel, "jobs")
    assert "song.wav" in words(found.response)


@pytest.mark.parametrize(("status", "code"), [(500, 0), (503, 0), (429, 0)])
async def test_a_card_that_cannot_be_edited_now_is_edited_later(world: World, status: int, code: int) -> None:
    await upload(world, "song.wav", plucked())
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=status, code=code)
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    await world.bot.queue.cancel(job.id)
    await tick(world)
    assert "Next in the queue" in words(await card(world))
    world.bot.job_cards.not_before.clear()  # as if the seconds had passed
    await tick(world)
    assert "Cancelled" in words(await card(world))


async def test_a_message_that_was_edited_too_often_is_followed_by_a_new_one(world: World) -> None:
    await upload(world, "song.wav", plucked())
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=400, code=30046)
    [job] = await world.bot.queue.jobs(user_id=world.alice.id)
    await world.bot.queue.cancel(job.id)
    await tick(world)
    assert len(world.channel.history()) == 2 and "Cancelled" in words(await card(world))


async def test_a_picture_that_is_too_large_is_left_out(world: World, runner: Runner) -> None:
    await upload(world, "song.wav", plucked())
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=413, code=40005)
    assert await runner.run_one()
    await tick(world)
    done = await card(world)
    assert "Goes well with" in words(done) and not done.attachments
    assert not await world.bot.database.fetch("SELECT * FROM card")


async def test_a_preview_that_is_too_large_is_told(world: World) -> None:
    await previews_ready(world)
    [track, *_] = await world.bot.library.tracks()
    channel: Any = world.bot.get_channel(world.channel.id)
    await channel.send(view=Card(row(Press("play", track.id, label="Play"))))
    world.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005)
    heard = await world.alice.click(world.channel.last_message, label="Play")
    assert "more than Discord lets me send" in words(heard.response)


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (403, 50013, "not allowed to do that here"),
        (404, 10003, "run the command again"),
        (404, 10008, "run the command again"),
        (429, 0, "asks me to slow down"),
        (500, 0, "Discord did not take my answer"),
        (503, 0, "Discord did not take my answer"),
    ],
)
async def test_what_discord_refuses_is_said_in_a_sentence(
    world: World, status: int, code: int, sentence: str
) -> None:
    await previews_ready(world)
    [track, *_] = await world.bot.library.tracks()
    channel: Any = world.bot.get_channel(world.channel.id)
    await channel.send(view=Card(row(Press("play", track.id, label="Play"))))
    world.env.inject_error("PATCH", "/webhooks/*", status=status, code=code)
    heard = await world.alice.click(world.channel.last_message, label="Play")
    assert sentence in words(heard.response)
    heard = await world.alice.click(world.channel.last_message, label="Play")
    assert heard.response.attachments, "and the next time it plays"


async def test_whoever_cannot_even_be_told_costs_a_line_of_the_log(world: World, caplog: Any) -> None:
    await previews_ready(world)
    [track, *_] = await world.bot.library.tracks()
    channel: Any = world.bot.get_channel(world.channel.id)
    await channel.send(view=Card(row(Press("play", track.id, label="Play"))))
    for method in ("PATCH", "POST"):
        world.env.inject_error(method, "/webhooks/*", status=503, times=None)
    with caplog.at_level(logging.WARNING, "bot.errors"):
        await world.alice.click(world.channel.last_message, label="Play")
    assert any("could not tell about an error in button play" in record.message for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records)


async def test_a_database_that_another_process_holds_is_said_and_nothing_is_half_done(world: World) -> None:
    begun = await world.alice.slash(world.channel, "mood")
    choice = press_ids(begun.response, "mood_answer")[3]
    await world.bot.database.write("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(world.settings.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = await world.alice.click(begun.response.message, custom_id=choice)
        assert told.ephemeral and "My database is busy" in words(told.response)
        other.execute("COMMIT")
    again = await world.alice.slash(world.channel, "mood")
    assert "Question 1 of" in words(again.response)
    await world.alice.click(again.response.message, custom_id=choice)
    again = await world.alice.slash(world.channel, "mood")
    assert "Question 2 of" in words(again.response)


async def test_a_command_that_this_version_has_no_more(world: World) -> None:
    world.bot.tree.remove_command("help")
    told = await world.alice.slash(world.channel, "help")
    assert told.ephemeral and "has just changed" in words(told.response)
    world.expected = (*world.expected, discord.app_commands.CommandNotFound)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL, "discord")
    yield
