"""A cluster's worker without the cluster: what the station does with requests, files and trouble."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import fact
from jobs.engines.base import Limits, Request, WorkerOptions
from jobs.engines.cluster.station import FOLDER, Outcome, Station
from jobs.engines.cluster.transfer import (
    FileUnreachable,
    StagedFile,
    check_storage,
    discard_copy,
    fetch_file,
    stage_file,
)
from tests.jobs.helpers import STUBS
from tests.make import WORDS, write_tone
from tests.refusals import refusal

Make = Callable[..., Station]


@pytest.fixture
async def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    made: list[Station] = []

    def make(**limits: Any) -> Station:
        made.append(Station(WorkerOptions("none", limits=Limits(**limits), extra_tasks=STUBS)))
        return made[-1]

    yield make
    for one in made:
        await one.engine.stop()
    assert not list((tmp_path / "temp").glob(f"{FOLDER}*"))  # nothing of a request is left


async def end(station: Station, number: int, seen: list[tuple[str, float]] | None = None) -> Outcome:
    while True:
        look = await station.status(number)
        if look.progress and seen is not None:
            seen.append(look.progress)
        if look.outcome is not None:
            return look.outcome


async def one(station: Station, task: str, **arguments: Any) -> Outcome:
    await station.begin(1, Request(task, arguments), {})
    return await end(station, 1)


async def test_says_what_it_has_loaded(station: Make) -> None:
    facts = await station().start()
    assert (facts["separator"], facts["separator_version"]) == ("none", "1")
    assert facts["host"]
    bad = Station(WorkerOptions("scissors"))
    assert "There is no separator 'scissors'" in (await bad.start())["problem"]


async def test_every_end_has_its_word(station: Make) -> None:
    worker = station()
    assert (await one(worker, "echo", say="ä")).result["said"] == "ä"
    sentence = fact("plain", sentence="This file is not music: send another one.")
    assert await one(worker, "refuse") == Outcome("refused", fact=sentence)
    failed = await one(worker, "bug")
    assert (failed.kind, failed.message) == ("failed", "ValueError: a bug of ours")
    assert "stub_tasks.py" in failed.details
    crashed = await one(worker, "die")
    assert (crashed.kind, crashed.fact) == ("crashed", fact("worker-ended", how="SIGKILL"))
    assert (await one(worker, "echo")).kind == "result"  # the station has another worker


@pytest.mark.parametrize(
    ("limits", "task", "kind"),
    [
        ({"stall_s": 0.2}, "deaf", "timeout"),
        ({"time_s": 0.2}, "deaf", "timeout"),
        ({"memory_mb": 600}, "eat", "crashed"),
    ],
)
async def test_limits_hold_as_they_do_locally(
    station: Make, limits: dict[str, float], task: str, kind: str
) -> None:
    assert (await one(station(**limits), task)).kind == kind


async def test_progress_and_cancel(station: Make, tmp_path: Path) -> None:
    worker = station(grace_s=0.1)
    seen: list[tuple[str, float]] = []
    request = Request("wait", {"began": str(tmp_path / "began"), "until": str(tmp_path / "never")})
    await worker.begin(1, request, {})
    running = asyncio.create_task(end(worker, 1, seen))
    while not seen:
        await asyncio.sleep(0.01)
    assert seen[0] == ("wait", 0.5)
    await worker.cancel(7)  # another request's
    assert not running.done()
    await worker.cancel(1)
    assert (await running).kind == "cancelled"
    await worker.begin(2, Request("deaf"), {})
    await worker.cancel(2)
    assert (await end(worker, 2)).kind == "cancelled"  # killed after the grace


async def test_files_travel_there_and_back(station: Make, tmp_path: Path) -> None:
    music = write_tone(tmp_path / "Song.ogg", 330, title="Title")
    file, content = stage_file(music, "")
    arguments = {
        "path": "at home",
        "name": "x.ogg",
        "max_seconds": 60.0,
        "picture": "at home, too",
        "words": WORDS,
    }
    await (worker := station()).begin(
        1,
        Request("analyse", arguments, reads=("path",), writes=("picture",)),
        {"path": file},
        content,
    )
    outcome = await end(worker, 1)
    assert outcome.kind == "result", outcome
    assert outcome.result["tags"]["title"] == "Title"
    assert outcome.files["picture"].startswith(b"\x89PNG")


async def test_a_file_that_this_machine_does_not_see(station: Make, tmp_path: Path) -> None:
    worker = station()
    await worker.begin(
        1, Request("echo", {}, reads=("path",)), {"path": StagedFile(".ogg", "/no/a.ogg")}, None
    )
    outcome = await end(worker, 1)
    assert outcome.kind == "astray"
    assert "/no/a.ogg" in outcome.message


def test_shared_storage_is_read_in_place(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    inside = write_tone(shared / "music" / "a.ogg")
    file, content = stage_file(inside, str(shared))
    assert content is None
    assert fetch_file(file, content, tmp_path, "path") == inside
    discard_copy(file)
    assert inside.exists()  # it is no copy


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_other_files_are_staged_and_removed(tmp_path: Path, scheme: str) -> None:
    shared, work = tmp_path / "shared", tmp_path / "work"
    shared.mkdir()
    work.mkdir()
    outside = write_tone(tmp_path / "a.ogg")
    file, content = stage_file(outside, f"{scheme}{shared}")
    assert content is None
    path = fetch_file(file, content, work, "path")
    assert path.read_bytes() == outside.read_bytes()
    assert path.suffix == ".ogg"
    discard_copy(file)
    assert [found for found in shared.rglob("*") if found.is_file()] == []
    with pytest.raises(FileUnreachable):
        fetch_file(file, content, tmp_path / "nowhere", "path")


def test_storage_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    check_storage("")
    check_storage(str(tmp_path))
    with refusal("is not there: mount it"):
        check_storage(str(tmp_path / "nowhere"))
    with refusal("cannot be used"):
        check_storage("nonsense://bucket/x")


def test_what_is_gone_or_too_large_is_the_files_fault(tmp_path: Path) -> None:
    with refusal("cannot be opened"):
        stage_file(tmp_path / "nothing.ogg", "")
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        os.truncate(file.fileno(), 300 * 1024 * 1024)
    with refusal("315 MB"):
        stage_file(large, "")
