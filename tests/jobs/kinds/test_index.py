"""Folders of music: what changed is told apart, and an interrupted run goes on where it stopped."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.words.say import say
from core.errors import fact
from core.library.database import Database
from core.library.indexing import Place, scan
from core.library.scope import LibraryScope, restrict_folders, scoped_hash
from core.library.search import complete
from core.library.sources.folder import SOURCE, audio_files, is_gone
from core.library.tracks import Library, Track
from core.separation.base import Cancelled
from jobs.engines.base import Crashed, Request
from jobs.engines.local import LocalEngine
from jobs.kinds.base import TaskSettings
from jobs.kinds.index import FolderIndex, IndexProgress, IndexReport
from jobs.queue import Queue
from jobs.runner import Pace, Runner
from tests.make import WORDS, write_tone
from tests.refusals import refusal

Index = Callable[..., Awaitable[IndexReport]]


class Counting:
    """The real engine, counting what it is asked; `fail` may raise instead of analysing a file."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.analysed: list[str] = []
        self.fail: Callable[[str], None] = lambda name: None

    @property
    def slots(self) -> int:
        return self.engine.slots

    async def start(self) -> dict[str, Any]:
        return await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()

    async def run(self, request: Request, on_progress: Any = None, should_stop: Any = None) -> dict[str, Any]:
        name = Path(request.arguments["path"]).name
        if not request.arguments.get("analysis"):  # else only its tags are read
            self.analysed.append(name)
        self.fail(name)
        return await self.engine.run(request, on_progress, should_stop)


@pytest.fixture
def counting(warm_engine: LocalEngine) -> Counting:
    return Counting(warm_engine)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    write_tone(folder / "a.ogg", 200, 1.1, title="Alpha", artist="Ada")
    write_tone(folder / "sub" / "b.ogg", 300, 1.1)
    write_tone(folder / "sub" / "deep" / "c.OGG", 400, 1.1)
    return folder


@pytest.fixture
def index(music: Path, database: Database, counting: Counting) -> Index:
    async def run(folder: Path = music, **more: Any) -> IndexReport:
        counting.analysed.clear()
        return await FolderIndex(folder, database, counting, **more).run()

    return run


def counts(report: IndexReport) -> dict[str, int]:
    names = ("added", "updated", "renewed", "moved", "removed", "duplicates", "unchanged", "failures")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


async def tracks(database: Database) -> dict[str, Track]:
    return {Path(track.path).name: track for track in await Library(database).tracks()}


async def test_add_then_nothing_to_do(index: Index, database: Database, counting: Counting) -> None:
    report = await index()
    assert counts(report) == {"added": 3}
    assert (report.separator, report.failed) == ("none", [])
    assert report.rate is not None
    found = await tracks(database)
    assert (found["a.ogg"].title, found["a.ogg"].artist, found["a.ogg"].origin) == ("Alpha", "Ada", "folder")
    assert found["b.ogg"].title == "b"
    assert (await Library(database).counts())["analyses"] == 3
    version = await Library(database).version()
    assert counts(await index()) == {"unchanged": 3}
    assert counting.analysed == []
    assert await Library(database).version() == version


async def test_add_change_move_and_delete_are_told_apart(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    await index()
    before = await tracks(database)
    write_tone(music / "new.ogg", 500, 1.1)
    write_tone(music / "a.ogg", 210, 1.1, title="Alpha, second take")
    (music / "sub" / "b.ogg").rename(music / "moved.ogg")
    (music / "sub" / "deep" / "c.OGG").unlink()
    report = await index()
    assert counts(report) == {"added": 1, "updated": 1, "moved": 1, "removed": 1}
    assert sorted(counting.analysed) == ["a.ogg", "new.ogg"]
    after = await tracks(database)
    assert set(after) == {"a.ogg", "moved.ogg", "new.ogg"}
    assert after["moved.ogg"].id == before["b.ogg"].id
    assert after["a.ogg"].id == before["a.ogg"].id  # what people said about it stays with it
    assert after["a.ogg"].title == "Alpha, second take"
    assert counts(await index()) == {"unchanged": 3}


async def test_a_touched_file_is_unchanged(index: Index, music: Path, counting: Counting) -> None:
    await index()
    os.utime(music / "a.ogg", ns=(1, 1))
    assert counts(await index()) == {"unchanged": 3}
    assert counting.analysed == []


async def test_a_copy_shares_the_track(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    await index()
    shutil.copy(music / "a.ogg", music / "copy.ogg")
    assert counts(await index()) == {"duplicates": 1, "unchanged": 3}
    assert counting.analysed == []
    (music / "a.ogg").unlink()
    assert counts(await index()) == {"removed": 1, "unchanged": 3}
    assert set(await tracks(database)) == {"b.ogg", "c.OGG", "copy.ogg"}


async def test_moves_between_folders(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    other = music.parent / "other"
    write_tone(other / "o.ogg", 600, 1.1)
    await index()
    await index(other)
    before = await tracks(database)
    (music / "a.ogg").rename(other / "a.ogg")
    assert counts(await index(other)) == {"moved": 1, "unchanged": 1}
    assert counting.analysed == []
    assert counts(await index()) == {"unchanged": 2}
    assert (await tracks(database))["a.ogg"].id == before["a.ogg"].id


async def test_a_folder_that_was_renamed_as_a_whole(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    await index()
    before = await tracks(database)
    renamed = music.rename(music.with_name("renamed"))
    await index(renamed)
    assert counting.analysed == []
    after = await tracks(database)
    assert {name: track.id for name, track in after.items()} == {
        name: track.id for name, track in before.items()
    }
    assert all(Path(track.path).is_file() for track in after.values())


async def test_only_one_batch_is_ever_in_memory(database: Database, tmp_path: Path) -> None:
    """Ten times as many files need no more memory: the walk, the scan and the work that is pending all stream."""
    peaks = []
    for number, count in enumerate((600, 6000)):
        folder = tmp_path / f"{count}"
        for index in range(count):
            file = folder / str(index % 7) / f"{index}.ogg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        place = Place(SOURCE, number, folder, 1, "none", "1", 1)
        await database.write("INSERT INTO folder (id, path, scan) VALUES (?, ?, 1)", [number, str(folder)])
        tracemalloc.start()
        assert await scan(database, place, lambda: None, allow_empty=False) == []
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        [known] = await database.fetch("SELECT count(*) FROM folder_file WHERE folder_id = ?", [number])
        assert known[0] == count
    assert peaks[1] < 1.3 * peaks[0] + 100_000, peaks


async def test_an_interrupted_run_goes_on(index: Index, database: Database, counting: Counting) -> None:
    seen: list[IndexProgress] = []
    with pytest.raises(Cancelled):
        await index(progress=seen.append, cancel=lambda: bool(seen) and seen[-1].done >= 2)
    assert (await Library(database).counts())["total"] == 2
    assert (seen[0].done, seen[0].total) == (0, 3)
    assert counts(await index()) == {"added": 1, "unchanged": 2}
    assert len(counting.analysed) == 1


async def test_a_failure_is_said_and_not_tried_again(index: Index, music: Path, counting: Counting) -> None:
    (music / "broken.mp3").write_bytes(b"not music at all")
    report = await index()
    assert counts(report) == {"added": 3, "failures": 1}
    [(path, why)] = report.failed
    sentence = say(why)
    assert path == "broken.mp3"
    assert sentence.endswith(".")
    assert counts(await index()) == {"failures": 1, "unchanged": 4}
    assert counting.analysed == []
    write_tone(music / "broken.mp3", 700, 1.1)  # mended: it is Ogg under a wrong name
    assert counts(await index())["unchanged"] == 3
    assert counting.analysed == ["broken.mp3"]


async def test_a_file_that_crashes_the_worker_stops_nothing(index: Index, counting: Counting) -> None:
    def fail(name: str) -> None:
        if name == "a.ogg":
            raise Crashed(fact("worker-ended", how="SIGSEGV"))

    counting.fail = fail
    report = await index()
    assert counts(report) == {"added": 2, "failures": 1}
    assert counting.analysed.count("a.ogg") == 2
    assert "SIGSEGV" in say(report.failed[0][1])


async def test_another_analyser_version_renews_while_the_old_serves(
    index: Index, database: Database, counting: Counting
) -> None:
    await index()
    await database.write("UPDATE analysis SET analyser_version = 0")
    served: list[int] = []

    async def between(report: IndexReport) -> None:
        served.append((await Library(database).counts())["analyses"])

    assert counts(await index(between=between)) == {"renewed": 3}
    assert served == [3, 3, 3]
    assert counts(await index()) == {"unchanged": 3}


async def test_an_uploaded_track_that_turns_up_in_the_folder(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    await index()
    track = (await tracks(database))["a.ogg"]
    await database.write("DELETE FROM folder")
    await database.write("UPDATE track SET origin = 'upload', path = 'uploads/x' WHERE id = ?", [track.id])
    assert counts(await index()) == {"added": 3}
    assert counting.analysed == []
    found = (await tracks(database))["a.ogg"]
    assert (found.id, found.origin) == (track.id, "folder")


async def as_uploads(database: Database, name: str, servers: list[int]) -> list[int]:
    """The folder is forgotten, and its file one that was uploaded in these servers, as "secret"."""
    track = (await tracks(database))[name]
    await database.write("DELETE FROM folder")
    made = [track.id]
    for server in servers[1:]:
        [row] = await database.write(
            "INSERT INTO track (content_hash, audio_hash, path, origin, title, duration_s, guild_id)"
            " VALUES (?, ?, 'uploads/y', 'upload', 'secret', 1, ?) RETURNING id",
            [scoped_hash(track.content_hash, server, 1), track.content_hash, server],
        )
        made.append(row["id"])
        await database.write(
            "INSERT INTO analysis (track_id, separator, separator_version, analyser_version, data) SELECT ?, separator,"
            " separator_version, analyser_version, data FROM analysis WHERE track_id = ?",
            [row["id"], track.id],
        )
    own = scoped_hash(track.content_hash, servers[0], 1)
    await database.write(
        "UPDATE track SET origin = 'upload', path = 'uploads/x', title = 'secret', guild_id = ?, content_hash = ?,"
        " audio_hash = ? WHERE id = ?",
        [servers[0], own, track.content_hash, track.id],
    )
    return made


async def found_in(database: Database, server: int) -> list[str]:
    return sorted(track.title for track in await complete(database, LibraryScope(server), ""))


async def test_uploads_of_two_servers_that_turn_up_in_a_folder_for_all(
    index: Index, database: Database, counting: Counting
) -> None:
    await index()
    one, other = await as_uploads(database, "b.ogg", [10, 20])
    assert counts(await index()) == {"added": 3}
    assert counting.analysed == []
    now = await Library(database).get(one)
    assert now is not None
    assert (now.origin, now.title, Path(now.path).name) == ("folder", "b", "b.ogg"), (
        "not what a member called it"
    )
    assert await Library(database).get(other) is not None
    for server in (10, 20, 30):
        assert await found_in(database, server) == ["Alpha", "b", "c"], "once, and by its own name"
    assert counts(await index()) == {"unchanged": 3}


async def test_an_upload_of_a_server_that_does_not_find_the_folder_stays_as_it_is(
    index: Index, database: Database, music: Path, counting: Counting
) -> None:
    await index()
    [upload] = await as_uploads(database, "b.ogg", [10])
    await restrict_folders(database, [music], {music: [20]})
    assert counts(await index()) == {"added": 3}
    assert counting.analysed == []
    assert await found_in(database, 10) == ["secret"]
    assert await found_in(database, 20) == ["Alpha", "b", "c"]
    kept = await Library(database).get(upload)
    assert kept is not None
    assert (kept.origin, kept.path) == ("upload", "uploads/x")
    assert counts(await index()) == {"unchanged": 3}


async def test_samples_stay_samples(index: Index, database: Database, music: Path) -> None:
    await index()
    await database.write("UPDATE track SET origin = 'sample', path = 'bundled'")
    shutil.rmtree(music / "sub")
    await index()
    assert (await Library(database).counts())["sample"] == 3


def test_only_music_and_nothing_outside(music: Path, tmp_path: Path) -> None:
    outside = write_tone(tmp_path / "outside" / "x.ogg")
    (music / ".hidden").mkdir()
    write_tone(music / ".hidden" / "h.ogg")
    (music / "._a.ogg").touch()
    (music / "cover.jpg").touch()
    (music / "out.ogg").symlink_to(outside)
    (music / "outdir").symlink_to(outside.parent)
    (music / "loop").symlink_to(music)
    (music / "inside.ogg").symlink_to(music / "a.ogg")
    (music / "dangling.ogg").symlink_to(music / "nothing.ogg")
    os.mkfifo(music / "pipe.ogg")
    (music / "folder.ogg").mkdir()
    os.close(os.open(os.fsencode(music) + b"/bad\xff.ogg", os.O_CREAT))  # a name that is not UTF-8
    found = [path for path, _, _ in audio_files(music, [])]
    assert sorted(found) == ["a.ogg", "inside.ogg", "sub/b.ogg", "sub/deep/c.OGG"]


async def test_a_volume_that_is_not_mounted_forgets_nothing(
    index: Index, database: Database, music: Path
) -> None:
    await index()
    shutil.rmtree(music)
    with refusal("no folder"):
        await index()
    music.mkdir()
    with refusal("mounted"):
        await index()
    assert (await Library(database).counts())["total"] == 3
    assert counts(await index(allow_empty=True)) == {"removed": 3}
    assert (await Library(database).counts())["total"] == 0


async def test_a_folder_that_cannot_be_read_forgets_nothing(
    index: Index, database: Database, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index()
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert "removed" not in counts(await index())
    assert (await Library(database).counts())["total"] == 3


async def test_as_a_job_it_gives_way_to_an_upload(
    counting: Counting, database: Database, music: Path, settings: TaskSettings
) -> None:
    queue = Queue(database)
    runner = Runner(queue, counting, settings, pace=Pace(progress_s=0.0))
    write_tone(settings.uploads / "abc", 800, 1.1)
    job = await queue.enqueue("index", {"folder": str(music)}, user_id=1)
    upload = None
    real = counting.run

    async def run(request: Request, on_progress: Any = None, should_stop: Any = None) -> dict[str, Any]:
        nonlocal upload
        if upload is None:
            upload = await queue.enqueue(
                "analyse", {"path": "abc", "name": "u.ogg", "words": WORDS}, user_id=2, priority=10
            )
        return await real(request, on_progress, should_stop)

    counting.run = run  # type: ignore[method-assign]
    assert await runner.run_one()
    assert upload is not None
    seen = await queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.attempt) == ("queued", 0)
    await runner.run_one()
    done = await queue.get(upload.id)
    assert done is not None
    assert done.state == "done"
    await runner.run_one()
    seen = await queue.get(job.id)
    assert seen is not None
    assert seen.state == "done"
    assert seen.result is not None
    assert (seen.result["added"], seen.result["unchanged"]) == (3, 0)
    assert counting.analysed.count("a.ogg") == 1


def test_a_file_is_gone_only_where_that_can_be_seen(tmp_path: Path) -> None:
    """Else a copy that turns up elsewhere would be taken for a file that moved."""
    (tmp_path / "here.ogg").touch()
    (tmp_path / "loop").symlink_to("loop")  # cannot be looked into, as a closed folder cannot
    assert is_gone(tmp_path, "away.ogg") and is_gone(tmp_path, "here.ogg/inside.ogg")
    assert not is_gone(tmp_path, "here.ogg") and not is_gone(tmp_path, "loop/song.ogg")
    assert not is_gone(tmp_path / "unmounted", "song.ogg")
