"""`moodstem run` over real sockets: login, command sync, READY, an interaction, SIGTERM.

SimCord replaces discord.py's sockets; here a minimal stand-in for Discord on loopback meets the real ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

APPLICATION, GUILD, CHANNEL, USER = "100", "200", "300", "400"
TOKEN = "MTAw.fake.token"


class Discord:
    """As much of Discord as a bot needs to start and to answer one command."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.syncs = 0
        self.identified: dict[str, Any] = {}
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.ready = asyncio.Event()
        self.socket: web.WebSocketResponse | None = None

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/gateway/", self.gateway)
        app.router.add_get("/gateway", self.gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self.rest)
        return app

    async def rest(self, request: web.Request) -> web.Response:
        route = f"{request.method} {request.match_info['path']}"
        match route:
            case "GET users/@me":
                if request.headers.get("Authorization") != f"Bot {TOKEN}":
                    return reply({"message": "401: Unauthorized", "code": 0}, 401)
                return reply(
                    {
                        "id": APPLICATION,
                        "username": "moodstem",
                        "discriminator": "0",
                        "avatar": None,
                        "bot": True,
                    }
                )
            case "GET oauth2/applications/@me":
                return reply(
                    {"id": APPLICATION, "name": "moodstem", "description": "", "bot_public": False, "icon": None,
                     "bot_require_code_grant": False, "verify_key": "", "flags": 0, "owner": {"id": USER, "username": "o", "discriminator": "0", "avatar": None}, "team": None}
                )  # fmt: skip
            case "GET applications/100/commands":
                return reply(self.commands)
            case "PUT applications/100/commands":
                self.syncs += 1
                sent = await request.json()
                self.commands = [
                    {**command, "id": str(500 + place), "application_id": APPLICATION, "version": "1"}
                    for place, command in enumerate(sent)
                ]
                return reply(self.commands)
            case _ if route.startswith("POST interactions/"):
                self.answers.put_nowait(await request.json())
                return reply({"interaction": {"id": "9", "type": 2}})
            case _:
                return reply({"message": f"unknown route {route}", "code": 0}, 404)

    async def gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = self.socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 30000}, "s": None, "t": None})
        async for message in socket:
            data = json.loads(message.data)
            if data["op"] == 1:
                await socket.send_json({"op": 11, "d": None, "s": None, "t": None})
            elif data["op"] == 2:
                self.identified = data["d"]
                await self.dispatch("READY", 1, {
                    "v": 10, "user": {"id": APPLICATION, "username": "moodstem", "discriminator": "0", "avatar": None},
                    "guilds": [], "session_id": "s", "resume_gateway_url": "ws://127.0.0.1",
                    "application": {"id": APPLICATION, "flags": 0},
                })  # fmt: skip
                self.ready.set()
        return socket

    async def dispatch(self, event: str, number: int, data: dict[str, Any]) -> None:
        assert self.socket is not None
        await self.socket.send_json({"op": 0, "t": event, "s": number, "d": data})

    async def slash(self, name: str) -> None:
        """Somebody types a command in a direct message."""
        command = next(one for one in self.commands if one["name"] == name)
        now = int(time.time() * 1000) - 1420070400000
        await self.dispatch("INTERACTION_CREATE", 2, {
            "id": str(now << 22), "application_id": APPLICATION, "type": 2, "token": "t", "version": 1,
            "channel_id": CHANNEL, "channel": {"id": CHANNEL, "type": 1, "recipients": [], "flags": 0},
            "user": {"id": USER, "username": "alice", "discriminator": "0", "avatar": None},
            "locale": "en-US", "app_permissions": "0", "entitlements": [], "authorizing_integration_owners": {},
            "context": 1, "attachment_size_limit": 10485760,
            "data": {"id": command["id"], "name": name, "type": 1, "options": []},
        })  # fmt: skip


def reply(document: Any, status: int = 200) -> web.Response:
    # discord.py reads JSON only from exactly this content type, without a charset.
    return web.Response(
        body=json.dumps(document), status=status, headers={"Content-Type": "application/json"}
    )


@pytest.fixture
async def discord() -> AsyncIterator[tuple[Discord, int]]:
    stand_in = Discord()
    runner = web.AppRunner(stand_in.application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield stand_in, runner.addresses[0][1]
    await runner.cleanup()


async def start(port: int, folder: Path, token: str = TOKEN) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "DISCORD_TOKEN": token,
        "MOODSTEM_DATA": str(folder / "data"),
        "MOODSTEM_DISCORD__LOOPBACK": str(port),
        "MOODSTEM_JOBS__SEPARATOR": "none",
    }
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("moodstem")), "run", cwd=folder, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def stop(process: asyncio.subprocess.Process) -> str:
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0 and b"Traceback" not in errors, errors.decode()
    return errors.decode()


async def test_it_logs_in_syncs_answers_and_stops(discord: tuple[Discord, int], tmp_path: Path) -> None:
    stand_in, port = discord
    process = await start(port, tmp_path)
    await asyncio.wait_for(stand_in.ready.wait(), 60)
    assert stand_in.identified["intents"] == 1, "servers only: no messages, members or presences"
    names = {command["name"] for command in stand_in.commands}
    assert {"mood", "recommend", "upload", "reindex", "privacy"} <= names
    await stand_in.slash("mood")
    answer = await asyncio.wait_for(stand_in.answers.get(), 20)
    assert answer["type"] == 4 and answer["data"]["flags"] == 64 + 32768  # ephemeral, Components V2
    assert "Question 1 of" in json.dumps(answer["data"]["components"])
    assert TOKEN not in await stop(process)

    stand_in.ready.clear()
    process = await start(port, tmp_path)
    await asyncio.wait_for(stand_in.ready.wait(), 60)
    await stop(process)
    assert stand_in.syncs == 1, "unchanged commands are not sent again"


async def test_a_wrong_token_is_one_clear_line(discord: tuple[Discord, int], tmp_path: Path) -> None:
    process = await start(discord[1], tmp_path, token="wrong")
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert errors.decode().strip().splitlines()[-1].startswith("Error: Discord does not know this token")
    assert b"Traceback" not in errors


async def test_no_network_is_one_clear_line(tmp_path: Path, unused_tcp_port: int) -> None:
    process = await start(unused_tcp_port, tmp_path)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and b"Discord cannot be reached" in errors and b"Traceback" not in errors
