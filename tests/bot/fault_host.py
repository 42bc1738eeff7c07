"""The two processes of the fault test, to be killed at any moment.

    python -m tests.bot.fault_host bot DATA FIRST END  the real bot on SimCord; its member uploads song after song
    python -m tests.bot.fault_host runner DATA         the real runner; only the worker's analysis is a quick stand-in

The bot says `confirmed NUMBER JOB` once the member has seen that the upload was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from core.library.consent import agree
from core.library.schema import open_database
from core.settings import JobSettings, LimitSettings, Settings
from jobs.engines.base import WorkerOptions
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.process import serve
from jobs.queue import Queue
from jobs.runner import Pace, Runner

TASKS = Path(__file__).with_name("fault_tasks.py")


def content(number: int) -> bytes:
    """The upload's content; every third one has been uploaded before."""
    return f"song {number - number % 3 // 2}".encode() * 200


def settings_of(data: Path) -> Settings:
    plenty = 1_000_000
    limits = LimitSettings(
        queued_per_user=plenty, queued_per_server=plenty, queued_in_all=plenty, running_per_user=9,
        daily_per_user=0, daily_per_server=0,
    )  # fmt: skip
    return Settings(data=data, jobs=JobSettings(embedded_worker=False, schedule=False), limits=limits)


async def bot(data: Path, first: int, end: int) -> None:
    import simcord

    from bot import create_bot

    with contextlib.closing(sqlite3.connect(data / "moodstem.db", timeout=30)) as connection, connection:
        connection.execute("DELETE FROM card")  # their Discord has died with the host before
    env = simcord.Env(create_bot(settings_of(data)), settle_timeout=30.0)
    guild = env.create_guild("Moodstem", owner=env.create_user("admin"))
    channel = guild.create_text_channel("music")
    alice = guild.add_member(env.create_user("alice"))
    # Ids tell the time: without this, interactions would get the ids of those before the last kill.
    env.backend.clock.advance((datetime.now(UTC) - env.now()).total_seconds())
    await env.start()
    await agree(env.bot.database, alice.id)
    for number in range(first, end):
        shown = await alice.slash(channel, "upload", track=(f"{number}.mp3", content(number)))
        assert "follows its way" in str(shown.response.components)
        [job] = await env.bot.queue.jobs(limit=1)
        print(f"confirmed {number} {job.id}", flush=True)
        if number % 10 == 0:
            await env.advance_time(1.0)  # the cards
    await asyncio.Event().wait()


async def work(data: Path) -> None:
    async with await open_database(data / "moodstem.db") as database:
        # Random kills are nobody's fault here; what sets real killers aside has tests of its own.
        queue = Queue(database, crash_limit=1000, loss_limit=1000, backoff_s=0.05)
        engine = LocalEngine(WorkerOptions("none", extra_tasks=TASKS))
        pace = Pace(lease_s=30, poll_s=0.01, progress_s=0.02, retry_s=0.05)
        await serve(Runner(queue, engine, TaskSettings(data), pace=pace))


if __name__ == "__main__":
    part, data = sys.argv[1], Path(sys.argv[2])
    try:
        asyncio.run(bot(data, *map(int, sys.argv[3:5])) if part == "bot" else work(data))
    finally:
        traceback.print_exc()
        os._exit(1)  # a database that was left open keeps the process
