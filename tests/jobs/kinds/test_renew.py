"""Uploads under another version of the analyser: heard again in the background, while the old values serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import fact
from core.library.database import Database
from core.library.tracks import Library
from core.track_analysis import ANALYSER_VERSION
from jobs.engines.base import Crashed, Request
from jobs.kinds.base import TaskSettings
from jobs.model import BACKGROUND, NOBODY, Job
from jobs.queue import Queue
from jobs.runner import Runner
from jobs.schedule import enqueue_reindex
from tests.make import WORDS, write_tone


@pytest.fixture
async def uploads(runner: Runner, settings: TaskSettings) -> list[Path]:
    """Three uploads whose analyses are from before, the second one's audio gone."""
    paths = [
        write_tone(settings.uploads / name, hertz, 1.1)
        for name, hertz in (("a", 200), ("b", 300), ("c", 400))
    ]
    for path in paths:
        await runner.queue.enqueue(
            "analyse", {"path": path.name, "name": path.name, "words": WORDS}, user_id=1
        )
        await runner.run_one()
    await runner.queue.database.write("UPDATE analysis SET analyser_version = 0")
    paths[1].unlink()
    return paths


async def renew(queue: Queue) -> Job:
    return await queue.enqueue("renew", {}, user_id=NOBODY, priority=BACKGROUND, dedup="renew")


async def versions(database: Database) -> list[int]:
    return [row[0] for row in await database.fetch("SELECT analyser_version FROM analysis ORDER BY track_id")]


async def test_the_nightly_run_hears_uploads_again(
    runner: Runner, uploads: list[Path], database: Database
) -> None:
    await enqueue_reindex(runner.queue, [])
    await enqueue_reindex(runner.queue, [])
    assert (await runner.queue.counts())["queued"] == 1
    assert await runner.run_one()
    [job] = await runner.queue.jobs(limit=1)
    assert (job.kind, job.state, job.result) == ("renew", "done", {"renewed": 2, "failed": 0, "latents": 0})
    assert await versions(database) == [ANALYSER_VERSION, 0, ANALYSER_VERSION]
    assert (await Library(database).counts())["upload"] == 3
    await renew(runner.queue)
    assert await runner.run_one()
    assert (await runner.queue.jobs(limit=1))[0].result == {"renewed": 0, "failed": 0, "latents": 0}


async def test_it_gives_way_and_goes_on_behind(
    runner: Runner, uploads: list[Path], settings: TaskSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone(settings.uploads / "new", 500, 1.1)
    real, heard = runner.engine.run, []

    async def run(request: Request, *more: Any) -> dict[str, Any]:
        name = Path(request.arguments["path"]).name
        heard.append(name)
        if name == "a":
            await runner.queue.enqueue(
                "analyse", {"path": "new", "name": "n", "words": WORDS}, user_id=2, priority=10
            )
        return await real(request, *more)

    monkeypatch.setattr(runner.engine, "run", run)
    job = await renew(runner.queue)
    for _ in range(3):
        assert await runner.run_one()
    assert heard == ["a", "new", "c"]
    seen = await runner.queue.get(job.id)
    assert seen is not None
    assert seen.state == "done"


async def test_an_upload_that_cannot_be_heard_keeps_its_values(
    runner: Runner, uploads: list[Path], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = runner.engine.run

    async def run(request: Request, *more: Any) -> dict[str, Any]:
        if Path(request.arguments["path"]).name == "a":
            raise Crashed(fact("worker-ended", how="SIGSEGV"))
        return await real(request, *more)

    monkeypatch.setattr(runner.engine, "run", run)
    await renew(runner.queue)
    assert await runner.run_one()
    assert (await runner.queue.jobs(limit=1))[0].result == {"renewed": 1, "failed": 1, "latents": 0}
    assert await versions(database) == [0, 0, ANALYSER_VERSION]


async def test_latent_vectors_that_are_missing_are_made_without_separating(
    runner: Runner, uploads: list[Path], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write("UPDATE analysis SET analyser_version = ?", [ANALYSER_VERSION])
    made = [tuple(row) for row in await database.fetch("SELECT track_id, model, vector FROM latent")]
    assert len(made) == 3, "uploads bring theirs"
    await database.write("UPDATE latent SET model = 'an older one' WHERE track_id = ?", [made[0][0]])
    await database.write("DELETE FROM latent WHERE track_id <> ?", [made[0][0]])
    real, asked = runner.engine.run, []

    async def run(request: Request, *more: Any) -> dict[str, Any]:
        asked.append(request.task)
        return await real(request, *more)

    monkeypatch.setattr(runner.engine, "run", run)
    await renew(runner.queue)
    assert await runner.run_one()
    assert (await runner.queue.jobs(limit=1))[0].result == {"renewed": 0, "failed": 0, "latents": 2}
    assert set(asked) == {"renew"}
    again = [tuple(row) for row in await database.fetch("SELECT track_id, model, vector FROM latent")]
    assert [row[:2] for row in again] == [made[0][:2], made[2][:2]], "the second one's audio is gone"
