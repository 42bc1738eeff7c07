"""Uploads from the queue to the library, with the real analysis and no separator."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from core.library.database import Database
from core.library.schema import open_database
from core.library.tracks import Library
from core.track_analysis import content_hash
from jobs.engines.base import Request
from jobs.engines.local import LocalEngine
from jobs.kinds import analyse
from jobs.kinds.base import TaskSettings
from jobs.model import Job
from jobs.queue import Queue
from jobs.runner import Runner
from tests.jobs.helpers import until
from tests.make import WORDS, write_tone
from tests.refusals import spoken


async def upload(runner: Runner, file: str, name: str = "Song.ogg", **more: Any) -> Job:
    """Enqueue the file and let the runner work; returns the ended job."""
    where = {"user_id": 1, "guild_id": 7, **more}
    job = await runner.queue.enqueue("analyse", {"path": file, "name": name, "words": WORDS}, **where)
    await runner.run_one()
    found = await runner.queue.get(job.id)
    assert found is not None
    return found


def files_in(data: Path) -> set[str]:
    return {
        path.relative_to(data).as_posix()
        for path in data.rglob("*")
        if path.is_file() and not path.name.startswith("moodstem.db")
    }


async def test_an_upload_becomes_a_track(runner: Runner, settings: TaskSettings, database: Database) -> None:
    write_tone(settings.uploads / "abc", title="Blue Hour", artist="Ida", genre="Ambient")
    job = await upload(runner, "abc")
    assert job.state == "done", job.error
    assert job.result is not None
    library = Library(database)
    track = await library.get(job.result["track_id"])
    assert track is not None
    assert (track.title, track.artist, track.genre, track.origin) == ("Blue Hour", "Ida", "Ambient", "upload")
    assert track.path == "uploads/abc"
    analysis = await library.analysis(track.id)
    assert analysis is not None
    assert (analysis.separator, analysis.content_hash) == ("none", content_hash(settings.uploads / "abc"))
    assert track.content_hash != analysis.content_hash, "what another server's upload of it cannot guess"
    assert analysis.duration_s == pytest.approx(1.5, abs=0.1)
    picture = settings.data / job.result["picture"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert files_in(settings.data) == {"uploads/abc", job.result["picture"]}


async def test_the_same_audio_is_analysed_once(
    runner: Runner, settings: TaskSettings, database: Database
) -> None:
    write_tone(settings.uploads / "one")
    shutil.copy(settings.uploads / "one", settings.uploads / "two")
    first, second = await upload(runner, "one"), await upload(runner, "two", name="Other name.ogg")
    assert first.result is not None
    assert second.result is not None
    assert (first.result["known"], second.result["known"]) == (False, True)
    assert second.result["track_id"] == first.result["track_id"]
    assert second.result["picture"] == first.result["picture"]
    assert files_in(settings.data) == {"uploads/one", first.result["picture"]}
    assert (await Library(database).counts())["analyses"] == 1


async def test_two_uploads_of_the_same_audio_that_race(
    live_queue: Queue, warm_engine: LocalEngine, settings: TaskSettings, database: Database
) -> None:
    """Two workers, two members, the same file at the same moment: one analysis, two answers."""
    asked: list[str] = []

    class Counting:
        slots = 1
        start, stop = warm_engine.start, warm_engine.stop

        async def run(self, request: Request, *more: Any) -> dict[str, Any]:
            asked.append(request.arguments["path"])
            return await warm_engine.run(request, *more)

    write_tone(settings.uploads / "one")
    shutil.copy(settings.uploads / "one", settings.uploads / "two")
    jobs = [
        await live_queue.enqueue(
            "analyse", {"path": path, "words": WORDS}, user_id=user, guild_id=7, subject="audio:same"
        )
        for user, path in enumerate(("one", "two"), 1)
    ]
    async with await open_database(database.path) as second:
        runners = [
            Runner(live_queue, Counting(), settings),
            Runner(Queue(second, backoff_s=0.01), Counting(), settings),
        ]
        while (await live_queue.counts())["done"] < 2:
            await asyncio.gather(*(runner.run_one() for runner in runners))
    results = [found.result for job in jobs if (found := await live_queue.get(job.id))]
    assert len(asked) == 1
    assert results[0] is not None and results[1] is not None
    assert results[0]["track_id"] == results[1]["track_id"]
    assert sorted(result["known"] for result in results if result) == [False, True]


async def test_a_picture_that_was_cleaned_up_is_drawn_again(runner: Runner, settings: TaskSettings) -> None:
    write_tone(settings.uploads / "one")
    first = await upload(runner, "one")
    assert first.result is not None
    (settings.data / first.result["picture"]).unlink()
    (settings.uploads / "one").rename(settings.uploads / "two")
    second = await upload(runner, "two")
    assert second.result is not None
    assert second.result["known"]
    assert files_in(settings.data) == {"uploads/two", second.result["picture"]}
    track = await Library(runner.queue.database).get(second.result["track_id"])
    assert track is not None
    assert track.path == "uploads/two"


async def test_a_stale_analysis_is_made_anew(
    runner: Runner, settings: TaskSettings, database: Database
) -> None:
    write_tone(settings.uploads / "one")
    await upload(runner, "one")
    await database.write(
        "UPDATE analysis SET data = json_set(data, '$.analyser_version', 0), analyser_version = 0"
    )
    shutil.copy(settings.uploads / "one", settings.uploads / "two")
    again = await upload(runner, "two")
    assert again.result is not None
    assert not again.result["known"]
    assert (await database.fetch("SELECT analyser_version FROM analysis"))[0][0] > 0


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, this is no music", b"OggS" + bytes(100), b"RIFF\xff\xff\xff\xffWAVEfmt "],
    ids=["empty", "text", "truncated ogg", "truncated wav"],
)
async def test_bad_files_get_one_sentence_and_leave_nothing(
    runner: Runner, settings: TaskSettings, database: Database, content: bytes
) -> None:
    (settings.uploads / "bad").write_bytes(content)
    job = await upload(runner, "bad")
    assert (job.state, job.error_code, job.attempt) == ("failed", "input", 1)
    assert spoken(job).endswith(".")
    assert "\n" not in spoken(job)
    assert files_in(settings.data) == set()
    assert (await Library(database).counts())["total"] == 0


@pytest.mark.parametrize("name", ["../secret.ogg", "/etc/passwd", "..", "", "a/b"])
async def test_a_path_cannot_leave_the_folder(runner: Runner, settings: TaskSettings, name: str) -> None:
    outside = write_tone(settings.data.parent / "secret.ogg")
    job = await upload(runner, name)
    assert (job.state, job.error_code) == ("failed", "input")
    assert outside.is_file()


async def test_their_name_is_only_shown(runner: Runner, settings: TaskSettings) -> None:
    write_tone(settings.uploads / "abc")
    job = await upload(runner, "abc", name="../../etc/cron.d/Night\u202e Drive.ogg")
    assert job.result is not None
    assert job.result["title"] == "Night Drive"
    assert analyse.upload_path(settings, analyse.KIND.spec(job)) == settings.uploads / "abc"


async def test_a_file_that_went_away(runner: Runner) -> None:
    job = await upload(runner, "nowhere")
    assert (job.state, job.error_code) == ("failed", "input")
    assert "upload it again" in spoken(job)


async def test_a_worker_killed_in_the_middle_leaves_no_file(
    runner: Runner, settings: TaskSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = runner.engine
    assert isinstance(engine, LocalEngine)
    write_tone(settings.uploads / "abc", seconds=20)
    job = await runner.queue.enqueue("analyse", {"path": "abc", "name": "x.ogg", "words": WORDS}, user_id=1)
    real, killed = engine.run, []

    async def run(request: Request, on_progress: Any, should_stop: Any) -> dict[str, Any]:
        def kill_at_first(stage: str, share: float) -> None:
            if not killed and engine.pid is not None:
                killed.append(engine.pid)
                os.kill(engine.pid, signal.SIGKILL)
            on_progress(stage, share)

        return await real(request, kill_at_first, should_stop)

    monkeypatch.setattr(engine, "run", run)
    await runner.run_one()
    assert killed
    assert files_in(settings.data) == {"uploads/abc"}
    await until(runner.run_one)
    seen = await runner.queue.get(job.id)
    assert seen is not None
    assert (seen.state, seen.attempt) == ("done", 2)
    assert len(files_in(settings.data)) == 2


async def test_cancelled_uploads_leave_nothing(
    runner: Runner, settings: TaskSettings, live_queue: Queue
) -> None:
    write_tone(settings.uploads / "abc", seconds=240)  # long enough to be cancelled in the middle
    job = await live_queue.enqueue("analyse", {"path": "abc", "name": "x.ogg", "words": WORDS}, user_id=1)
    running = asyncio.create_task(runner.run_one())

    async def started() -> bool:
        seen = await live_queue.get(job.id)
        return seen is not None and seen.state == "running"

    await until(started)
    await live_queue.cancel(job.id)
    await running
    seen = await live_queue.get(job.id)
    assert seen is not None
    assert seen.state == "cancelled"
    assert files_in(settings.data) == set()
