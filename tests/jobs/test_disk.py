"""The budgets of the data folder: what belongs to nobody goes first, then the oldest of whoever holds most."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.library.database import Database
from core.library.tracks import Library, picture_name
from core.library.uploads import claim
from jobs.disk import FOLDERS, keep_within, usage
from jobs.kinds.stems import archive_name
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
    removed = await keep_within(database, data, 7 * 64 * KB, 0)
    assert sum(removed.values()) == 5 * 64 * KB
    assert [path.exists() for path in files] == [False] * 5 + [True] * 7
    assert await keep_within(database, data, 7 * 64 * KB, 0) == {}


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
    removed = await keep_within(database, data, 0, 0)
    assert removed == {"uploads": 64 * KB}
    assert not ended.exists()
    assert all(path.exists() for path in (waiting, running, track, arriving, fresh))


async def test_the_newest_backup_stays(database: Database, data: Path, make: Make) -> None:
    old, new = (make(f"backups/moodstem-2026112{day}-043000.db", 30 - day) for day in (0, 1))
    assert await keep_within(database, data, 0, 0) == {"backups": 64 * KB}
    assert (old.exists(), new.exists()) == (False, True)


async def uploaded(database: Database, make: Make, user_id: int, number: int, hours: float) -> list[Path]:
    """A member's upload with all that was made of it."""
    digest = f"{user_id * 1000 + number:064x}"[::-1]
    track_id = await upsert_track(
        Library(database),
        content_hash=digest,
        path=f"uploads/{digest[:9]}",
        origin="upload",
        title="t",
        duration_s=1,
    )
    await claim(database.write, track_id, user_id, "t.wav")
    names = (f"uploads/{digest[:9]}", f"pictures/{picture_name(digest, 'none')}", f"previews/{digest}.ogg")
    return [make(name, hours) for name in (*names, f"stems/{archive_name(digest, 'unet')}")]


async def test_nobodys_uploads_push_out_anothers(database: Database, data: Path, make: Make) -> None:
    """Mallory uploads in a loop: what belongs to nobody goes, then her own; Bob's old upload and the backups stay."""
    copies = [make(f"backups/moodstem-2026112{day}-043000.db", 200 - day) for day in range(7)]
    bobs = await uploaded(database, make, 1, 0, 48)
    orphan = make("uploads/orphan", 1)
    hers = [await uploaded(database, make, 2, number, 0.2 - number / 100) for number in range(10)]
    removed = await keep_within(database, data, 14 * 64 * KB, 7 * 64 * KB)
    assert sum(removed.values()) == 31 * 64 * KB
    assert not orphan.exists() and all(path.exists() for path in (*bobs, *copies))
    left = [path.exists() for paths in hers for path in paths]
    assert left == [False] * 30 + [True] * 10, "the oldest of hers went"
    await keep_within(database, data, 4 * 64 * KB, 7 * 64 * KB)
    assert sum(usage(data).values()) == 11 * 64 * KB


async def test_what_two_members_hold_goes_with_the_one_who_holds_least(
    database: Database, data: Path, make: Make
) -> None:
    shared = await uploaded(database, make, 1, 0, 99)
    [row] = await database.fetch("SELECT id FROM track")
    await claim(database.write, row["id"], 2, "mine, too.wav")
    hers = [path for number in range(1, 4) for path in await uploaded(database, make, 2, number, 1)]
    await keep_within(database, data, 4 * 64 * KB, 0)
    assert all(path.exists() for path in shared) and not any(path.exists() for path in hers)


async def test_what_belongs_to_the_library_is_a_holding_of_its_own(
    database: Database, data: Path, make: Make
) -> None:
    bobs = await uploaded(database, make, 1, 0, 99)
    previews = []
    for number in range(6):
        digest = f"{number:064x}"[::-1]
        await upsert_track(
            Library(database),
            content_hash=digest,
            path=f"/m/{number}",
            origin="folder",
            title="t",
            duration_s=1,
        )
        previews.append(make(f"previews/{digest}.ogg", 9 - number))
    await keep_within(database, data, 8 * 64 * KB, 0)
    assert all(path.exists() for path in bobs)
    assert [path.exists() for path in previews] == [False] * 2 + [True] * 4


async def test_backups_have_a_budget_of_their_own(database: Database, data: Path, make: Make) -> None:
    copies = [make(f"backups/moodstem-2026112{day}-043000.db", 200 - day) for day in range(4)]
    song = make("uploads/orphan", 300)
    assert await keep_within(database, data, 64 * KB, 2 * 64 * KB) == {"backups": 2 * 64 * KB}
    assert [path.exists() for path in copies] == [False, False, True, True] and song.exists()


async def test_a_clock_that_jumped_back_protects_nothing_for_ever(
    database: Database, data: Path, make: Make
) -> None:
    ahead = make("previews/a.ogg", -48)
    assert await keep_within(database, data, 0, 0) == {"previews": 64 * KB}
    assert not ahead.exists()
