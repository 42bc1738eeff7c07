"""'Tell me when it is done': a direct message, closed ones, lost ones, none twice."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from core.errors import fact
from core.library.consent import agree
from core.library.members import export_member
from jobs.model import Job
from tests.bot.conftest import World, card, labels, tick, within_budget, words
from tests.bot.features.test_job_cards import LEASE, Clock
from tests.jobs.helpers import analysed
from tests.make import plucked

BELL = "Tell me when it is done"


@dataclass
class Dora:
    """A member whose direct messages can be looked at."""

    user: Any
    member: Any

    @property
    def told(self) -> list[Any]:
        return self.user.dm_channel.history()

    @property
    def mailbox(self) -> str:
        return f"/channels/{self.user.dm_channel.id}/messages"


@pytest.fixture
async def dora(world: World) -> Dora:
    user = world.env.create_user("dora")
    await agree(world.bot.database, user.id)
    return Dora(user, world.channel.guild.add_member(user))


async def asked(world: World, dora: Dora) -> Job:
    """An upload of hers, with a card in the channel, and the bell pressed."""
    await dora.member.slash(world.channel, "upload", track=("song.wav", plucked()))
    shown = await dora.member.click(await card(world), label=BELL)
    assert shown.ephemeral and "direct message when **song.wav** is done" in words(shown.response)
    [job] = await world.bot.queue.jobs(user_id=dora.user.id)
    return job


async def ends(world: World, state: str = "failed") -> None:
    claimed = await world.bot.queue.claim("me", LEASE)
    if state == "failed":
        await world.bot.queue.fail(
            claimed, fact("plain", sentence="That is not music."), code="input", permanent=True
        )
    else:
        [track, *_] = await world.bot.library.tracks()
        await world.bot.queue.finish(claimed, analysed(track.id))
    await tick(world, 3)


async def test_a_direct_message_with_the_way_to_the_result(world: World, dora: Dora) -> None:
    await asked(world, dora)
    await world.restart()
    await ends(world, "done")
    [told] = dora.told
    assert "**song.wav** is done" in words(told) and labels(told) == ["Show it"]
    within_budget(told)
    shown = await dora.user.click(told, label="Show it")
    assert "Goes well with" in words(shown.response)
    await tick(world, 60)
    await world.restart()
    await tick(world, 3)
    assert len(dora.told) == 1, "once"


async def test_who_waited_long_is_not_told_twice(world: World, dora: Dora) -> None:
    clock = Clock(world)
    await asked(world, dora)
    before = len(world.env.backend.messages[world.channel.id])
    clock.offset += 600
    await ends(world)
    assert "could not be finished" in words(dora.told[0]) and len(dora.told) == 1
    assert len(world.env.backend.messages[world.channel.id]) == before


async def test_pressed_once_more_takes_it_back(world: World, dora: Dora) -> None:
    await asked(world, dora)
    shown = await dora.member.click(await card(world), label=BELL)
    assert "Taken back" in words(shown.response)
    await ends(world)
    assert not dora.told


async def test_only_the_uploader(world: World, dora: Dora) -> None:
    await asked(world, dora)
    shown = await world.bob.click(await card(world), label=BELL)
    assert shown.ephemeral and "Only the person who started this" in words(shown.response)
    await ends(world)
    assert len(dora.told) == 1


async def test_closed_direct_messages_fall_back_to_the_channel_and_say_so(world: World, dora: Dora) -> None:
    await asked(world, dora)
    world.env.inject_error("POST", dora.mailbox, status=403, code=50007, times=None)
    await ends(world)
    said = await card(world)
    assert f"<@{dora.user.id}>" in words(said) and "closed to me" in words(said)
    assert [user.id for user in said.mentions] == [dora.user.id]
    messages = len(world.env.backend.messages[world.channel.id])
    await tick(world, 60)
    await world.restart()
    await tick(world, 3)
    assert len(world.env.backend.messages[world.channel.id]) == messages, "once"


async def test_where_nothing_can_be_written_the_next_command_tells(world: World, dora: Dora) -> None:
    await asked(world, dora)
    world.env.inject_error("POST", dora.mailbox, status=403, code=50007, times=None)
    world.env.inject_error(
        "POST", f"/channels/{world.channel.id}/messages", status=404, code=10003, times=None
    )
    await ends(world)
    world.env.backend.faults.clear()
    for times in (1, 0):
        shown = await dora.member.slash(world.channel, "help")
        told = [one for one in shown.followups if "closed to me" in words(one)]
        assert len(told) == times, "once"
        if told:
            assert "song.wav" in words(told[0]) and labels(told[0]) == ["Show it"]


async def test_trouble_of_discords_only_delays_it(
    world: World, dora: Dora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["bot.service.notices"], "AGAIN_S", 0.0)
    await asked(world, dora)
    world.env.inject_error("POST", dora.mailbox, status=503, times=1)
    await ends(world)
    await tick(world, 3)
    assert len(dora.told) == 1


async def test_cancelled_by_oneself_is_no_news_and_ended_says_so(world: World, dora: Dora) -> None:
    job = await asked(world, dora)
    shown = await card(world)
    await world.bot.queue.cancel(job.id)
    late = await dora.member.click(shown, label=BELL)
    assert "done already" in words(late.response)
    await tick(world, 3)
    assert not dora.told


async def test_a_private_card_follows_by_itself_and_after_its_time_by_refresh(
    world: World, dora: Dora
) -> None:
    """In direct messages there is no channel to write to: the answer itself is the card, for a quarter of an hour."""
    shown = await dora.user.slash("upload", track=("song.wav", plucked()))
    assert shown.ephemeral and "Next in the queue" in words(shown.response)
    claimed = await world.bot.queue.claim("me", 7200.0)
    await world.bot.queue.progress(claimed, "separate", 0.4)
    await tick(world, 5)
    assert "40%" in words(shown.response)
    await dora.user.click(shown.response.message, label=BELL)
    await tick(world, 16 * 60)
    await world.bot.queue.progress(claimed, "separate", 0.8)
    await tick(world, 5)
    assert "40%" in words(shown.response) and not world.bot.job_cards.private, "its token is too old"
    await dora.user.click(shown.response.message, label="Refresh")
    assert "80%" in words(shown.response)
    [track, *_] = await world.bot.library.tracks()
    await world.bot.queue.finish(claimed, analysed(track.id))
    await tick(world, 5)
    assert "**song.wav** is done" in words(dora.told[-1])
    await dora.user.click(shown.response.message, label="Refresh")
    assert "Goes well with" in words(shown.response)


async def test_always_told_is_kept_until_it_is_taken_back(world: World, dora: Dora) -> None:
    shown = (await dora.member.slash(world.channel, "jobs")).response
    within_budget(shown)
    said = await dora.member.click(shown.message, label="Always tell me")
    assert said.ephemeral and "always send you a direct message" in words(said.response)
    await world.restart()
    await dora.member.slash(world.channel, "upload", track=("one.wav", plucked()))
    await ends(world, "done")
    [told] = dora.told
    assert "**one.wav** is done" in words(told)
    await dora.member.slash(world.channel, "upload", track=("two.wav", plucked(5)))
    pressed = await dora.member.click(await card(world), label=BELL)  # not of this one
    assert "Taken back" in words(pressed.response) and "Only when I ask" in labels(pressed.response)
    await ends(world)
    assert len(dora.told) == 1
    await world.alice.slash(world.channel, "upload", track=("hers.wav", plucked(6)))  # who did not ask
    await ends(world)
    assert not await world.bot.database.fetch("SELECT 1 FROM notice WHERE user_id = ?", [world.alice.id])
    export = await export_member(world.bot.database, dora.user.id)
    assert [row["user_id"] for row in export["member_notice"]] == [dora.user.id]
    await dora.member.click(pressed.response.message, label="Only when I ask")
    await dora.member.slash(world.channel, "upload", track=("three.wav", plucked(7)))
    await ends(world, "done")
    assert (
        len(dora.told) == 1 and not (await export_member(world.bot.database, dora.user.id))["member_notice"]
    )
