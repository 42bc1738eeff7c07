"""What goes between the stand-in for Discord and the bot: documents, and how they are read and written."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from aiohttp import web

APPLICATION, BOT, GUILD, CHANNEL, OWNER = 100, 150, 200, 300, 400


def reply(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # discord.py reads JSON only from exactly this content type, without a charset.
    return web.Response(
        body=json.dumps(document),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON of a request, also of one with files."""
    if request.content_type != "multipart/form-data":
        found: dict[str, Any] = await request.json() if request.can_read_body else {}
        return found
    form = await request.post()
    found = json.loads(str(form["payload_json"]))
    if "data" in found:
        found["data"]["attachments"] = attachments(form, found["data"])
    else:
        found["attachments"] = attachments(form, found)
    return found


def attachments(form: Any, _body: dict[str, Any]) -> list[dict[str, Any]]:
    """Uploaded files as a message lists them."""
    files = [value for name, value in form.items() if re.fullmatch(r"files\[\d+\]", name)]
    return [
        {"id": str(place + 1), "filename": file.filename, "size": len(file.file.read()), "url": "http://127.0.0.1/",
         "proxy_url": "http://127.0.0.1/"}
        for place, file in enumerate(files)
    ]  # fmt: skip


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """What a member sees of a message's body."""
    return {
        key: body[key]
        for key in ("content", "components", "flags", "attachments")
        if body.get(key) is not None
    }


def signature(name: str, until: str) -> str:
    """What Discord signs the address of an attachment with; this one only has to be the same again."""
    return hashlib.sha256(f"{name}:{until}:of the stand-in".encode()).hexdigest()


def user(number: int, name: str, bot: bool = False) -> dict[str, Any]:
    return {"id": str(number), "username": name, "discriminator": "0", "avatar": None, "bot": bot}


def application() -> dict[str, Any]:
    return {
        "id": str(APPLICATION), "name": "moodstem", "description": "", "bot_public": False, "icon": None, "flags": 0,
        "bot_require_code_grant": False, "verify_key": "", "owner": user(OWNER, "owner"), "team": None,
    }  # fmt: skip
