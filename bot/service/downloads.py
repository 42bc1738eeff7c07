"""Files onto our disk as they arrive: never whole in memory, never more than announced, never half a file."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from core.errors import Refusal, is_disk_full

log = logging.getLogger(__name__)

TRIES = 3
RETRY_S = 1.0


Read = Callable[[], AsyncGenerator[bytes, None]]
"""Begins to read a file, in pieces, from its start. It may raise TransferLost, or what aiohttp raises, which is tried again, and
UserError."""


@dataclass(frozen=True)
class Kept:
    """A file of ours: its SHA-256 in hexadecimal, its size in bytes."""

    path: Path
    digest: str
    size: int


class TransferLost(Exception):  # noqa: N818 - internal: worth another try
    """The transfer broke off."""


async def keep(read: Read, announced: int, folder: Path, *, limit: int) -> Kept:
    """Store a file of so many bytes in `folder` under a name of our own; it is on disk when this returns.

    The file appears when it is complete, as long as announced and at most `limit` bytes. Raises UserError.
    """
    for number in range(TRIES):
        try:
            return await _keep(read, announced, folder, limit)
        except (TransferLost, aiohttp.ClientError, TimeoutError) as error:
            log.warning("an attachment broke off (try %d of %d): %r", number + 1, TRIES, error)
            if number + 1 < TRIES:
                await asyncio.sleep(RETRY_S * (1 + number))
        except OSError as error:
            if is_disk_full(error):
                log.error("the disk is full: an upload was refused")
                raise Refusal("no-room-for-file") from error
            raise
    raise Refusal("not-handed-over")


async def _keep(read: Read, announced: int, folder: Path, limit: int) -> Kept:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    path = folder / uuid.uuid4().hex
    part = path.with_suffix(".part")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("xb") as file:
            async with contextlib.aclosing(read()) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > min(limit, announced):
                        raise Refusal("larger-than-announced")
                    await asyncio.to_thread(_add, file.fileno(), chunk)
                    digest.update(chunk)
            if size != announced:
                raise TransferLost(f"{size} of {announced} bytes")
            await asyncio.to_thread(_settle, file.fileno(), part, path)
    finally:
        part.unlink(missing_ok=True)
    return Kept(path, digest.hexdigest(), size)


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
