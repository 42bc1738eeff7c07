"""`moodstem run` over real sockets while Discord misbehaves: it goes on, and whoever waits is told what can be told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.library.samples import manifest
from core.library.schema import open_database
from jobs.queue import Queue
from tests.fakes.discord_server import TOKEN, Fault, StandIn
from tests.fakes.running_bot import PATIENCE_S, Bot, answered, comes, running, text_of

VIA = {"Via": "1.1 google"}

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One running bot for all of these; it is still well when all is over."""
    stand_in = StandIn()
    await stand_in.start()
    async with running(stand_in, tmp_path_factory.mktemp("bot")) as started:
        yield started
        await works(started)
        said = await started.stop()
        assert "Traceback" not in said and TOKEN not in said, said
    await stand_in.stop()


async def works(bot: Bot) -> None:
    bot.discord.faults.clear()
    assert "Question 1 of" in text_of((await answered(await bot.discord.slash("mood", user=20)))["data"])


async def upload(bot: Bot, user: int) -> Any:
    """A song of its own for each member."""
    song = manifest()[0].path.read_bytes() + bytes([user])
    return await bot.discord.slash("upload", user=user, track=bot.discord.attach(f"song{user}.ogg", song))


async def test_a_session_that_discord_forgot_begins_anew(bot: Bot) -> None:
    resumed, identified = len(bot.discord.resumed), len(bot.discord.identified)
    await bot.discord.forget_session()
    async with asyncio.timeout(PATIENCE_S):
        while len(bot.discord.identified) == identified:
            await asyncio.sleep(0.05)
    await works(bot)
    assert len(bot.discord.resumed) == resumed


async def test_a_connection_that_breaks_is_resumed(bot: Bot) -> None:
    resumed = len(bot.discord.resumed)
    bot.discord.cut()
    asked = await bot.discord.slash("mood", user=21)  # replayed after the resume
    assert "Question 1 of" in text_of((await answered(asked))["data"])
    assert len(bot.discord.resumed) == resumed + 1


async def test_an_answer_is_offered_until_it_is_taken(bot: Bot) -> None:
    bot.discord.faults.append(Fault("POST", "interactions/*", 503, times=2))
    asked = await bot.discord.slash("help", user=22)
    assert "Music that fits" in text_of((await answered(asked))["data"])
    assert [status for _, path, status in bot.discord.requests if f"/{asked.token}/" in path] == [
        503,
        503,
        200,
    ]


async def test_it_stops_well_while_an_answer_is_not_taken(tmp_path: Path) -> None:
    discord = StandIn()
    await discord.start()
    try:
        async with running(discord, tmp_path) as stopping:
            discord.faults.append(Fault("POST", "interactions/*", 503, times=99))
            asked = await discord.slash("help", user=29)
            await comes(discord, lambda: any(f"/{asked.token}/" in path for _, path, _ in discord.requests))
            said = await stopping.stop()
        assert "Traceback" not in said and TOKEN not in said, said
    finally:
        await discord.stop()


async def test_a_global_rate_limit_is_waited_for(bot: Bot) -> None:
    body = {"message": "You are being rate limited.", "retry_after": 0.2, "global": True}
    headers = {**VIA, "X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
    bot.discord.faults.append(Fault("POST", "channels/*/messages", 429, body, headers))
    await answered(await upload(bot, 23))
    await comes(
        bot.discord, lambda: any("song23.ogg" in text_of(one) for one in bot.discord.messages.values())
    )


async def test_a_wait_of_a_minute_is_not_waited_for(bot: Bot) -> None:
    """The card goes to its member alone, in place of the answer, which can be given at once."""
    body = {"message": "You are being rate limited.", "retry_after": 60.0, "global": False}
    bot.discord.faults.append(Fault("POST", "channels/*/messages", 429, body, {**VIA, "Retry-After": "60"}))
    asked = await upload(bot, 24)
    await comes(bot.discord, lambda: "song24.ogg" in text_of(asked.message))
    async with await open_database(bot.folder / "data" / "moodstem.db") as database:
        assert len(await Queue(database).jobs(user_id=24)) == 1


async def test_an_interaction_that_expired_leaves_nothing_behind(bot: Bot) -> None:
    gone = {"message": "Unknown interaction", "code": 10062}
    bot.discord.faults.append(Fault("POST", "interactions/*", 404, gone))
    asked = await upload(bot, 25)
    await comes(bot.discord, lambda: any(f"/{asked.token}/" in path for _, path, _ in bot.discord.requests))
    await works(bot)
    async with await open_database(bot.folder / "data" / "moodstem.db") as database:
        assert await Queue(database).jobs(user_id=25) == []
    song = bytes([25])
    assert not [one for one in (bot.folder / "data" / "uploads").glob("*") if one.read_bytes().endswith(song)]


async def test_an_answer_whose_token_has_expired_loses_no_job(bot: Bot) -> None:
    late = {"message": "Invalid Webhook Token", "code": 50027}
    bot.discord.faults.append(Fault("PATCH", "webhooks/*", 401, late))
    await answered(await upload(bot, 26))
    await comes(
        bot.discord, lambda: any("song26.ogg" in text_of(one) for one in bot.discord.messages.values())
    )
    async with await open_database(bot.folder / "data" / "moodstem.db") as database:
        assert len(await Queue(database).jobs(user_id=26)) == 1


async def test_a_server_that_throws_the_bot_out_costs_its_cards_only(bot: Bot) -> None:
    """While a job waits: the card cannot be edited ever again, the job is still its member's."""
    await answered(await upload(bot, 27))
    await comes(
        bot.discord, lambda: any("song27.ogg" in text_of(one) for one in bot.discord.messages.values())
    )
    async with await open_database(bot.folder / "data" / "moodstem.db") as database:
        [job] = await Queue(database).jobs(user_id=27)
        async with asyncio.timeout(PATIENCE_S):
            while not await database.fetch("SELECT 1 FROM card WHERE job_id=?", [job.id]):
                await asyncio.sleep(0.02)
        await bot.discord.dispatch("GUILD_DELETE", {"id": str(bot.discord.guild)})
        bot.discord.faults.append(
            Fault("PATCH", "channels/*", 403, {"message": "Missing Access", "code": 50001}, times=99)
        )
        await Queue(database).cancel(job.id)
        async with asyncio.timeout(PATIENCE_S):
            while await database.fetch("SELECT 1 FROM card WHERE job_id=?", [job.id]):
                await asyncio.sleep(0.02)
    await bot.discord.dispatch("GUILD_CREATE", bot.discord.guild_data())  # invited again
    await works(bot)
    listed = await bot.discord.slash("jobs", user=27)
    assert "song27.ogg" in text_of((await answered(listed))["data"])


async def test_a_card_that_is_too_large_is_said_in_a_sentence(bot: Bot) -> None:
    """413 from the proxy, which has no JSON of Discord's."""
    bot.discord.faults.append(Fault("POST", "interactions/*", 413, {"message": "Request entity too large"}))
    asked = await bot.discord.slash("help", user=28)
    assert "more than Discord lets me send" in text_of((await answered(asked))["data"])
