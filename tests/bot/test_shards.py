"""Two processes share the servers and one database: each edits its own cards, and the schedule runs once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from bot import create_bot
from bot.background.work import Work
from core.errors import fact
from core.library import job_messages
from core.library.job_messages import Promise, promise_card
from core.library.samples import manifest
from core.library.schema import open_database
from core.settings import DiscordSettings, JobSettings, Settings
from jobs.configure import plan
from jobs.kinds import analyse
from jobs.queue import Queue
from jobs.schedule import Schedule, ScheduledTask
from tests.fakes.discord_server import StandIn
from tests.fakes.running_bot import answered, comes, running, text_of
from tests.jobs.helpers import until


async def nothing() -> None:
    pass


def shard(number: int) -> dict[str, str]:
    return {"MOODSTEM_DISCORD__SHARDS": "2", "MOODSTEM_DISCORD__SHARD_IDS": f"[{number}]"}


def edits(discord: StandIn) -> list[tuple[str, str, int]]:
    return [one for one in discord.requests if one[0] == "PATCH" and one[1].startswith("channels/")]


def card_of(discord: StandIn, name: str) -> str:
    return next((text_of(one) for one in discord.messages.values() if name in text_of(one)), "")


async def a_later_card(discord: StandIn, queue: Queue) -> None:
    """A card from its first line to its end: whatever was due before has had its turn in that process by then."""
    song = manifest()[1].path.read_bytes()
    await answered(await discord.slash("upload", track=discord.attach("later.ogg", song)))
    await comes(discord, lambda: card_of(discord, "later.ogg"))
    await queue.cancel((await queue.jobs(guild_id=discord.guild))[0].id)
    await comes(discord, lambda: "Cancelled" in card_of(discord, "later.ogg"))


async def test_each_process_keeps_the_cards_of_its_own_servers(tmp_path: Path) -> None:
    first, second = StandIn(place=0), StandIn(place=1)
    await first.start()
    await second.start()
    try:
        async with running(first, tmp_path, **shard(0)), running(second, tmp_path, **shard(1)):
            assert [one.identified[-1]["shard"] for one in (first, second)] == [[0, 2], [1, 2]]
            song = manifest()[0].path.read_bytes()
            for place, discord in enumerate((first, second)):
                track = discord.attach(f"song{place}.ogg", song + bytes(place))
                await answered(await discord.slash("upload", track=track))
                await comes(discord, lambda d=discord, n=f"song{place}.ogg": card_of(d, n))  # type: ignore[misc]
            async with await open_database(tmp_path / "data" / "moodstem.db") as database:
                queue = Queue(database)
                jobs = await queue.jobs()
                assert {job.guild_id for job in jobs} == {first.guild, second.guild}
                for job in jobs:
                    await queue.cancel(job.id)
                for place, discord in enumerate((first, second)):
                    await comes(discord, lambda d=discord, n=f"song{place}": "Cancelled" in card_of(d, n))  # type: ignore[misc]
                for discord in (first, second):  # by then the other process would have tried as well
                    await a_later_card(discord, queue)
                for discord in (first, second):
                    statuses = [status for _, _, status in edits(discord)]
                    assert statuses == [200, 200], "each card edited once, by its own process"

                async def none_left() -> bool:
                    return not await database.fetch("SELECT * FROM card")

                await until(none_left)
    finally:
        await first.stop()
        await second.stop()


async def test_a_promised_card_is_sent_by_the_process_of_its_server_only(tmp_path: Path) -> None:
    """The second process died between job and card; the first one, which starts meanwhile, leaves it alone."""
    first, second = StandIn(place=0), StandIn(place=1)
    await first.start()
    await second.start()
    try:
        async with await open_database(tmp_path / "data" / "moodstem.db") as database:

            async def promised(transaction: Any, job_id: int) -> None:
                await promise_card(transaction, Promise(job_id, second.channel, 7))

            await Queue(database).enqueue(
                "analyse", analyse.Spec("x", "late.ogg"), user_id=7, guild_id=second.guild, alongside=promised
            )
            async with running(first, tmp_path, **shard(0)):
                await a_later_card(first, Queue(database))
                assert await database.fetch("SELECT * FROM card_due")
                async with running(second, tmp_path, **shard(1)):
                    await comes(second, lambda: card_of(second, "late.ogg"))

                    async def none_due() -> bool:
                        return not await database.fetch("SELECT * FROM card_due")

                    await until(none_due)
                assert not card_of(first, "late.ogg")
    finally:
        await first.stop()
        await second.stop()


async def test_a_member_is_told_once_by_the_process_of_the_jobs_server(tmp_path: Path) -> None:
    first, second = StandIn(place=0), StandIn(place=1)
    await first.start()
    await second.start()
    try:
        async with await open_database(tmp_path / "data" / "moodstem.db") as database:
            queue = Queue(database)
            async with running(first, tmp_path, **shard(0)), running(second, tmp_path, **shard(1)):
                for times in (1, 2):  # the second time shows whether the first was told again
                    for place, discord in enumerate((first, second)):
                        job = await queue.enqueue(
                            "analyse",
                            analyse.Spec("x", f"{place}-{times}.ogg"),
                            user_id=7 + place,
                            guild_id=discord.guild,
                        )
                        await job_messages.toggle_notice(
                            database, job_messages.Notice(job.id, 7 + place, None, "en")
                        )
                    for _ in range(2):
                        claimed = await queue.claim("me", 60.0)
                        assert claimed is not None
                        await queue.fail(
                            claimed, fact("plain", sentence="No luck."), code="input", permanent=True
                        )
                    for discord in (first, second):
                        await comes(discord, lambda d=discord, n=times: len(told(d)) >= n)  # type: ignore[misc]
                assert [len(told(discord)) for discord in (first, second)] == [2, 2]
    finally:
        await first.stop()
        await second.stop()


def told(discord: StandIn) -> list[str]:
    """Direct messages that were taken."""
    mailbox = f"channels/{discord.channel + 1000}/messages"
    return [
        path for method, path, status in discord.requests if (method, path, status) == ("POST", mailbox, 200)
    ]


@pytest.mark.parametrize("processes", [1, 2, 3])
async def test_the_schedule_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("MOODSTEM_CONFIG", str(tmp_path / "config.toml"))
    ran: list[int] = []
    clocks = []
    databases = []
    for number in range(processes):
        settings = Settings(
            data=tmp_path,
            jobs=JobSettings(embedded_worker=False),
            discord=DiscordSettings(shards=processes, shard_ids=[number] if processes > 1 else None),
        )
        bot: Any = create_bot(settings)
        databases.append(await open_database(settings.database))
        bot.queue = Queue(databases[-1])
        bot.schedule = Schedule(bot.queue, plan(settings), tasks=[])
        clock = Work(bot)

        async def note(number: int = number) -> None:
            ran.append(number)

        often = IntervalTrigger(seconds=0.1)
        bot.schedule.tasks = [ScheduledTask("note", often, note)]
        await bot.schedule.run(
            ScheduledTask("note", often, nothing)
        )  # what was missed would wait for a start of many
        await clock.cog_load()
        clocks.append(clock)
    await until(lambda: len(ran) >= 3)
    for clock, database in zip(clocks, databases, strict=True):
        await clock.cog_unload()
        await database.close()
    assert set(ran) == {0}


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_every_server_has_exactly_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("MOODSTEM_CONFIG", str(tmp_path / "config.toml"))
    bots: list[Any] = [
        create_bot(Settings(data=tmp_path, discord=DiscordSettings(shards=shards, shard_ids=[number])))
        for number in range(shards)
    ]
    for guild in (None, 200, *(number << 22 for number in range(20)), 1456074443980800016):
        assert sum(bot.serves(guild) for bot in bots) == 1, guild
