"""`moodstem run` where something of the machine is wrong: one sentence and exit code 1, and `moodstem doctor` agrees."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.library.samples import manifest
from core.library.schema import open_database
from jobs.queue import Queue
from tests.conftest import fill_up
from tests.fakes.discord_server import TOKEN, StandIn
from tests.fakes.running_bot import (
    MOODSTEM,
    PATIENCE_S,
    Bot,
    answered,
    comes,
    descendants,
    environment,
    launch,
    press_id,
    running,
)
from tests.machine import CONFINED, needs_refusals

pytestmark = pytest.mark.slow


@pytest.fixture
async def discord() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


async def refused(discord: StandIn, folder: Path, before: Sequence[str] = (), **settings: str) -> str:
    """The one line with which `moodstem run` ends, with 1; doctor says that something stops the bot."""
    said = await Bot(await launch(discord.port, folder, before, **settings), discord, folder).ended(1)
    assert "Traceback" not in said and TOKEN not in said, said
    code, findings = await examined(discord, folder, before, **settings)
    assert code == 1 and any(one["needed"] and not one["ok"] for one in findings), findings
    return said.strip().splitlines()[-1]


async def examined(
    discord: StandIn, folder: Path, before: Sequence[str] = (), **settings: str
) -> tuple[int | None, list[dict[str, Any]]]:
    """The exit code and findings of `moodstem doctor`."""
    process = await asyncio.create_subprocess_exec(
        *before, MOODSTEM, "doctor", "--json", cwd=folder, env=environment(discord.port, folder, **settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert said, errors.decode()
    return process.returncode, json.loads(said)


def found(findings: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [one] = (one for one in findings if one["name"] == name)
    return one


@needs_refusals
async def test_a_folder_that_cannot_be_made(discord: StandIn, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    said = await refused(discord, tmp_path, CONFINED, MOODSTEM_DATA=str(closed / "data"))
    assert f"{closed}/data cannot be made (Permission denied): let user" in said and "--data" in said
    assert "chown" not in said, "not of a folder that is not ours"


@needs_refusals
async def test_a_database_of_another_owner(discord: StandIn, tmp_path: Path) -> None:
    """Left there by `sudo moodstem`, as it seems to the user that the bot runs as."""
    async with running(discord, tmp_path) as bot:
        await bot.stop()
    data = tmp_path / "data"
    (data / "moodstem.db").chmod(0o444)
    said = await refused(discord, tmp_path, CONFINED)
    assert f"make it writable for user {os.getuid()}, by `chown -R {os.getuid()} {data}`" in said, said
    assert "backup" not in said
    (data / "moodstem.lock").chmod(0o444)
    assert "chown -R" in await refused(discord, tmp_path, CONFINED)


@pytest.mark.skipif(bool(os.geteuid()), reason="Only root can give a file to another user.")
async def test_files_of_another_owner_are_noted(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path) as bot:
        await bot.stop()
    os.chown(tmp_path / "data" / "moodstem.db", 65534, 65534)
    code, findings = await examined(discord, tmp_path)
    owners = found(findings, "owners")
    assert code == 0 and not owners["ok"] and not owners["needed"] and "(user 65534)" in owners["text"]


async def test_a_full_disk(discord: StandIn, small_disk: Path, tmp_path: Path) -> None:
    ballast = fill_up(small_disk, spare=300_000)
    settings = {"MOODSTEM_DATA": str(small_disk / "data")}
    said = await refused(discord, tmp_path, **settings)
    assert "There is no room left on the disk" in said and "--data" in said
    ballast.unlink()


@pytest.mark.parametrize("token", [f"{TOKEN}\n{TOKEN}", f"Bot {TOKEN} x", "ümläut"])
async def test_what_cannot_be_a_token(discord: StandIn, tmp_path: Path, token: str) -> None:
    said = await refused(discord, tmp_path, DISCORD_TOKEN=token)
    assert (
        "The token in DISCORD_TOKEN has a line break, a space or another foreign sign: copy it anew" in said
    )


@pytest.mark.parametrize("form", ['"{}"', "'{}'", "Bot {}", '"Bot {}"', 'Bot "{}"', " {}\n"])
async def test_what_comes_along_with_a_token_is_taken_off(
    discord: StandIn, tmp_path: Path, form: str
) -> None:
    async with running(discord, tmp_path, DISCORD_TOKEN=form.format(TOKEN)) as bot:
        await bot.stop()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('[discord]\ntoken = "abc"\n', "run `moodstem setup` or put it into DISCORD_TOKEN"),
        ("[limits]\nupload_mb = -1\n", "limits.upload_mb is wrong"),
    ],
)
async def test_settings_that_are_wrong(discord: StandIn, tmp_path: Path, config: str, sentence: str) -> None:
    (tmp_path / "config.toml").write_text(config)
    assert sentence in await refused(discord, tmp_path)


async def test_a_variable_that_sets_nothing(discord: StandIn, tmp_path: Path) -> None:
    assert "MOODSTEM_LIMITS__UPLOAD_MB would" in await refused(
        discord, tmp_path, MOODSTEM_LIMIT__UPLOAD_MB="20"
    )


async def test_no_token(discord: StandIn, tmp_path: Path) -> None:
    assert "There is no token" in await refused(discord, tmp_path, DISCORD_TOKEN="")
    assert "does not know this token" in await refused(discord, tmp_path, DISCORD_TOKEN=TOKEN[:-4] + "abcd")


async def test_a_port_that_is_taken(discord: StandIn, tmp_path: Path) -> None:
    said = await refused(discord, tmp_path, MOODSTEM_MONITOR__PORT=str(discord.port))
    assert f"127.0.0.1:{discord.port} cannot be used" in said


async def test_a_database_of_a_newer_version_or_of_something_else(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path) as bot:
        await bot.stop()
    database = tmp_path / "data" / "moodstem.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert "made by a newer Moodstem" in await refused(discord, tmp_path)
    database.write_bytes(b"something else" * 1000)
    assert "not a usable Moodstem database" in await refused(discord, tmp_path)


async def test_a_music_folder_that_is_missing_is_said_and_left_out(discord: StandIn, tmp_path: Path) -> None:
    gone = {"MOODSTEM_LIBRARY__FOLDERS": json.dumps([str(tmp_path / "gone")])}
    async with running(discord, tmp_path, **gone) as bot:
        said = await bot.stop()
    assert f"The music folder {tmp_path}/gone is left out: it is not there" in said
    code, findings = await examined(discord, tmp_path, **gone)
    folder = found(findings, "folder")
    assert code == 0 and not folder["ok"] and not folder["needed"]


async def test_one_bot_on_a_data_folder(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path) as first:
        said = await Bot(await launch(discord.port, tmp_path), discord, tmp_path).ended(1)
        assert (
            said.strip()
            .splitlines()[-1]
            .startswith(
                f"Error: Another `moodstem run` or `moodstem try` uses the data folder {tmp_path}/data: stop it first"
            )
        )
        code, findings = await examined(discord, tmp_path)
        assert code == 0 and "runs on this data folder" in found(findings, "bot")["text"]
        first.process.kill()
        await first.process.wait()
    async with running(discord, tmp_path) as second:  # a lock of the kernel's: nothing is left to be removed
        await second.stop()
    assert "does not run" in found((await examined(discord, tmp_path))[1], "bot")["text"]


async def test_one_bot_for_each_connection(discord: StandIn, tmp_path: Path) -> None:
    def shards(*ids: int) -> dict[str, str]:
        return {"MOODSTEM_DISCORD__SHARDS": "4", "MOODSTEM_DISCORD__SHARD_IDS": json.dumps(ids)}

    async with running(discord, tmp_path, **shards(0, 1)):
        async with running(discord, tmp_path, **shards(2, 3)):
            pass
        for ids in ((1, 2), (0,)):
            said = await Bot(await launch(discord.port, tmp_path, **shards(*ids)), discord, tmp_path).ended(1)
            assert "Another `moodstem run`" in said
        said = await Bot(await launch(discord.port, tmp_path), discord, tmp_path).ended(1)
        assert "Another `moodstem run`" in said, "which has all connections"


async def test_doctor_leaves_everything_as_it_is(discord: StandIn, tmp_path: Path) -> None:
    code, findings = await examined(discord, tmp_path)
    assert code == 0 and "the first start makes it" in found(findings, "database")["text"]
    assert not (tmp_path / "data").exists()
    async with running(discord, tmp_path) as bot:
        await bot.stop()

    def state() -> dict[str, str]:
        files = (one for one in (tmp_path / "data").rglob("*") if one.is_file())
        return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in files}

    before = state()
    code, findings = await examined(discord, tmp_path)
    assert code == 0 and "tracks, integrity ok" in found(findings, "database")["text"]
    assert state() == before


async def test_doctor_says_at_the_end_whether_the_bot_would_run(discord: StandIn, tmp_path: Path) -> None:
    def report(**settings: str) -> list[str]:
        said = subprocess.run(
            [MOODSTEM, "doctor"], cwd=tmp_path, env=environment(discord.port, tmp_path, **settings),
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        return said.stdout.splitlines()

    *lines, last = await asyncio.to_thread(report)
    assert last == "Nothing stops the bot." and {line[:6] for line in lines} == {"ok    ", "note  "}
    *lines, last = await asyncio.to_thread(report, DISCORD_TOKEN="")
    assert last == "1 thing stops the bot."
    assert next(line for line in lines if line.startswith("FAIL")).startswith("FAIL  token: there is none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        *_, last = await asyncio.to_thread(
            report, DISCORD_TOKEN="", MOODSTEM_MONITOR__PORT=str(taken.getsockname()[1])
        )
    assert last == "2 things stop the bot."


async def test_a_closed_terminal_ends_it_as_sigterm_does(discord: StandIn, tmp_path: Path) -> None:
    """SIGHUP goes to the worker as well."""
    async with running(discord, tmp_path, ["setsid"], MOODSTEM_JOBS__EMBEDDED_WORKER="true") as bot:
        song = manifest()[0].path.read_bytes()
        await answered(await discord.slash("upload", track=discord.attach("song.ogg", song)))
        async with await open_database(tmp_path / "data" / "moodstem.db") as database:
            queue = Queue(database)
            while not (await queue.counts())["running"]:
                await asyncio.sleep(0.02)
            os.killpg(bot.process.pid, signal.SIGHUP)
            said = await asyncio.wait_for(bot.ended(0), 20)
            counts = await queue.counts()
    assert "Stopped after" in said and "Traceback" not in said, said
    assert counts["running"] == 0 and counts["queued"] + counts["done"] == 1, (counts, said)


async def test_a_stop_that_hangs_ends_all_the_same(discord: StandIn, tmp_path: Path) -> None:
    """A thread waits for the decoder, which has stopped in the middle."""
    async with running(discord, tmp_path) as bot:
        asked = await discord.slash("library", track={"track": "track:1"})
        await comes(discord, lambda: "ms:play:" in json.dumps(asked.message))
        assert asked.message is not None
        await discord.press(asked.message, press_id(asked.message, "play"))
        async with asyncio.timeout(PATIENCE_S):
            # Until a child has become the decoder its parent waits for it, and would stop as well.
            while not (children := descendants(bot.process.pid, "decoder_child.py")):
                await asyncio.sleep(0.001)
        for child in children:
            os.kill(child, signal.SIGSTOP)
        try:
            bot.process.send_signal(signal.SIGTERM)
            said = await asyncio.wait_for(bot.ended(os.EX_SOFTWARE), 25)
        finally:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
    assert "Stopping took longer than 14 s" in said and "Traceback" not in said, said
