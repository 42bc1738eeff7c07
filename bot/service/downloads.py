"""Attachments onto our disk as they arrive: never whole in memory, never more than announced, never half a file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import discord
from discord.http import HTTPClient

from bot.i18n import mark, tr
from core.errors import UserError, is_disk_full

log = logging.getLogger(__name__)

CHUNK = 1 << 18
TRIES = 3
RETRY_S = 1.0
PATIENCE = aiohttp.ClientTimeout(total=600, sock_connect=15, sock_read=30)

NOT_HANDED_OVER = mark("Discord did not hand me that file; please upload it again.")
NO_ROOM = mark(
    "There is no room left on my disk for that file; please try again later, or tell whoever runs me."
)


@dataclass(frozen=True)
class Kept:
    """A file of ours: its SHA-256 in hexadecimal, its size in bytes."""

    path: Path
    digest: str
    size: int


class Lost(Exception):  # noqa: N818 - internal: worth another try
    """The transfer broke off."""


async def keep(attachment: discord.Attachment, folder: Path, http: HTTPClient, *, limit: int) -> Kept:
    """Store the attachment in `folder` under a name of our own; it is on disk when this returns.

    The file appears when it is complete, as long as Discord said and at most `limit` bytes. Raises UserError.
    """
    for number in range(TRIES):
        try:
            return await _keep(attachment, folder, http, limit)
        except (Lost, aiohttp.ClientError, TimeoutError) as error:
            log.warning("an attachment broke off (try %d of %d): %r", number + 1, TRIES, error)
            if number + 1 < TRIES:
                await asyncio.sleep(RETRY_S * (1 + number))
        except discord.HTTPException as error:
            raise UserError(tr(NOT_HANDED_OVER)) from error
        except OSError as error:
            if is_disk_full(error):
                log.error("the disk is full: an upload was refused")
                raise UserError(tr(NO_ROOM)) from error
            raise
    raise UserError(tr(NOT_HANDED_OVER))


async def _keep(attachment: discord.Attachment, folder: Path, http: HTTPClient, limit: int) -> Kept:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    path = folder / uuid.uuid4().hex
    part = path.with_suffix(".part")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("xb") as file:
            async with contextlib.aclosing(_chunks(attachment, http)) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > min(limit, attachment.size):
                        raise UserError(
                            tr("That file is larger than Discord announced; please upload it again.")
                        )
                    await asyncio.to_thread(_add, file.fileno(), chunk)
                    digest.update(chunk)
            if size != attachment.size:
                raise Lost(f"{size} of {attachment.size} bytes")
            await asyncio.to_thread(_settle, file.fileno(), part, path)
    finally:
        part.unlink(missing_ok=True)
    return Kept(path, digest.hexdigest(), size)


async def _chunks(attachment: discord.Attachment, http: HTTPClient) -> AsyncGenerator[bytes, None]:
    """The content in pieces. discord.py itself only reads it whole."""
    if type(http).get_from_cdn is not HTTPClient.get_from_cdn:
        # A stand-in for Discord inside this process: its files have no address, and are in memory already.
        data = await attachment.read()
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]
        return
    async with (
        aiohttp.ClientSession(timeout=PATIENCE) as session,
        session.get(attachment.url, proxy=http.proxy, proxy_auth=http.proxy_auth) as response,
    ):
        if response.status >= 500 or response.status == 429:
            raise Lost(f"status {response.status}")
        if response.status != 200:
            log.warning("Discord's CDN answered %d for an attachment", response.status)
            raise UserError(tr(NOT_HANDED_OVER))
        async for chunk in response.content.iter_chunked(CHUNK):
            yield chunk


def _add(file: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]


def _settle(file: int, part: Path, path: Path) -> None:
    """Durable before it is confirmed."""
    os.fsync(file)
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
