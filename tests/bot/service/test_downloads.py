"""Attachments over a real socket: in pieces, capped, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import discord
import pytest
from aiohttp import web
from discord.http import HTTPClient

from bot.features.upload.attachments import pieces
from bot.service import downloads
from bot.service.downloads import Kept, keep
from tests.conftest import fill_up
from tests.refusals import refusal

MB = 1_000_000
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fetch = Callable[..., Awaitable[Kept]]


@pytest.fixture
async def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetch]:
    """`await fetch(answer, announced=...)`: the file server answers so, the attachment announces so many bytes."""
    monkeypatch.setattr(downloads, "RETRY_S", 0.0)
    answers: list[Respond] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)

    app = web.Application()
    app.router.add_get("/song.mp3", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def run(*given: Respond, announced: int, limit: int = 50 * MB, folder: Path | None = None) -> Kept:
        answers[:] = given
        data: Any = {
            "id": 1,
            "filename": "song.mp3",
            "size": announced,
            "url": f"http://127.0.0.1:{port}/song.mp3?ex=1&is=2&hm=3",
            "proxy_url": "",
        }
        http = HTTPClient(asyncio.get_running_loop())
        attachment = discord.Attachment(data=data, state=type("State", (), {"http": http})())
        read = partial(pieces, attachment, http)
        return await keep(read, announced, folder or tmp_path / "uploads", limit=limit)

    yield run
    await runner.cleanup()


def sends(data: bytes) -> Respond:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data)

    return answer


def fails(status: int) -> Respond:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return answer


def breaks_off(data: bytes, announced: int) -> Respond:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(announced)})
        await response.prepare(request)
        await response.write(data)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def kept_files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "uploads"
    return sorted(folder.iterdir()) if folder.is_dir() else []


async def test_the_file_arrives_whole(fetch: Fetch, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    kept = await fetch(sends(data), announced=len(data))
    assert kept_files(tmp_path) == [kept.path]
    assert kept.path.read_bytes() == data
    assert (kept.digest, kept.size) == (hashlib.sha256(data).hexdigest(), len(data))


async def test_a_large_file_is_never_whole_in_memory(fetch: Fetch, tmp_path: Path) -> None:
    size, piece = 32 * MB, bytes(MB)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(size)})
        await response.prepare(request)
        for _ in range(size // MB):
            await response.write(piece)
        return response

    tracemalloc.start()
    try:
        kept = await fetch(answer, announced=size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept.path.stat().st_size == size
    assert peak < 8 * MB, f"{peak / MB:.1f} MB at once, the server's side included"


@pytest.mark.parametrize(
    ("announced", "limit"), [(1000, 50 * MB), (5000, 3000)], ids=["more than announced", "more than allowed"]
)
async def test_too_much_is_cut_off(fetch: Fetch, tmp_path: Path, announced: int, limit: int) -> None:
    with refusal("larger than"):
        await fetch(sends(bytes(5000)), announced=announced, limit=limit)
    assert kept_files(tmp_path) == []


async def test_a_transfer_that_breaks_off_is_tried_again(fetch: Fetch, tmp_path: Path) -> None:
    data = b"music" * 1000
    kept = await fetch(breaks_off(data[:100], len(data)), fails(503), sends(data), announced=len(data))
    assert kept.path.read_bytes() == data
    assert kept_files(tmp_path) == [kept.path]


@pytest.mark.parametrize("answer", [fails(403), fails(404), fails(500), sends(b"half"), breaks_off(b"x", 9)])
async def test_what_never_comes_is_one_sentence_and_no_file(
    fetch: Fetch, tmp_path: Path, answer: Respond
) -> None:
    with refusal(r"did not hand me that file; please upload it again\.$"):
        await fetch(answer, announced=8)
    assert kept_files(tmp_path) == []


async def test_an_upload_that_is_cancelled_leaves_nothing(fetch: Fetch, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(bytes(1000))
        begun.set()
        await asyncio.Event().wait()
        return response

    task = asyncio.create_task(fetch(answer, announced=5000))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept_files(tmp_path) == []


async def test_a_full_disk_is_one_sentence_and_no_file(fetch: Fetch, small_disk: Path) -> None:
    folder = small_disk / "uploads"
    folder.mkdir()
    ballast = fill_up(small_disk, spare=MB)
    with refusal("no room left on my disk"):
        await fetch(sends(bytes(2 * MB)), announced=2 * MB, folder=folder)
    assert list(folder.iterdir()) == []
    ballast.unlink()
    assert (await fetch(sends(bytes(2 * MB)), announced=2 * MB, folder=folder)).size == 2 * MB
