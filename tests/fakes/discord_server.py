"""A minimal Discord on loopback: for tests of the real sockets and for measuring, never for members.

It speaks as much of the REST API and the gateway as the bot uses: login, command sync, READY, interactions with
attachments, answers, follow-ups, messages, resume; and it misbehaves on request (`faults`). What SimCord simulates
inside the process, this does over HTTP and a WebSocket, so that discord.py's own transports are part of what is seen.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes import discord_wire as wire
from tests.fakes.discord_wire import APPLICATION, BOT, CHANNEL, GUILD, OWNER

TOKEN = "MTAwMTAwMTAwMTAwMTAwMTAw.GstaNd.in-for-discord-on-loopback-only"
EVERYTHING = str((1 << 53) - 1)
DISCORD_EPOCH_MS = 1_420_070_400_000


@dataclass
class Fault:
    """The next `times` requests that fit get this answer; `path` is a pattern such as 'channels/*/messages'."""

    method: str
    path: str
    status: int
    body: dict[str, Any] = field(default_factory=lambda: {"message": "a fault on purpose", "code": 0})
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass
class Asked:
    """One interaction and what the bot answered. Times are perf_counter seconds."""

    id: int
    token: str
    payload: dict[str, Any]
    delivered: float = 0.0
    acknowledged: asyncio.Future[float] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    callback: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    followups: list[dict[str, Any]] = field(default_factory=list)
    edited: asyncio.Event = field(default_factory=asyncio.Event)


class StandIn:
    """One stand-in server. `requests` lists (method, path, status) of everything that the bot asked for.

    `place` tells stand-ins apart that show processes their share of one Discord: the n-th has the server of the n-th
    connection, and ids of its own.
    """

    def __init__(self, token: str = TOKEN, place: int = 0) -> None:
        self.token = token
        self.guild = GUILD + (place << 22)
        self.channel = CHANNEL + place
        self.port = 0
        self.commands: list[dict[str, Any]] = []
        self.syncs = 0
        self.shards = 1
        self.permissions = EVERYTHING
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, int]] = []
        self.identified: list[dict[str, Any]] = []
        self.resumed: list[dict[str, Any]] = []
        self.ready = asyncio.Event()
        self.asked: dict[str, Asked] = {}
        self.messages: dict[int, dict[str, Any]] = {}
        self.changed = asyncio.Condition()
        self.files: dict[str, bytes] = {}
        self._events: list[dict[str, Any]] = []
        self._socket: web.WebSocketResponse | None = None
        self._deflate: Any = None
        self._transport: Any = None
        self._number = place * 1_000_000
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listens on loopback, on any free port for 0; `port` says which."""
        app = web.Application(client_max_size=30_000_000)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_get("/gateway/", self._gateway)
        app.router.add_get("/attachments/{name}", self._attachment)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    # -- what members do ----------------------------------------------------------------------------------

    async def slash(self, name: str, user: int = 1, **options: Any) -> Asked:
        """A member types a command in the server; bytes are an attachment, a dict the options of a subcommand."""
        command = next(one for one in self.commands if one["name"] == name)
        resolved: dict[str, Any] = {}
        data = {
            "id": command["id"], "name": name, "type": 1,
            "options": [self._option(option, value, resolved) for option, value in options.items()],
        }  # fmt: skip
        return await self.interact(2, {**data, "resolved": resolved}, user)

    async def press(self, message: dict[str, Any], custom_id: str, user: int = 1) -> Asked:
        """A member presses a button of a message."""
        return await self.interact(3, {"custom_id": custom_id, "component_type": 2}, user, message=message)

    async def interact(
        self,
        kind: int,
        data: dict[str, Any],
        user: int,
        message: dict[str, Any] | None = None,
        times: int = 1,
    ) -> Asked:
        """Deliver an interaction of this type, `times` times."""
        made = self.prepare(kind, data, user, message)
        for _ in range(times):
            await self.deliver(made)
        return made

    def prepare(
        self, kind: int, data: dict[str, Any], user: int, message: dict[str, Any] | None = None
    ) -> Asked:
        """An interaction that is not yet delivered: `kind` and `data` as Discord sends them, `user` in the one channel."""
        number = self.snowflake()
        made = Asked(number, f"aW50ZXJhY3Rpb246{number}", {})
        made.payload = {
            "id": str(number), "application_id": str(APPLICATION), "type": kind, "token": made.token, "version": 1,
            "guild_id": str(self.guild), "channel_id": str(self.channel), "channel": self._channel(),
            "member": {
                "user": wire.user(user, f"member{user}"), "roles": [], "joined_at": "2026-01-01T00:00:00+00:00",
                "deaf": False, "mute": False, "flags": 0, "permissions": "2147483648",
            },
            "locale": "en-US", "guild_locale": "en-US", "app_permissions": EVERYTHING, "entitlements": [],
            "authorizing_integration_owners": {}, "context": 0, "attachment_size_limit": 10_485_760, "data": data,
            **({"message": message} if message else {}),
        }  # fmt: skip
        self.asked[made.token] = made
        return made

    async def deliver(self, asked: Asked) -> None:
        """Sends it to the bot; the clock of the answer starts here."""
        asked.delivered = time.perf_counter()
        await self.dispatch("INTERACTION_CREATE", asked.payload)

    def attach(self, name: str, data: bytes, lifetime_s: float = 3600) -> dict[str, Any]:
        """An attachment as Discord describes it, its address signed and good for so long."""
        number = self.snowflake()
        self.files[f"{number}"] = data
        until = f"{int(time.time() + lifetime_s):x}"
        address = f"http://127.0.0.1:{self.port}/attachments/{number}"
        return {
            "id": str(number), "filename": name, "size": len(data), "content_type": "audio/ogg",
            "url": f"{address}?ex={until}&is=1&hm={wire.signature(str(number), until)}", "proxy_url": address,
        }  # fmt: skip

    def _option(self, name: str, value: Any, resolved: dict[str, Any]) -> dict[str, Any]:
        if isinstance(value, dict) and "url" in value:
            resolved.setdefault("attachments", {})[value["id"]] = value
            return {"name": name, "type": 11, "value": value["id"]}
        if isinstance(value, dict):
            return {
                "name": name,
                "type": 1,
                "options": [self._option(*item, resolved) for item in value.items()],
            }
        kind = 5 if isinstance(value, bool) else 4 if isinstance(value, int) else 3
        return {"name": name, "type": kind, "value": value}

    # -- the gateway --------------------------------------------------------------------------------------

    async def dispatch(self, event: str, data: dict[str, Any]) -> None:
        """An event to the bot; it is kept, to be sent again after a resume."""
        self._events.append({"op": 0, "t": event, "s": len(self._events) + 1, "d": data})
        await self._send(self._events[-1])

    async def demand_reconnect(self) -> None:
        """What Discord does every few hours: reconnect, please (op 7)."""
        await self._send({"op": 7, "d": None, "s": None, "t": None})

    async def forget_session(self) -> None:
        """Invalid session, not to be resumed (op 9)."""
        await self._send({"op": 9, "d": False, "s": None, "t": None})

    def cut(self) -> None:
        """The connection breaks without a word."""
        if self._transport is not None:
            self._transport.abort()
            self._socket = self._transport = None

    async def hang_up(self, code: int) -> None:
        """Closes the gateway with Discord's close code, as a lost connection would."""
        if self._socket is not None:
            await self._socket.close(code=code)

    async def _send(self, payload: dict[str, Any]) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            return  # sent again after the resume
        text = json.dumps(payload).encode()
        if self._deflate is not None:
            await socket.send_bytes(self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        else:
            await socket.send_str(text.decode())

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._socket, self._transport = socket, request.transport
        self._deflate = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        await self._send({"op": 10, "d": {"heartbeat_interval": 20_000}, "s": None, "t": None})
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            await self._heard(json.loads(message.data))
        return socket

    async def _heard(self, said: dict[str, Any]) -> None:
        match said["op"]:
            case 1:
                # Nobody is nearer to Discord: discord.py notes the time of its heartbeat after having sent it.
                await asyncio.sleep(0.02)
                await self._send({"op": 11, "d": None, "s": None, "t": None})
            case 2 if said["d"]["token"] != self.token:
                await self.hang_up(4004)
            case 2:
                self.identified.append(said["d"])
                self._events.clear()
                await self.dispatch("READY", {
                    "v": 10, "user": wire.user(BOT, "moodstem", bot=True), "session_id": "a-session",
                    "resume_gateway_url": f"ws://127.0.0.1:{self.port}/gateway",
                    "guilds": [{"id": str(self.guild), "unavailable": True}],
                    "application": {"id": str(APPLICATION), "flags": 0}, "shard": said["d"].get("shard", [0, 1]),
                })  # fmt: skip
                await self.dispatch("GUILD_CREATE", self.guild_data())
                self.ready.set()
            case 6:
                self.resumed.append(said["d"])
                for event in self._events[said["d"]["seq"] :]:
                    await self._send(event)
                await self.dispatch("RESUMED", {})

    # -- the REST API -------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        answer = self._fault(request.method, path) or await self._answer(request, path)
        self.requests.append((request.method, path, answer.status))
        async with self.changed:
            self.changed.notify_all()
        return answer

    def _fault(self, method: str, path: str) -> web.Response | None:
        for fault in self.faults:
            if fault.times > 0 and fault.method in ("*", method) and fnmatch.fnmatch(path, fault.path):
                fault.times -= 1
                return wire.reply(fault.body, fault.status, fault.headers)
        return None

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        if not path.startswith(("interactions/", "webhooks/")) and (
            request.headers.get("Authorization") != f"Bot {self.token}"
        ):
            return wire.reply({"message": "401: Unauthorized", "code": 0}, 401)
        match request.method, path.split("/"):
            case "GET", ["users", "@me"]:
                return wire.reply(wire.user(BOT, "moodstem", bot=True))
            case "GET", ["users", "@me", "guilds"]:
                return wire.reply(
                    [{"id": str(self.guild), "name": "Moodstem", "permissions": self.permissions}]
                )
            case "GET", ["oauth2", "applications", "@me"]:
                return wire.reply(wire.application())
            case "GET", ["gateway", "bot"]:
                limit = {"total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1}
                address = f"ws://127.0.0.1:{self.port}/gateway"
                return wire.reply({"url": address, "shards": self.shards, "session_start_limit": limit})
            case "GET", ["applications", _, "commands"]:
                return wire.reply(self.commands)
            case "PUT", ["applications", _, "commands"]:
                self.syncs += 1
                self.commands = [
                    {
                        "description": "",
                        **command,
                        "id": str(500 + place),
                        "application_id": str(APPLICATION),
                        "version": "1",
                    }
                    for place, command in enumerate(await request.json())
                ]
                return wire.reply(self.commands)
            case "POST", ["interactions", _, token, "callback"]:
                return await self._callback(self.asked[token], await wire.body(request))
            case "POST", ["webhooks", _, token]:
                asked = self.asked[token]
                asked.followups.append(self._message(await wire.body(request)))
                return wire.reply(asked.followups[-1])
            case "PATCH", ["webhooks", _, token, "messages", _]:
                asked = self.asked[token]
                assert asked.message is not None, "the bot edits an answer that it never gave"
                asked.message.update(wire.shown(await wire.body(request)))
                asked.edited.set()
                return wire.reply(asked.message)
            case "POST", ["channels", _, "messages"]:
                return wire.reply(self._message(await wire.body(request)))
            case "PATCH", ["channels", _, "messages", number] if int(number) not in self.messages:
                return wire.reply({"message": "Unknown Message", "code": 10008}, 404)
            case "PATCH", ["channels", _, "messages", number]:
                self.messages[int(number)].update(wire.shown(await wire.body(request)))
                return wire.reply(self.messages[int(number)])
            case "POST", ["users", "@me", "channels"]:
                return wire.reply(
                    {
                        "id": str(self.channel + 1000),
                        "type": 1,
                        "recipients": [wire.user(1, "member1")],
                        "flags": 0,
                    }
                )
            case _:
                return wire.reply({"message": f"the stand-in has no {request.method} {path}", "code": 0}, 404)

    async def _callback(self, asked: Asked, body: dict[str, Any]) -> web.Response:
        if asked.callback is not None:
            return wire.reply({"message": "Interaction has already been acknowledged.", "code": 40060}, 400)
        asked.callback = body
        asked.acknowledged.set_result(time.perf_counter())
        answer: dict[str, Any] = {"interaction": {"id": str(asked.id), "type": asked.payload["type"]}}
        if body["type"] in (6, 7):  # changes the message whose button was pressed
            asked.message = asked.payload["message"]
            asked.message.update(wire.shown(body.get("data") or {}))
        elif body["type"] in (4, 5):
            asked.message = self._message(body.get("data") or {})
        if body["type"] in (4, 7):
            answer["resource"] = {"type": body["type"], "message": asked.message}
        return wire.reply(answer)

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        number = self.snowflake()
        self.messages[number] = {
            "id": str(number), "channel_id": str(self.channel), "author": wire.user(BOT, "moodstem", bot=True),
            "content": "", "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False,
            "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
            "pinned": False, "type": 0, "components": [], "flags": 0, **wire.shown(body),
        }  # fmt: skip
        return self.messages[number]

    async def _attachment(self, request: web.Request) -> web.Response:
        name, until = request.match_info["name"], request.query.get("ex", "0")
        fresh = int(until, 16) > time.time() and request.query.get("hm") == wire.signature(name, until)
        if not fresh or name not in self.files:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=self.files[name])

    def _channel(self) -> dict[str, Any]:
        return {
            "id": str(self.channel), "type": 0, "name": "music", "guild_id": str(self.guild), "position": 0, "flags": 0,
            "permission_overwrites": [], "permissions": EVERYTHING,
        }  # fmt: skip

    def guild_data(self) -> dict[str, Any]:
        return {
            "id": str(self.guild), "name": "Moodstem", "owner_id": str(OWNER), "roles": [
                {"id": str(self.guild), "name": "@everyone", "permissions": EVERYTHING, "position": 0, "color": 0, "colors":
                 {"primary_color": 0, "secondary_color": None, "tertiary_color": None}, "hoist": False, "managed": False,
                 "mentionable": False, "flags": 0},
            ],
            "channels": [self._channel()], "members": [], "threads": [], "emojis": [], "stickers": [], "features": [],
            "member_count": 1, "premium_tier": 0, "verification_level": 0, "nsfw_level": 0, "preferred_locale": "en-US",
            "mfa_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0, "system_channel_flags": 0,
            "presences": [], "voice_states": [], "stage_instances": [], "guild_scheduled_events": [], "unavailable": False,
            "afk_timeout": 300, "premium_progress_bar_enabled": False,
        }  # fmt: skip

    def snowflake(self) -> int:
        """An id as Discord makes them, from the time; no two are equal."""
        self._number += 1
        return ((int(time.time() * 1000) - DISCORD_EPOCH_MS) << 22) + self._number
