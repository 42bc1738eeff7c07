"""What only Discord can tell the doctor: whether it knows the token, what the bot may do where, and what time it is."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

from core.settings import Settings

TIMEOUT_S = 10.0
CLOCK_S = 5.0
"""Discord's own resolution is a second, and the answer takes a while."""

SHAPE = re.compile(r"[\w-]{18,}\.[\w-]{5,}\.[\w-]{20,}")

NEEDED = {1 << 10: "View Channels", 1 << 11: "Send Messages", 1 << 15: "Attach Files"}
ADMINISTRATOR = 1 << 3

Answer = tuple[str, bool, str]
"""Name, whether it is as it should be, and a sentence."""


async def ask(settings: Settings, token: str) -> list[Answer]:
    """Findings about token, clock and permissions; without a network, one that says so."""
    import aiohttp

    if not token:
        return [("token", False, "set DISCORD_TOKEN before `moodstem run`")]
    if not SHAPE.fullmatch(token):
        return [
            (
                "token",
                False,
                "DISCORD_TOKEN is no bot token: copy it anew (developer portal, Bot, Reset Token)",
            )
        ]
    port = settings.discord.loopback
    base = f"http://127.0.0.1:{port}/api/v10" if port else "https://discord.com/api/v10"
    headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (moodstem doctor, 0.1)"}
    try:
        async with aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as http:
            async with http.get(f"{base}/users/@me") as response:
                status, date = response.status, response.headers.get("Date")
                me = await response.json(content_type=None) if status == 200 else {}
            guilds: list[dict[str, Any]] = []
            if status == 200:
                async with http.get(f"{base}/users/@me/guilds") as response:
                    guilds = await response.json(content_type=None) if response.status == 200 else []
    except (aiohttp.ClientError, TimeoutError) as error:
        return [("Discord", False, f"cannot be reached ({type(error).__name__}): check the network")]
    if status == 401:
        return [
            ("token", False, "Discord does not know it: copy it anew (developer portal, Bot, Reset Token)")
        ]
    if status != 200:
        return [("Discord", False, f"answers {status}: try again in a few minutes")]
    return [
        ("token", True, f"good for the bot {me.get('username')}"),
        *([_time(date)] if date else []),
        _permissions(guilds),
    ]


def _time(date: str) -> Answer:
    off = time.time() - parsedate_to_datetime(date).timestamp()
    if abs(off) <= CLOCK_S:
        return "time", True, "this machine's clock agrees with Discord's"
    return (
        "time",
        False,
        f"this machine's clock is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}: switch on NTP",
    )


def _permissions(guilds: list[dict[str, Any]]) -> Answer:
    if not guilds:
        return (
            "servers",
            False,
            "in none yet: invite it (developer portal, OAuth2: bot, applications.commands)",
        )
    lacking = []
    for guild in guilds:
        has = int(guild.get("permissions", 0))
        missing = [name for bit, name in NEEDED.items() if not has & (bit | ADMINISTRATOR)]
        if missing:
            lacking.append(f"{guild.get('name')}: {', '.join(missing)}")
    if lacking:
        return "servers", False, f"of {len(guilds)}, give my role more in {'; '.join(lacking[:5])}"
    return "servers", True, f"{len(guilds)}, with all permissions that are needed"
