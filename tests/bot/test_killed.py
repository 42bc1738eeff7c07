"""kill -9 of everything: bot, runner and worker at once, as a power cut does it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from simcord.builders import ChannelHandle, GuildHandle

from bot import create_bot
from tests.bot.conftest import labels, within_budget, words
from tests.bot.killed_host import same_discord, settings_of
from tests.conftest import ROOT
from tests.jobs.helpers import is_running, until
from tests.jobs.test_kill import children

Start = Callable[[Path], tuple[subprocess.Popen[str], dict[str, int]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the host with a song to upload; returns once Discord has shown the card."""
    hosts: list[subprocess.Popen[str]] = []

    def one(song: Path) -> tuple[subprocess.Popen[str], dict[str, int]]:
        arguments = [str(tmp_path / name) for name in ("data", "discord")]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bot.killed_host", *arguments, str(song)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        hosts.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield one
    for process in hosts:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def state_of(data: Path) -> tuple[str, int, str]:
    """(state, attempt, stage) of the one job."""
    with contextlib.closing(sqlite3.connect(data / "moodstem.db", timeout=10)) as connection:
        [row] = connection.execute("SELECT state, attempt, stage FROM job").fetchall()
    return tuple(row)


def family(pid: int) -> list[int]:
    return [pid, *(grandchild for child in children(pid) for grandchild in family(child))]


@pytest.mark.parametrize("when", ["at once", "in the middle"])
async def test_an_upload_before_kill_9_of_everything_ends_with_its_card(
    start: Start, tmp_path: Path, when: str
) -> None:
    from tests.make import plucked

    data = tmp_path / "data"
    song = tmp_path / "night train.wav"
    song.write_bytes(plucked(40.0, rate=44100))
    host, ids = start(song)
    if when == "in the middle":
        await until(lambda: state_of(data)[0] == "running" and len(family(host.pid)) >= 3)
    everybody = family(host.pid)
    assert len(everybody) >= 2, "the bot and its runner"
    os.killpg(host.pid, signal.SIGKILL)
    host.wait()
    await until(lambda: not any(map(is_running, everybody)))
    state, attempt, _ = state_of(data)
    assert state == ("running" if when == "in the middle" else "queued"), "it was killed before the end"

    env = same_discord(bot := create_bot(settings_of(data)), tmp_path / "discord")
    backend = env.backend
    channel = ChannelHandle(
        env, GuildHandle(env, next(iter(backend.guilds.values()))), backend.channels[ids["channel"]]
    )
    await env.start()
    try:

        def card() -> Any:
            return next(message for message in channel.history() if message.id == ids["card"])

        before = words(card())
        assert "night train.wav" in before and "Goes well with" not in before

        async def updated() -> bool:
            await env.advance_time(0.5)
            return "Goes well with" in words(card())

        await until(updated, timeout_s=120)
        done = card()
        within_budget(done)
        assert "Remove it" in labels(done) and len(done.attachments) == 1
        assert len(channel.history()) == 1, "one card, and no second one"
        state, attempts, _ = state_of(data)
        assert (state, attempts) == ("done", attempt + 1)
        [counts] = await bot.database.fetch("SELECT (SELECT count(*) FROM track WHERE origin = 'upload'),"
                                            " (SELECT count(*) FROM card), (SELECT count(*) FROM card_due)")  # fmt: skip
        assert tuple(counts) == (1, 0, 0)
        [[verdict]] = await bot.database.fetch("PRAGMA integrity_check")
        assert verdict == "ok"
    finally:
        await env.shutdown()
        await bot.close()
    left = [path for path in data.rglob("*") if path.is_file() and "moodstem.db" not in path.name]
    assert sorted(path.parent.name for path in left) == ["pictures", "uploads"]
