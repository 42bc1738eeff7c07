"""How soon members are answered: 200 at once over real sockets, while a real job runs in the worker's process.

The bot is `moodstem run` in a process of its own, unmodified; Discord is tests/fakes/discord_server.py in this process, which also
plays the members. The time counts from an interaction's delivery to the arrival of the bot's first answer, the
stand-in's own work included. Discord gives up after 3 s; the goal is a 99th percentile below 250 ms on two cores.

Two ways to be at once: `waves`, in which all members press in the same instant and nobody goes on before the last one
is answered, the hardest; and `sessions`, in which each goes through the bot at a pace of its own.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import random
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from core.library.samples import manifest
from tests.fakes.discord_server import TOKEN, Asked, StandIn

MEMBERS = 200
THINK_S = 2.0
"""Mean of the exponential pause between a member's actions in `sessions`."""
GOAL_S = 0.25
AHEAD = 5
"""Uploads that wait for the worker at least, all through the measurement."""

LOOK_S = 1.0
PATIENCE_S = 120.0

Step = Callable[["Member"], Awaitable[Asked]]


def run(members: int = MEMBERS) -> dict[str, Any]:
    """Measure; about a minute and a half."""
    return asyncio.run(measure(members))


async def measure(members: int) -> dict[str, Any]:
    """The bench's document, as DESIGN.md has it, with that many members: all at once, then at their own pace."""
    gc.disable()  # the stand-in keeps all that was said; looking through it would stop the clock's owner, not the bot
    with tempfile.TemporaryDirectory(prefix="moodstem-bench-") as folder:
        discord = StandIn()
        await discord.start()
        try:
            async with running_bot(discord, Path(folder)) as bot:
                feeding = asyncio.create_task(keep_busy(discord, bot))
                while not (await bot.jobs())["running"]:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.1)
                already = (await bot.jobs())["done"]
                crowd = [Member(discord, 1000 + number) for number in range(members)]
                await bot.gap()
                cpu = bot.cpu()
                waves = await in_waves(crowd)
                gap_waves, cpu_waves = await bot.gap(), bot.cpu() - cpu
                cpu = bot.cpu()
                sessions = await in_sessions([Member(discord, 5000 + number) for number in range(members)])
                gap_sessions, cpu_sessions = await bot.gap(), bot.cpu() - cpu
                jobs = await bot.jobs()
                feeding.cancel()
        finally:
            gc.enable()
            await discord.stop()
    both = [*waves, *sessions]
    return {
        "name": "reply",
        "work": f"{members} members at once: {len(waves)} interactions in waves, {len(sessions)} in sessions, "
        "uploads beside them",
        "ours": {
            "p50_ms": 1000 * median(both),
            "p99_ms": 1000 * p99(both),
            "waves": summary(waves, gap_waves, cpu_waves),
            "sessions": summary(sessions, gap_sessions, cpu_sessions),
        },
        "peers": {},
        "ratio": {},
        "checks": {
            "p99_below_250_ms_in_waves": p99(waves) < GOAL_S,
            "p99_below_250_ms_in_sessions": p99(sessions) < GOAL_S,
            "all_answered": True,  # an interaction without an answer ends the run
            "a_job_ran_all_the_time": bot.fewest >= 1 and jobs["done"] > already,
            "jobs_done_meanwhile": jobs["done"] - already,
            "cores": os.cpu_count(),
        },
    }


def summary(seconds: list[float], gap: float, cpu: float) -> dict[str, float | None]:
    """Of how long each answer took, of the event loop's longest gap and of the bot's CPU time, all in seconds. The last
    tells versions apart where other work on the machine hides it in the rest."""
    return {
        "interactions": len(seconds),
        "p50_ms": 1000 * median(seconds),
        "p95_ms": 1000 * quantiles(seconds, n=20)[-1],
        "p99_ms": 1000 * p99(seconds),
        "worst_ms": 1000 * max(seconds),
        "longest_gap_of_the_event_loop_ms": 1000 * gap,
        "cpu_of_the_bot_ms_each": 1000 * cpu / len(seconds) if cpu else None,
    }


def p99(seconds: list[float]) -> float:
    """The time that 99 in 100 stay under; needs two at least."""
    return quantiles(seconds, n=100)[-1]


class Member:
    """One simulated member; `card` is the message that they look at."""

    def __init__(self, discord: StandIn, user: int) -> None:
        self.discord = discord
        self.user = user
        self.card: dict[str, Any] = {}
        self.dice = random.Random(user)

    async def slash(self, name: str, **options: Any) -> Asked:
        return await self.look(await self.discord.slash(name, self.user, **options))

    async def press(self, action: str) -> Asked:
        """Any of the buttons of this action on the card."""
        ids = re.findall(rf'"(ms:{action}:[^"]*)"', json.dumps(self.card))
        return await self.look(await self.discord.press(self.card, self.dice.choice(ids), self.user))

    async def look(self, asked: Asked) -> Asked:
        """Wait for the answer, and for what a deferred one promises."""
        async with asyncio.timeout(PATIENCE_S):
            await asked.acknowledged
            if asked.callback is not None and asked.callback["type"] == 5:
                await asked.edited.wait()
        self.card = asked.message or self.card
        return asked


def command(name: str) -> Step:
    return lambda member: member.slash(name)


def button(action: str) -> Step:
    return lambda member: member.press(action)


async def reasons(member: Member) -> Asked:
    """Look at the reasons of one pick, and back at the picks."""
    picks = member.card
    asked = await member.press("rec_why")
    member.card = picks
    return asked


SCRIPT: tuple[Step, ...] = (
    command("help"),
    button("mood_start"),
    button("consent_yes"),
    *(button("mood_answer") for _ in range(3)),
    button("mood_stop"),
    button("mood_finish"),
    button("recommend"),
    reasons,
    button("rec_more"),
    command("recommend"),
    command("jobs"),
    command("privacy"),
    command("mood"),
)


async def in_waves(crowd: list[Member]) -> list[float]:
    """All take each step in the same instant."""
    seconds = []
    for step in SCRIPT:
        seconds += [taken(asked) for asked in await asyncio.gather(*(step(member) for member in crowd))]
    return seconds


async def in_sessions(crowd: list[Member]) -> list[float]:
    """Each at their own pace."""
    dice = random.Random(1)

    async def session(member: Member) -> list[float]:
        seconds = []
        for step in SCRIPT:
            await asyncio.sleep(dice.expovariate(1 / THINK_S))
            seconds.append(taken(await step(member)))
        return seconds

    return [one for each in await asyncio.gather(*(session(member) for member in crowd)) for one in each]


def taken(asked: Asked) -> float:
    """Seconds from the bot's getting it to its acknowledgement."""
    return asked.acknowledged.result() - asked.delivered


async def keep_busy(discord: StandIn, bot: Bot) -> None:
    """Upload recordings for as long as this is not cancelled, so that the worker never runs out of them.

    Each is a sample with some bytes behind its end: another content, which is analysed anew, and the same sound.
    """
    samples = manifest()
    for number in itertools.count():
        while number >= AHEAD and (await bot.jobs())["queued"] >= AHEAD:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(LOOK_S)
        data = samples[number % len(samples)].path.read_bytes() + number.to_bytes(4, "big")
        member = Member(discord, 100_000 + number)
        await member.slash("upload", track=discord.attach(f"{number}.ogg", data))
        await member.press("consent_yes")
        if number >= AHEAD:
            bot.fewest = min(bot.fewest, (await bot.jobs())["queued"])


class Bot:
    """The bot's process and its monitoring. `fewest`: the smallest number of jobs that were seen to wait."""

    def __init__(self, http: aiohttp.ClientSession, process: int) -> None:
        self.http = http
        self.process = process
        self.fewest = AHEAD
        self.lag = 0.0

    def cpu(self) -> float:
        """Seconds that it has computed so far, all of its threads; its worker is another process. 0 without /proc."""
        try:
            fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def page(self) -> str:
        """What /metrics says; also keeps the longest lag of the event loop so far, in seconds."""
        async with self.http.get("/metrics") as response:
            page = await response.text()
        self.lag = max(
            self.lag, _number(page, "moodstem_event_loop_longest_lag_seconds")
        )  # since the last look
        return page

    async def gap(self) -> float:
        """Seconds; the longest since the last call."""
        await self.page()
        longest, self.lag = self.lag, 0.0
        return longest

    async def jobs(self) -> dict[str, int]:
        """How many jobs are 'queued', 'running' and 'done'."""
        page = await self.page()
        states = ("queued", "running", "done")
        return {state: int(_number(page, f'moodstem_jobs{{state="{state}"}}')) for state in states}


def _number(page: str, name: str) -> float:
    return float(next(line for line in page.splitlines() if line.startswith(f"{name} ")).rpartition(" ")[2])


@asynccontextmanager
async def running_bot(discord: StandIn, folder: Path) -> AsyncIterator[Bot]:
    """`moodstem run` in a process of its own, on the stand-in, with data under `folder`; ended with the block.

    Raises RuntimeError when it ends before it answers.
    """
    port = _free_port()
    config = folder / "config.toml"
    config.touch()
    environment = {
        **os.environ,
        "DISCORD_TOKEN": TOKEN,
        "MOODSTEM_CONFIG": str(config),
        "MOODSTEM_DATA": str(folder / "data"),
        "MOODSTEM_DISCORD__LOOPBACK": str(discord.port),
        "MOODSTEM_MONITOR__PORT": str(port),
        "MOODSTEM_JOBS__SEPARATOR": "unet",
        "MOODSTEM_JOBS__SCHEDULE": "false",
        "MOODSTEM_LOG__LEVEL": "WARNING",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from bot.cli import main; main()", "run", env=environment
    )
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            while not discord.ready.is_set() or (await http.get("/health")).status != 200:
                if process.returncode is not None:
                    raise RuntimeError("the bot ended by itself; its log above says why")
                await asyncio.sleep(0.1)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            yield Bot(http, process.pid)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    began = time.time()
    print(json.dumps(run(), indent=1))
    print(time.time() - began, file=sys.stderr)
