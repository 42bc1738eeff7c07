"""`moodstem doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from bot.cli.doctor import examine
from bot.cli.doctor_discord import ask
from core.library import schema
from core.settings import DiscordSettings, JobSettings, Settings
from tests.fakes.discord_server import TOKEN, Fault, StandIn
from tests.machine import CONFINED, needs_refusals


@pytest.fixture
async def discord() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


async def found(port: int, token: str = TOKEN) -> dict[str, tuple[bool, str]]:
    settings = Settings(discord=DiscordSettings(loopback=port))
    return {one.name: (one.ok, one.text) for one in await ask(settings, token)}


async def test_a_good_token_shows_the_bot_its_servers_and_the_time(discord: StandIn) -> None:
    said = await found(discord.port)
    assert said["token"] == (True, "good for the bot moodstem")
    assert said["clock"][0] and said["servers"] == (True, "1, with all permissions that are needed")


async def test_a_wrong_token_is_told_from_one_that_is_none(discord: StandIn) -> None:
    ok, text = (await found(discord.port, TOKEN[:-4] + "abcd"))["token"]
    assert not ok and "does not know it" in text
    ok, text = (await found(discord.port, "my password"))["token"]
    assert not ok and "no bot token" in text and "password" not in text
    assert all("my" not in path for _, path, _ in discord.requests), "what is no token is sent nowhere"


async def test_lacking_permissions_are_named(discord: StandIn) -> None:
    discord.permissions = str(1 << 10)
    ok, text = (await found(discord.port))["servers"]
    assert not ok and "Moodstem: Send Messages, Attach Files" in text and "View" not in text
    discord.permissions = str(1 << 3)
    assert (await found(discord.port))["servers"][0], "an administrator may do all"


@pytest.mark.parametrize(("off", "word"), [(-90, "fast"), (90, "slow")])
async def test_a_clock_that_is_off_is_told(discord: StandIn, off: int, word: str) -> None:
    me = {"id": "100", "username": "moodstem"}
    discord.faults.append(Fault("GET", "users/@me", 200, me, {"Date": formatdate(time() + off, usegmt=True)}))
    ok, text = (await found(discord.port))["clock"]
    assert not ok and word in text and "NTP" in text


async def test_without_network_it_says_so(unused_tcp_port: int) -> None:
    [(ok, text)] = (await found(unused_tcp_port)).values()
    assert not ok and "check the network" in text


async def test_everything_needed_is_there_in_a_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOODSTEM_CONFIG", raising=False)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    settings = Settings(data=tmp_path / "new" / "data", jobs=JobSettings(separator="none"))
    findings = {finding.name: finding for finding in await examine(settings)}
    assert {"token", "disk", "privacy", "database", "decoder", "separator", "GPU"} <= set(findings)
    assert [name for name, finding in findings.items() if finding.needed and not finding.ok] == ["token"]
    assert not findings["settings"].ok and str(tmp_path / "config.toml") in findings["settings"].text
    settings.data.mkdir(parents=True)
    settings.data.chmod(0o755)
    (tmp_path / "config.toml").write_text("")
    again = {finding.name: finding for finding in await examine(settings)}
    assert again["settings"].ok and again["settings"].text == str(tmp_path / "config.toml")
    assert not again["privacy"].ok and "chmod o=" in again["privacy"].text


async def test_it_never_migrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path, jobs=JobSettings(separator="none"))
    async with await schema.open_database(settings.database) as database:
        await database.empty_log()
    before, newest = settings.database.read_bytes(), max(schema.available_migrations())
    for known, said in (
        (newest, "0 tracks, integrity ok"),
        (newest + 1, f"of an older Moodstem (schema {newest}): the next start"),
    ):
        more = schema.available_migrations() | {known: ""}
        monkeypatch.setattr(schema, "available_migrations", lambda more=more: more)
        monkeypatch.setattr("bot.cli.doctor.available_migrations", lambda more=more: more)
        [finding] = [one for one in await examine(settings) if one.name == "database"]
        assert finding.ok and said in finding.text
    assert settings.database.read_bytes() == before and not settings.backups.exists()
    monkeypatch.undo()
    with closing(sqlite3.connect(settings.database)) as newer:
        newer.execute(f"PRAGMA user_version = {newest + 1}")
    [finding] = [one for one in await examine(settings) if one.name == "database"]
    assert not finding.ok and "made by a newer Moodstem" in finding.text


@needs_refusals
def test_a_folder_that_is_closed_is_told_from_one_that_is_missing(tmp_path: Path) -> None:
    closed, gone = tmp_path / "closed", tmp_path / "gone"
    (closed / "jazz").mkdir(parents=True)
    closed.chmod(0)
    folders = [tmp_path, closed, closed / "jazz", gone]
    environment = {
        **os.environ,
        "MOODSTEM_DATA": str(tmp_path / "data"),
        "MOODSTEM_JOBS__SEPARATOR": "none",
        "MOODSTEM_JOBS__THREADS": "3",
        "MOODSTEM_LIBRARY__FOLDERS": json.dumps([str(folder) for folder in folders]),
    }
    try:
        said = subprocess.run(
            [*CONFINED, Path(sys.executable).with_name("moodstem"), "doctor", "--json"],
            capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=200,
        )  # fmt: skip
    finally:
        closed.chmod(0o700)
    assert said.stdout, said.stderr
    findings = json.loads(said.stdout)
    found, shut, inside, missing = (one for one in findings if one["name"] == "folder")
    assert found["ok"] and found["text"] == str(tmp_path)
    assert not shut["ok"] and f"let user {os.geteuid()} read it" in shut["text"]
    assert not inside["ok"] and f"let user {os.geteuid()} into what it lies in" in inside["text"]
    assert not missing["ok"] and "not there" in missing["text"]
    [gpu] = (one for one in findings if one["name"] == "GPU")
    assert gpu["ok"] or "threads = 3" in gpu["text"], "not all cores of the machine"
