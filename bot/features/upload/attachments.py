"""Attachments of messages and commands, read in pieces: discord.py itself only reads them whole."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import aiohttp
import discord
from discord.http import HTTPClient

from bot.service.downloads import TransferLost
from core.errors import Refusal

log = logging.getLogger(__name__)

CHUNK = 1 << 18
PATIENCE = aiohttp.ClientTimeout(total=600, sock_connect=15, sock_read=30)


async def pieces(attachment: discord.Attachment, http: HTTPClient) -> AsyncGenerator[bytes, None]:
    """Yield the attachment's content. Raises TransferLost where another try may help, else UserError."""
    if type(http).get_from_cdn is not HTTPClient.get_from_cdn:
        # A stand-in for Discord inside this process: its files have no address, and are in memory already.
        try:
            data = await attachment.read()
        except discord.HTTPException as error:
            raise Refusal("not-handed-over") from error
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]
        return
    async with (
        aiohttp.ClientSession(timeout=PATIENCE) as session,
        session.get(attachment.url, proxy=http.proxy, proxy_auth=http.proxy_auth) as response,
    ):
        if response.status >= 500 or response.status == 429:
            raise TransferLost(f"status {response.status}")
        if response.status != 200:
            log.warning("Discord's CDN answered %d for an attachment", response.status)
            raise Refusal("not-handed-over")
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk
