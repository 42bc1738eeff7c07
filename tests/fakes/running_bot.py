"""`moodstem run` as a process of its own against a stand-in for Discord on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core.library.consent import WORDING
from tests.bot.conftest import walk
from tests.fakes.discord_server import TOKEN, Asked, StandIn

MOODSTEM = str(Path(sys.executable).with_name("moodstem"))

PATIENCE_S = 60  # a bound for busy machines, not a measurement


class Bot:
    """The running process; what it wrote to standard error is read when it has ended."""

    def __init__(self, process: asyncio.subprocess.Process, discord: StandIn, folder: Path) -> None:
        self.process = process
        self.discord = discord
        self.folder = folder

    async def stop(self) -> str:
        """SIGTERM; returns what it logged. It must end well and soon."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended(0)

    async def ended(self, code: int) -> str:
        _, errors = await asyncio.wait_for(self.process.communicate(), PATIENCE_S)
        assert self.process.returncode == code, errors.decode()
        return errors.decode()


def environment(port: int, folder: Path, **settings: str) -> dict[str, str]:
    return {
        **os.environ,
        "DISCORD_TOKEN": TOKEN,
        "MOODSTEM_DATA": str(folder / "data"),
        "MOODSTEM_DISCORD__LOOPBACK": str(port),
        "MOODSTEM_JOBS__SEPARATOR": "none",
        "MOODSTEM_JOBS__EMBEDDED_WORKER": "false",
        "MOODSTEM_JOBS__SCHEDULE": "false",
        **settings,
    }


async def launch(
    port: int, folder: Path, before: Sequence[str] = (), **settings: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *before, MOODSTEM, "run", cwd=folder, env=environment(port, folder, **settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@asynccontextmanager
async def running(
    discord: StandIn, folder: Path, before: Sequence[str] = (), **settings: str
) -> AsyncIterator[Bot]:
    """The bot, ready; killed at the end if the test did not stop it."""
    discord.ready.clear()
    process = await launch(discord.port, folder, before, **settings)
    try:
        ready = asyncio.create_task(discord.ready.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({ready, ended}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not ready.done():
            ready.cancel()
            process.kill()
            raise AssertionError((await process.communicate())[1].decode())
        all_agree(folder / "data" / "moodstem.db")
        yield Bot(process, discord, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def all_agree(database: Path) -> None:
    """The members of these tests have given their consent before: test_consent is about those who have not."""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT OR IGNORE INTO consent (user_id, wording) VALUES (?, ?)",
            [(user, WORDING) for user in range(1000)],
        )


async def answered(asked: Asked) -> dict[str, Any]:
    """The bot's first answer to an interaction."""
    await asyncio.wait_for(asyncio.shield(asked.acknowledged), PATIENCE_S)
    assert asked.callback is not None
    return asked.callback


async def comes(discord: StandIn, happened: Callable[[], Any]) -> Any:
    """Wait until something is so; looked at after each request of the bot."""
    async with asyncio.timeout(PATIENCE_S), discord.changed:
        await discord.changed.wait_for(happened)
    return happened()


def text_of(message: dict[str, Any] | None) -> str:
    """All text of a message or of an interaction's answer."""
    parts = (message or {}).get("components") or []
    return "\n".join(part["content"] for part in walk(parts) if part.get("type") == 10)


def press_id(message: dict[str, Any], action: str) -> str:
    """The custom id of the first button of this action."""
    found = (part.get("custom_id", "") for part in walk(message["components"]))
    return next(one for one in found if one.startswith(f"ms:{action}:"))


def descendants(process: int, running: str = "") -> list[int]:
    """The ids of its children, and of theirs, of all threads of the process: those whose command line has `running`."""
    children = [
        int(one)
        for file in Path(f"/proc/{process}/task").glob("*/children")
        for one in file.read_text().split()
    ]
    family = [one for child in children for one in (child, *descendants(child))]
    return [one for one in family if not running or running.encode() in _command_line(one)]


def _command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""
