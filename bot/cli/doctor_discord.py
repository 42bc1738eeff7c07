"""What only Discord can tell the doctor: whether it knows the token, what the bot may do where, and what time it is."""

from __future__ import annotations

import base64
import binascii
import re
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import discord

from bot.token import ANEW
from core.settings import Settings

TIMEOUT_S = 10.0
CLOCK_S = 5.0
"""Discord's own resolution is a second, and the answer takes a while."""

SHAPE = re.compile(r"[\w-]{18,}\.[\w-]{5,}\.[\w-]{20,}")

NEEDED = {1 << 10: "View Channels", 1 << 11: "Send Messages", 1 << 15: "Attach Files"}
"""Discord's bits of all that the bot does in channels; its answers to commands need none."""
ADMINISTRATOR = 1 << 3


@dataclass(frozen=True)
class Finding:
    """One line of the report: what is `needed` and not ok stops the bot."""

    name: str
    ok: bool
    text: str
    needed: bool = False


@dataclass(frozen=True)
class Seen:
    """What Discord says to a token; `problem` when it did not say that it is good."""

    problem: Finding | None = None
    me: dict[str, Any] = field(default_factory=dict)
    date: str | None = None
    guilds: list[dict[str, Any]] = field(default_factory=list)
    application_id: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether the token is at fault, and not the way to Discord."""
        return self.problem is not None and self.problem.name == "token"


async def look(settings: Settings, token: str) -> Seen:
    """Ask Discord who the token's bot is and where; what cannot be a token is sent nowhere."""
    if not SHAPE.fullmatch(token):
        return Seen(Finding("token", False, f"this is no bot token: {ANEW}", needed=True))
    port = settings.discord.loopback
    base = f"http://127.0.0.1:{port}/api/v10" if port else "https://discord.com/api/v10"
    headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (moodstem doctor, 0.1)"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
            async with http.get(f"{base}/users/@me") as response:
                status, date = response.status, response.headers.get("Date")
                me = await response.json(content_type=None) if status == 200 else {}

            async def more(path: str) -> Any:
                async with http.get(f"{base}/{path}") as response:
                    return await response.json(content_type=None) if response.status == 200 else None

            guilds = await more("users/@me/guilds") if status == 200 else None
            application = await more("oauth2/applications/@me") if status == 200 else None
    except (aiohttp.ClientError, TimeoutError) as error:
        return Seen(
            Finding("Discord", False, f"cannot be reached ({type(error).__name__}): check the network")
        )
    if status == 401:
        return Seen(Finding("token", False, f"Discord does not know it: {ANEW}", needed=True))
    if status != 200:
        return Seen(
            Finding("Discord", False, f"answers {status}: try again in a few minutes", needed=status < 429)
        )
    return Seen(None, me, date, guilds or [], (application or {}).get("id") or id_in(token))


async def ask(settings: Settings, token: str) -> list[Finding]:
    """Findings about token, clock and permissions; without a network, one that says so."""
    if not token:
        return [
            Finding(
                "token",
                False,
                "there is none: `moodstem setup` asks for it, or put it into DISCORD_TOKEN",
                needed=True,
            )
        ]
    seen = await look(settings, token)
    if seen.problem:
        return [seen.problem]
    return [
        Finding("token", True, f"good for the bot {seen.me.get('username')}"),
        *([_time(seen.date)] if seen.date else []),
        _permissions(seen.guilds, invite_link(seen.application_id)),
    ]


def invite_link(application_id: str | None) -> str:
    """The page on which somebody who manages a server lets the bot in, with just what it needs."""
    return discord.utils.oauth_url(
        application_id or "APPLICATION_ID",
        permissions=discord.Permissions(sum(NEEDED)),
        scopes=("bot", "applications.commands"),
    )


def id_in(token: str) -> str | None:
    """The bot's id, with which its token begins, in base64: its application's, too, but for old ones."""
    first = token.partition(".")[0]
    try:
        found = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return found if found.isdigit() else None


def _time(date: str) -> Finding:
    off = time.time() - parsedate_to_datetime(date).timestamp()
    if abs(off) <= CLOCK_S:
        return Finding("clock", True, "this machine's clock agrees with Discord's")
    return Finding(
        "clock",
        False,
        f"this machine's clock is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}: switch on NTP",
    )


def _permissions(guilds: list[dict[str, Any]], invitation: str) -> Finding:
    if not guilds:
        return Finding("servers", False, f"in none yet: invite it, {invitation}")
    lacking = []
    for guild in guilds:
        has = int(guild.get("permissions", 0))
        missing = [name for bit, name in NEEDED.items() if not has & (bit | ADMINISTRATOR)]
        if missing:
            lacking.append(f"{guild.get('name')}: {', '.join(missing)}")
    if lacking:
        return Finding("servers", False, f"of {len(guilds)}, give my role more in {'; '.join(lacking[:5])}")
    return Finding("servers", True, f"{len(guilds)}, with all permissions that are needed")
