"""The budget of the data folder: the oldest goes first, and nothing that is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.library.database import Database
from core.library.tracks import Library
from jobs.disk import FOLDERS, keep_within, usage
from jobs.queue import Queue
from tests.make import upsert_track

KB = 1024
HOUR = 3600.0

Make = Callable[[str, float], Path]


@pytest.fixture
def data(database: Database) -> Path:
    return database.path.parent


@pytest.fixture
def make(data: Path) -> Make:
    """Makes a file of 64 kB, so many hours old."""

    def file(name: str, hours: float) -> Path:
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(64 * KB))
        then = time.time() - hours * HOUR
        os.utime(path, (then, then))
        return path

    return file


async def test_the_oldest_goes_first_whatever_it_is(database: Database, data: Path, make: Make) -> None:
    files = [
        make(f"{folder}/{number}", 100 - 10 * number - place)
        for number in range(3)
        for place, folder in enumerate(("uploads", "pictures", "previews", "stems"))
    ]
    assert usage(data) == dict.fromkeys(FOLDERS[:4], 3 * 64 * KB) | {"backups": 0}
    removed = await keep_within(database, data, 7 * 64 * KB)
    assert sum(removed.values()) == 5 * 64 * KB
    assert [path.exists() for path in files] == [False] * 5 + [True] * 7
    assert await keep_within(database, data, 7 * 64 * KB) == {}


async def test_what_a_waiting_job_needs_stays(
    database: Database, data: Path, make: Make, queue: Queue
) -> None:
    waiting, running, ended = (make(f"uploads/{name}", 50) for name in ("waiting", "running", "ended"))
    track = make("uploads/again", 60)
    track_id = await upsert_track(
        Library(database), content_hash="h", path="uploads/again", origin="upload", title="t", duration_s=1
    )
    for name in ("running", "ended"):
        await queue.enqueue("analyse", {"path": name}, user_id=1)
    for _ in range(2):
        claimed = await queue.claim("me", 60)
        assert claimed is not None
        if claimed.spec["path"] == "ended":
            await queue.finish(claimed, {})
    await queue.enqueue("analyse", {"path": "waiting"}, user_id=1)
    await queue.enqueue("stems", {"track_id": track_id}, user_id=1)
    arriving, fresh = make("uploads/x.part", 0.01), make("previews/fresh.ogg", 0.01)
    removed = await keep_within(database, data, 0)
    assert removed == {"uploads": 64 * KB}
    assert not ended.exists()
    assert all(path.exists() for path in (waiting, running, track, arriving, fresh))


async def test_the_newest_backup_stays(database: Database, data: Path, make: Make) -> None:
    old, new = (make(f"backups/moodstem-2026112{day}-043000.db", 30 - day) for day in (0, 1))
    assert await keep_within(database, data, 0) == {"backups": 64 * KB}
    assert (old.exists(), new.exists()) == (False, True)


async def test_folders_of_stems_go_when_they_are_empty(database: Database, data: Path, make: Make) -> None:
    make("stems/abc/drums.flac", 9)
    stays = make("stems/xyz/drums.flac", 8)
    await keep_within(database, data, 64 * KB)
    assert [path.name for path in (data / "stems").iterdir()] == ["xyz"]
    assert stays.exists()


async def test_a_clock_that_jumped_back_protects_nothing_for_ever(
    database: Database, data: Path, make: Make
) -> None:
    ahead = make("previews/a.ogg", -48)
    assert await keep_within(database, data, 0) == {"previews": 64 * KB}
    assert not ahead.exists()
