"""The cards of jobs: how often they are edited, what happens when Discord objects, and who is told of the end."""

from __future__ import annotations

import sqlite3
import time
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.features.upload.job_cards import send_card
from core.errors import fact
from core.library.consent import agree
from core.library.schema import open_database
from core.settings import Settings
from jobs.model import Job
from jobs.queue import Queue
from tests.bot.conftest import World, card, tick, upload, uploads, words
from tests.conftest import fill_up
from tests.jobs.helpers import analysed
from tests.make import plucked

LEASE = 600.0


def edits(world: World) -> Counter[str]:
    """How often each message of a channel was edited so far (not those that answer an interaction)."""
    return Counter(
        entry.path.rsplit("/", 1)[-1]
        for entry in world.env.http_requests
        if entry.method == "PATCH" and entry.path.startswith("/channels/")
    )


async def stand_in(world: World, count: int = 1) -> list[Job]:
    """Jobs with cards, one of each member, that no worker will take."""
    jobs = []
    for number in range(count):
        await agree(world.bot.database, 1000 + number)
        job = await world.bot.queue.enqueue(
            "analyse", {"path": "x", "name": f"{number}.wav"}, user_id=1000 + number
        )
        await send_card(world.bot, world.channel.id, job.user_id, job)
        jobs.append(job)
    return jobs


class Clock:
    """The queue's clock, ahead of or behind the real one."""

    def __init__(self, world: World) -> None:
        self.offset = 0.0
        world.bot.queue.clock = self

    def __call__(self) -> float:
        return time.time() + self.offset


async def run_for(world: World, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.offset += 1
        await tick(world, 1.0)


async def test_a_card_is_edited_no_more_often_than_discord_bears(world: World) -> None:
    clock = Clock(world)
    await stand_in(world)
    claimed = await world.bot.queue.claim("me", 10_000)
    counts = []
    for minutes in (0, 6, 61):
        clock.offset = minutes * 60.0
        before = edits(world).total()
        for second in range(30):
            await world.bot.queue.progress(claimed, "separate", second / 30)
            await run_for(world, clock, 1)
        counts.append(edits(world).total() - before)
    assert counts[0] in (9, 10, 11)  # every three seconds
    assert counts[1] in (2, 3)  # every fifteen
    assert counts[2] in (0, 1)  # once a minute
    assert await world.bot.queue.finish(claimed, analysed())
    before = edits(world).total()
    await run_for(world, clock, 1)
    assert edits(world).total() == before + 1, "the end waits for nothing"


async def test_many_cards_of_one_channel_take_turns(world: World) -> None:
    clock = Clock(world)
    jobs = await stand_in(world, 8)
    claims = [await world.bot.queue.claim("me", LEASE) for _ in jobs]
    clock.offset = 10
    for second in range(1, 20):
        for claimed in claims:
            await world.bot.queue.progress(claimed, "separate", second / 20)
        before = edits(world).total()
        await run_for(world, clock, 1)
        assert edits(world).total() - before <= 1
    assert len(edits(world)) == 8, "and none is forgotten"


async def test_a_clock_that_jumps_back_freezes_no_card(world: World) -> None:
    clock = Clock(world)
    await stand_in(world)
    claimed = await world.bot.queue.claim("me", LEASE)
    clock.offset = -86400.0
    await world.bot.queue.progress(claimed, "separate", 0.5)
    await run_for(world, clock, 2)
    assert "50%" in words(await card(world))


async def test_one_bad_card_does_not_stop_the_others(world: World) -> None:
    Clock(world)
    jobs = await stand_in(world, 2)
    # A result that cannot be drawn: the track is no number.
    await world.bot.queue.finish(await world.bot.queue.claim("me", LEASE), {"track_id": {}})
    await world.bot.queue.cancel(jobs[1].id)
    await tick(world)
    assert "Cancelled" in words(await card(world))


async def test_discord_refuses_edits_of_an_old_card(world: World) -> None:
    await stand_in(world)
    old = await card(world)
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=400, code=30046, times=None)
    await world.bot.queue.fail(
        await world.bot.queue.claim("me", LEASE),
        fact("plain", sentence="No luck."),
        code="input",
        permanent=True,
    )
    await tick(world)
    new = await card(world)
    assert new.id != old.id and "No luck." in words(new)


async def test_a_card_that_somebody_deleted_is_forgotten(world: World) -> None:
    await stand_in(world)
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=404, code=10008, times=None)
    await world.bot.queue.cancel((await world.bot.queue.jobs())[0].id)
    await tick(world)
    assert await world.bot.database.fetch("SELECT * FROM card") == []
    await tick(world)


@pytest.mark.parametrize(("waited", "told"), [(10, False), (600, True)])
async def test_who_waited_long_is_told_by_a_new_message(world: World, waited: int, told: bool) -> None:
    clock = Clock(world)
    await upload(world, "song.wav", plucked())
    shown = await card(world)
    claimed = await world.bot.queue.claim("me", LEASE)
    clock.offset += waited
    await world.bot.queue.fail(
        claimed, fact("plain", sentence="That is not music."), code="input", permanent=True
    )
    await tick(world)
    last = await card(world)
    assert (last.id != shown.id) == told
    if told:
        assert last.content.startswith(f"<@{world.alice.id}> **song.wav**")
        assert last.reference is not None and last.reference.message_id == shown.id
        assert [user.id for user in last.mentions] == [world.alice.id]


async def test_a_card_that_was_promised_is_sent_after_a_restart(world: World) -> None:
    """The bot was killed between confirming the job and showing its card."""
    async with await open_database(world.settings.database) as database:

        async def promise(transaction: Any, job_id: int) -> None:
            await transaction.run(
                "INSERT INTO card_due (job_id, channel_id, user_id) VALUES (?, ?, ?)",
                [job_id, world.channel.id, world.alice.id],
            )

        await Queue(database).enqueue(
            "analyse", {"path": "x", "name": "late.wav"}, user_id=world.alice.id, alongside=promise
        )
    await world.restart()
    await tick(world)
    assert "late.wav" in words(await card(world))
    assert await world.bot.database.fetch("SELECT * FROM card_due") == []
    before = len(world.env.http_requests)
    await world.restart()
    await tick(world)
    assert not [one for one in world.env.http_requests[before:] if one.path.endswith("/messages")]


async def test_an_interaction_that_is_delivered_twice_is_one_upload(world: World) -> None:
    world.expected = (discord.HTTPException,)  # the second acknowledgement, which Discord refuses
    delivered: list[Mapping[str, Any]] = []

    def listen(event: str, payload: Mapping[str, Any]) -> None:
        if event == "INTERACTION_CREATE":
            delivered.append(payload)

    world.env.backend.subscribers.append(listen)
    await upload(world, "song.wav", plucked())
    messages = len(world.env.backend.messages[world.channel.id])
    world.env.backend.emit("INTERACTION_CREATE", delivered[0])
    await world.env.settle()
    await world.restart()
    world.env.backend.emit("INTERACTION_CREATE", delivered[0])
    await world.env.settle()
    assert len(await world.bot.queue.jobs()) == 1
    assert len(await uploads(world)) == 1
    assert len(world.env.backend.messages[world.channel.id]) == messages


async def test_a_locked_database_refuses_an_upload_in_one_sentence(world: World) -> None:
    world.expected = (sqlite3.OperationalError,)
    await world.bot.database.write("PRAGMA busy_timeout = 20")
    with sqlite3.connect(world.settings.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        shown = await upload(world, "song.wav", plucked())
        other.execute("ROLLBACK")
    other.close()
    assert "My database is busy" in words(shown.response)
    assert await uploads(world) == [] and await world.bot.queue.jobs() == []
    await upload(world, "song.wav", plucked())
    assert len(await uploads(world)) == 1


async def test_a_hundred_uploads_at_once_are_refused_before_they_are_fetched(world: World) -> None:
    fetched = 0
    real = world.bot.http.get_from_cdn

    async def counted(url: str) -> bytes:
        nonlocal fetched
        fetched += 1
        return await real(url)

    world.bot.http.get_from_cdn = counted
    for number in range(8):
        await upload(world, f"{number}.wav", plucked(2 + number / 10))
    assert fetched == world.settings.limits.queued_per_user == len(await uploads(world))


@pytest.fixture
def full_world(small_disk: Path, settings: Settings) -> Settings:
    return settings.model_copy(update={"data": small_disk / "data"})


async def test_a_full_disk_refuses_an_upload_in_one_sentence(world: World, full_world: Settings) -> None:
    world.expected = (sqlite3.OperationalError,)
    world.settings = full_world
    await world.restart()
    await agree(world.bot.database, world.alice.id)
    await upload(world, "first.wav", plucked())
    ballast = fill_up(full_world.data)
    shown = await upload(world, "second.wav", plucked(5))
    assert "no room left" in words(shown.response)
    assert len(await uploads(world)) == 1 and len(await world.bot.queue.jobs()) == 1
    await tick(world)
    ballast.unlink()
    await upload(world, "third.wav", plucked(6))
    assert len(await uploads(world)) == 2 and len(await world.bot.queue.jobs()) == 2
    [[verdict]] = await world.bot.database.fetch("PRAGMA integrity_check")
    assert verdict == "ok"


@pytest.mark.parametrize(
    "name",
    ["\u202egnp.exe\u200b\u2066x\u2069.wav", "\u202e\u202e\u2028\u2029\0\x1b[31m.wav", "\u202e\u200b\u2066"],
)
async def test_file_names_are_cleaned_as_titles_are(world: World, name: str) -> None:
    """What turns the direction of text round, or shows nothing, would make another name of what stands beside it."""
    await upload(world, name, plucked())
    waiting = await card(world)
    told = await world.alice.click(waiting, label="Tell me when it is done")
    shown = [waiting, told.response]
    shown += [(await world.alice.slash(world.channel, "jobs")).response]
    shown += [(await world.admin.slash(world.channel, "admin jobs")).response]
    claimed = await world.bot.queue.claim("me", LEASE)
    await world.bot.queue.fail(
        claimed, fact("plain", sentence="That is not music."), code="input", permanent=True
    )
    await tick(world)
    shown += [world.channel.last_message]
    for message in shown:
        told = f"{words(message)}{message.content or ''}"
        odd = {one for one in told if unicodedata.category(one) in ("Cc", "Cf") and one != "\n"}
        assert told and not odd
        assert "****" not in told and "``" not in told
