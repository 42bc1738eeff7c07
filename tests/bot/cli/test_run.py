"""`moodstem run` over real sockets: SimCord replaces discord.py's own, so here a stand-in for Discord meets them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from core.library.backup import backup
from core.library.samples import manifest
from core.library.schema import open_database
from jobs.queue import Queue
from jobs.schedule import Plan, Schedule
from tests.fakes.discord_server import EVERYTHING, TOKEN, Fault, StandIn
from tests.fakes.discord_wire import OWNER, application
from tests.fakes.running_bot import (
    PATIENCE_S,
    Bot,
    answered,
    comes,
    descendants,
    launch,
    press_id,
    running,
    text_of,
)
from tests.machine import CONFINED, needs_refusals

RATE_LIMIT = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}


pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def discord() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One running bot for all tests that leave it running; each has members of its own."""
    stand_in = StandIn()
    await stand_in.start()
    async with running(stand_in, tmp_path_factory.mktemp("bot")) as started:
        yield started
        said = await started.stop()
        assert "Traceback" not in said and TOKEN not in said, said
    await stand_in.stop()


async def test_it_logs_in_syncs_answers_and_stops(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path) as bot:
        assert discord.identified[-1]["intents"] == 1, "servers only: no messages, members or presences"
        names = {command["name"] for command in discord.commands}
        assert {"mood", "recommend", "upload", "reindex", "privacy"} <= names
        answer = await answered(await discord.slash("mood"))
        assert answer["data"]["flags"] == 64 + 32768  # ephemeral, Components V2
        assert "Question 1 of" in text_of(answer["data"])
        said = await bot.stop()
        assert TOKEN not in said and "Traceback" not in said, said
    async with running(discord, tmp_path) as bot:
        await bot.stop()
    assert discord.syncs == 1, "unchanged commands are not sent again"
    discord.commands.pop()
    async with running(discord, tmp_path) as bot:
        await bot.stop()
    assert discord.syncs == 2, "commands that Discord has lost are sent again"


async def test_a_button_changes_its_message(bot: Bot) -> None:
    asked = await bot.discord.slash("help", user=10)
    await answered(asked)
    assert asked.message is not None
    pressed = await bot.discord.press(asked.message, press_id(asked.message, "mood_start"), user=10)
    await answered(pressed)
    assert "Question 1 of" in text_of(pressed.message)


async def test_an_interaction_that_comes_twice_counts_once(bot: Bot) -> None:
    asked = await bot.discord.slash("mood", user=11)
    await answered(asked)
    assert asked.message is not None
    choice = {"custom_id": press_id(asked.message, "mood_answer"), "component_type": 2}
    twice = await bot.discord.interact(3, choice, 11, message=asked.message, times=2)
    await answered(twice)
    again = await bot.discord.slash("mood", user=11)
    await answered(again)
    assert "Question 2 of" in text_of(again.message)
    assert sum(f"/{twice.token}/" in path for _, path, _ in bot.discord.requests) == 1, "answered once, too"


async def test_an_upload_is_fetched_while_its_address_is_good(bot: Bot) -> None:
    discord, sample = bot.discord, manifest()[0].path.read_bytes()
    asked = await discord.slash("upload", user=12, track=discord.attach("good.ogg", sample))
    assert (await answered(asked))["type"] == 5, "deferred before anything else"
    await comes(discord, lambda: any("good.ogg" in text_of(one) for one in discord.messages.values()))
    assert any(file.read_bytes() == sample for file in (bot.folder / "data" / "uploads").iterdir())
    late = await discord.slash("upload", user=13, track=discord.attach("late.ogg", sample, lifetime_s=-1))
    await comes(discord, lambda: "upload it again" in text_of(late.message))


async def test_rate_limits_are_waited_for_and_bans_are_told(bot: Bot) -> None:
    polite = {"Via": "1.1 google", "Retry-After": "1", "X-RateLimit-Scope": "user"}
    bot.discord.faults.append(Fault("POST", "interactions/*", 429, dict(RATE_LIMIT), polite, times=2))
    answer = await answered(await bot.discord.slash("mood", user=14))
    assert "Question 1 of" in text_of(answer["data"]), "asked again until Discord took it"
    # Without `Via`, it is Cloudflare that refuses: discord.py does not try again, and neither do we.
    bot.discord.faults.append(Fault("POST", "interactions/*", 429, dict(RATE_LIMIT)))
    answer = await answered(await bot.discord.slash("help", user=14))
    assert "slow down" in text_of(answer["data"])


async def test_an_answer_that_meets_a_server_error_is_given_again(bot: Bot) -> None:
    bot.discord.faults.append(Fault("POST", "interactions/*", 503))
    answer = await answered(await bot.discord.slash("mood", user=15))
    assert "Question 1 of" in text_of(answer["data"])


async def test_it_resumes_and_misses_nothing(bot: Bot) -> None:
    before = len(bot.discord.resumed)
    await bot.discord.demand_reconnect()
    first = await bot.discord.slash("mood", user=16)  # sent while nobody listens: replayed after the resume
    assert "Question 1 of" in text_of((await answered(first))["data"])
    await bot.discord.hang_up(4000)
    second = await bot.discord.slash("help", user=16)
    await answered(second)
    resumed = bot.discord.resumed[before:]
    assert len(resumed) == 2 and len(bot.discord.identified) == 1
    assert resumed[0]["session_id"] == "a-session" and resumed[0]["token"] == TOKEN


async def test_sigterm_during_a_job_gives_it_back_and_ends_in_time(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path, MOODSTEM_JOBS__EMBEDDED_WORKER="true") as bot:
        song = manifest()[0].path.read_bytes()
        await answered(await discord.slash("upload", track=discord.attach("song.ogg", song)))
        async with await open_database(tmp_path / "data" / "moodstem.db") as database:
            queue = Queue(database)
            while not (await queue.counts())["running"]:
                await asyncio.sleep(0.02)
            bot.process.send_signal(signal.SIGTERM)
            said = await bot.ended(0)
            counts = await queue.counts()
            assert counts["running"] == 0 and counts["queued"] + counts["done"] == 1, (counts, said)
            assert "Traceback" not in said, said
            taken = re.search(r"Stopped after ([\d.]+) s", said)
            assert taken and float(taken[1]) < 10, said
    async with running(discord, tmp_path, MOODSTEM_JOBS__EMBEDDED_WORKER="true") as bot:
        await comes(
            discord, lambda: any("Goes well with" in text_of(one) for one in discord.messages.values())
        )
        await bot.stop()


async def test_discord_is_asked_for_the_number_of_shards(discord: StandIn, tmp_path: Path) -> None:
    async with running(discord, tmp_path, MOODSTEM_DISCORD__SHARDS="auto") as bot:
        assert ("GET", "gateway/bot", 200) in discord.requests
        assert discord.identified[-1]["shard"] == [0, 1]
        await answered(await discord.slash("mood"))
        await bot.stop()


async def test_health_metrics_and_json_logs(discord: StandIn, tmp_path: Path, unused_tcp_port: int) -> None:
    environment = {
        "MOODSTEM_MONITOR__PORT": str(unused_tcp_port),
        "MOODSTEM_LOG__FORMAT": "json",
        "MOODSTEM_JOBS__EMBEDDED_WORKER": "true",
    }
    async with (
        running(discord, tmp_path, **environment) as bot,
        aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http,
    ):
        discord.faults.append(Fault("POST", "interactions/*", 429, dict(RATE_LIMIT), {"Via": "1.1 google"}))
        asked = await discord.slash("mood")
        await answered(asked)
        await answered(await discord.slash("reindex"))
        song = discord.attach("secret-name.ogg", manifest()[0].path.read_bytes())
        await answered(await discord.slash("upload", track=song))
        await comes(
            discord, lambda: any("Goes well with" in text_of(one) for one in discord.messages.values())
        )
        healthy = await health_once(http, lambda health: health["ok"])
        assert (healthy["servers"], healthy["workers"], healthy["problems"]) == (1, 1, [])
        rebound = {"Host": f"rebound.example:{unused_tcp_port}"}
        assert (await http.get("/metrics", headers=rebound)).status == 403, "a page's own domain pointed here"
        assert (await http.get("/health", headers={"Host": f"localhost:{unused_tcp_port}"})).status == 200
        page = await (await http.get("/metrics")).text()
        said = await bot.stop()
    assert 'moodstem_interactions_total{name="/mood",outcome="ok"} 1.0' in page
    assert 'moodstem_interactions_total{name="/reindex",outcome="refused"} 1.0' in page
    assert "moodstem_acknowledgement_seconds_count 3.0" in page
    for name in ("disk_free_bytes", 'data_bytes{part="database"}', 'data_bytes{part="uploads"}'):
        assert re.search(rf"^moodstem_{re.escape(name)} \d", page, re.M), name
    assert "moodstem_workers 1.0" in page and "moodstem_worker_restarts_total 0.0" in page
    assert "moodstem_queue_age_seconds 0.0" in page and "process_resident_memory_bytes" in page
    assert 'moodstem_jobs{state="queued"} 0.0' in page and "moodstem_event_loop_lag_seconds_count" in page
    assert 'moodstem_discord_requests_total{method="POST",status="429"} 1.0' in page
    events: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert {"time", "level", "logger", "message"} <= set(events[0])
    lines = [one["message"] for one in events]
    assert re.fullmatch(rf"Moodstem \d\S+ starts: data {tmp_path}/data, schema \d+, settings \S+", lines[0])
    for line in (r"Ready: 1 servers, 30 tracks", r"Job 1, analyse, \d+\.\d s: done"):
        assert sum(bool(re.fullmatch(line, one)) for one in lines) == 1, lines
    assert "secret-name" not in said
    assert any(one["logger"] == "discord.webhook.async_" for one in events), (
        "discord.py's own warning is there"
    )
    assert TOKEN not in said and asked.token not in said


async def health_once(http: aiohttp.ClientSession, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the answer is as it should be; its status says the same as its words."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await http.get("/health")
            health: dict[str, Any] = await answer.json()
            assert health["ok"] == (not health["problems"]) == (answer.status == 200)
            if fits(health):
                return health
            await asyncio.sleep(0.1)


async def test_health_says_what_an_operator_must_mend(
    discord: StandIn, tmp_path: Path, unused_tcp_port: int
) -> None:
    """No worker has the separator that was chosen, and the last backup is not of this night."""
    data, now = tmp_path / "data", time.time()
    async with await open_database(data / "moodstem.db") as database:
        for task in Schedule(Queue(database), Plan(data)).tasks:  # nothing was missed: nothing is made up for
            await database.write(
                "INSERT INTO schedule_state (name, last_success) VALUES (?, ?)", [task.name, now]
            )
        old = await backup(database, data / "backups")
    os.utime(old, (now - 30 * 3600, now - 30 * 3600))
    environment = {
        "MOODSTEM_MONITOR__PORT": str(unused_tcp_port),
        "MOODSTEM_JOBS__EMBEDDED_WORKER": "true",
        "MOODSTEM_JOBS__SEPARATOR": "spleeter",
        "MOODSTEM_JOBS__SCHEDULE": "true",
    }
    async with (
        running(discord, tmp_path, **environment) as bot,
        aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http,
    ):
        health = await health_once(
            http, lambda health: "no separator" in str(health) and "connected" not in str(health)
        )
        separator, age = health["problems"]
        assert health["workers"] == 0
        assert separator.startswith("uploads cannot be analysed: There is no separator 'spleeter'; choose")
        assert age == "the last backup is 30 hours old: one is due every night"
        page = await (await http.get("/metrics")).text()
        await bot.stop()
    ran = re.search(r'moodstem_schedule_last_success_timestamp_seconds{task="backup"} (\S+)', page)
    assert ran is not None and float(ran[1]) == now
    assert "moodstem_workers 0.0" in page and re.search(r"moodstem_backup_age_seconds 10800\d\.", page)


async def test_health_notices_a_disk_that_is_full(
    discord: StandIn, small_disk: Path, unused_tcp_port: int
) -> None:
    async with (
        running(discord, small_disk, MOODSTEM_MONITOR__PORT=str(unused_tcp_port)) as bot,
        aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http,
    ):
        health = await health_once(http, lambda health: len(health["problems"]) == 2)
        assert f"the disk of {small_disk}/data has 0.0 GB left and needs 2: make room" in health["problems"]
        assert (
            "uploads cannot be analysed: no worker is running, start `moodstem worker`" in health["problems"]
        )
        await bot.stop()


async def test_a_killed_worker_is_noticed_and_replaced(
    discord: StandIn, tmp_path: Path, unused_tcp_port: int
) -> None:
    environment = {
        "MOODSTEM_MONITOR__PORT": str(unused_tcp_port),
        "MOODSTEM_JOBS__EMBEDDED_WORKER": "true",
    }
    async with (
        running(discord, tmp_path, **environment) as bot,
        aiohttp.ClientSession(f"http://127.0.0.1:{unused_tcp_port}") as http,
    ):
        await health_once(http, lambda health: health["ok"])
        [idle] = descendants(bot.process.pid, "jobs.worker")
        os.kill(idle, signal.SIGKILL)
        await health_once(http, lambda health: not health["workers"])
        assert not Path(f"/proc/{idle}").exists(), "no zombie stays"
        await health_once(http, lambda health: health["workers"] == 1)
        for _ in range(3):
            [runner] = descendants(bot.process.pid, "jobs.process")
            os.kill(runner, signal.SIGKILL)
            await health_once(http, lambda health: not health["workers"])
            health = await health_once(http, lambda health: health["workers"] == 1)
        assert health["problems"] == ["workers ended by themselves 3 times in ten minutes: the log says how"]
        said = await bot.stop()
    assert said.count("The worker ended by itself (SIGKILL)") == 1
    assert said.count("The worker process ended (-9): starting it again") == 3


async def test_a_taken_port_is_one_clear_line(discord: StandIn, tmp_path: Path) -> None:
    process = await launch(discord.port, tmp_path, MOODSTEM_MONITOR__PORT=str(discord.port))
    said = await Bot(process, discord, tmp_path).ended(1)
    assert f"127.0.0.1:{discord.port} cannot be used for monitoring" in said.splitlines()[-1]
    assert "Traceback" not in said, said


async def test_a_wrong_token_is_one_clear_line(discord: StandIn, tmp_path: Path) -> None:
    process = await launch(discord.port, tmp_path, DISCORD_TOKEN="wrong")
    said = await Bot(process, discord, tmp_path).ended(1)
    assert said.strip().splitlines()[-1].startswith("Error: Discord does not know this token")
    assert "Traceback" not in said


async def test_no_network_is_waited_for(tmp_path: Path, unused_tcp_port: int) -> None:
    process = await launch(unused_tcp_port, tmp_path)
    late = StandIn()
    assert process.stderr is not None
    while b"cannot be reached" not in (line := await process.stderr.readline()):
        assert line, "it gave up"
    await late.start(unused_tcp_port)
    try:
        await asyncio.wait_for(late.ready.wait(), PATIENCE_S)
        said = await Bot(process, late, tmp_path).stop()
        assert "Traceback" not in said, said
    finally:
        await late.stop()


async def test_a_stop_during_the_wait_for_discord_ends_at_once(tmp_path: Path, unused_tcp_port: int) -> None:
    process = await launch(unused_tcp_port, tmp_path)
    assert process.stderr is not None
    while b"cannot be reached" not in (line := await process.stderr.readline()):
        assert line, "it gave up"
    said = await Bot(process, StandIn(), tmp_path).stop()
    assert "Traceback" not in said, said


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("GET", "users/@me", 403), "invite it again"),
        (Fault("PUT", "applications/*/commands", 403), "applications.commands"),
    ],
)
async def test_a_start_that_discord_refuses_is_one_clear_line(
    discord: StandIn, tmp_path: Path, fault: Fault, sentence: str
) -> None:
    discord.faults.append(fault)
    said = await Bot(await launch(discord.port, tmp_path), discord, tmp_path).ended(1)
    assert sentence in said.strip().splitlines()[-1] and "Traceback" not in said, said


TEAM = {"id": "1", "name": "us", "icon": None, "owner_user_id": "70", "members": [
    {"user": {"id": str(number), "username": f"user{number}", "discriminator": "0", "avatar": None},
     "team_id": "1", "membership_state": 2, "role": role}
    for number, role in ((71, "developer"), (72, "read_only"))
]}  # fmt: skip


@pytest.mark.parametrize(
    ("team", "operators", "told"),
    [
        (None, "[]", {OWNER: True, 71: False}),
        (TEAM, "[]", {OWNER: False, 71: True, 72: False}),
        (TEAM, "[73]", {OWNER: False, 71: False, 73: True}),
    ],
    ids=["owner", "team", "named"],
)
async def test_who_is_the_operator(
    discord: StandIn, tmp_path: Path, team: Any, operators: str, told: dict[int, bool]
) -> None:
    """All manage a server that has the bot; one learns how the machine is and makes backups."""
    about = Fault("GET", "oauth2/applications/@me", 200, {**application(), "team": team}, times=1000)
    discord.faults.append(about)
    async with running(discord, tmp_path, MOODSTEM_DISCORD__OPERATORS=operators) as bot:
        for user, is_operator in told.items():
            for command, owned in (("stats", "GB free"), ("backup", "was restored on trial")):
                [known] = [one for one in discord.commands if one["name"] == "admin"]
                option = {"name": command, "type": 1, "options": []}
                asked = discord.prepare(
                    2, {"id": known["id"], "name": "admin", "type": 1, "options": [option]}, user
                )
                asked.payload["member"]["permissions"] = EVERYTHING
                await discord.deliver(asked)
                await comes(discord, asked.edited.is_set)
                assert (owned in text_of(asked.message)) == is_operator, text_of(asked.message)
        said = await bot.stop()
    discord.faults.remove(about)
    assert len(re.findall(r"INFO core.library.backup: Backup moodstem-\d{8}-\d{6}-manual.db: ", said)) == 1


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4004, "does not know this token"),
        (4010, "shard_ids"),
        (4011, 'shards = "auto"'),
        (4012, "update Moodstem"),
        (4013, "update Moodstem"),
        (4014, "none of them is privileged"),
    ],
)
async def test_what_discord_ends_for_good_is_one_clear_line(
    discord: StandIn, tmp_path: Path, code: int, sentence: str
) -> None:
    async with running(discord, tmp_path) as bot:
        await discord.hang_up(code)
        said = await bot.ended(1)
    assert sentence in said.strip().splitlines()[-1] and "Traceback" not in said, said


@pytest.mark.parametrize("gap_s", [0.0, 0.3, 1.0])
async def test_a_second_signal_changes_nothing(discord: StandIn, tmp_path: Path, gap_s: float) -> None:
    async with running(discord, tmp_path, MOODSTEM_JOBS__EMBEDDED_WORKER="true") as bot:
        song = manifest()[0].path.read_bytes()
        await answered(await discord.slash("upload", track=discord.attach("song.ogg", song)))
        async with await open_database(tmp_path / "data" / "moodstem.db") as database:
            queue = Queue(database)
            while not (await queue.counts())["running"]:
                await asyncio.sleep(0.02)
            bot.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(gap_s)
            if bot.process.returncode is None:
                bot.process.send_signal(signal.SIGINT)
            said = await asyncio.wait_for(bot.ended(0), 20)
            counts = await queue.counts()
    assert counts["running"] == 0 and counts["queued"] + counts["done"] == 1, (counts, said)
    assert "Traceback" not in said, said


@needs_refusals
async def test_what_the_bot_keeps_is_for_its_operator_alone(discord: StandIn, tmp_path: Path) -> None:
    """Files for their owner, the token in no child's environment, and no process whose memory another one may read."""
    previous = os.umask(0)
    try:
        async with running(discord, tmp_path, CONFINED, MOODSTEM_JOBS__EMBEDDED_WORKER="true") as bot:
            song = manifest()[0].path.read_bytes()
            await answered(await discord.slash("upload", track=discord.attach("song.ogg", song)))
            await comes(
                discord, lambda: any("Goes well with" in text_of(one) for one in discord.messages.values())
            )
            other = subprocess.Popen([*CONFINED, "sleep", "60"])
            assert readable_by_others(other.pid), "or this shows nothing"
            other.kill()
            other.wait()
            family = [bot.process.pid, *descendants(bot.process.pid)]
            assert len(family) >= 3, "bot, runner, worker"
            for process in family:
                assert not readable_by_others(process)
            for process in family[1:]:
                with contextlib.suppress(PermissionError):  # refused to us as well, unless we are root
                    assert TOKEN.encode() not in Path(f"/proc/{process}/environ").read_bytes()
            await bot.stop()
    finally:
        os.umask(previous)
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert kept and [path for path in kept if path.stat().st_mode & 0o077] == []


def readable_by_others(process: int) -> bool:
    """Whether another process of this user, without root's rights, can open the memory of this one."""
    attempt = [*CONFINED, sys.executable, "-c", f"open('/proc/{process}/mem', 'rb')"]
    return subprocess.run(attempt, stderr=subprocess.DEVNULL).returncode == 0
