"""/upload, /reindex and /jobs as members use them, with a real worker and real sound."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bot.router import Press
from bot.widgets import Card, row
from core.library.samples import manifest
from core.settings import JobSettings, LibrarySettings, Settings
from core.spoken import speaking
from jobs.runner import Runner
from tests.bot.conftest import (
    World,
    card,
    discord_set_to,
    labels,
    press_ids,
    tick,
    upload,
    uploads,
    within_budget,
    words,
)
from tests.make import plucked

pytestmark = pytest.mark.slow


async def test_from_upload_to_result(world: World, runner: Runner) -> None:
    sample = manifest()[0].path
    shown = await upload(world, "my song.ogg", sample.read_bytes())
    assert shown.ephemeral and "follows its way" in words(shown.response)
    waiting = await card(world)
    assert "my song.ogg" in words(waiting) and "Next in the queue" in words(waiting)
    assert {"Cancel", "Refresh", "Tell me when it is done"} == set(labels(waiting))
    assert await runner.run_one()
    await tick(world)
    done = await card(world)
    within_budget(done)
    assert manifest()[0].title in words(done) and "Goes well with" in words(done)
    [picture] = done.attachments
    assert (await picture.read()).startswith(b"\x89PNG") and picture.size > 20_000
    heard = await world.alice.click(done, label="Hear it")
    assert heard.response is not None and heard.response.attachments[0].filename.endswith(".ogg")


async def test_the_words_in_pictures_are_the_members(world: World, runner: Runner) -> None:
    """One recording, two members who speak other languages, and the pictures of both."""
    pictures = {}
    for language in ("en", "de"):
        with discord_set_to(language), speaking("en"):
            await upload(world, "plucked.wav", plucked())
            await runner.run_one()
            await tick(world)
            done = await card(world)
            shown = await world.bob.click(done, custom_id=press_ids(done, "details")[0])
        [result] = done.attachments
        pictures[language] = [await one.read() for one in (result, *shown.response.attachments)]
        assert len(pictures[language]) == 4
    assert not set(pictures["en"]) & set(pictures["de"])
    kept = sorted(path.name for path in world.settings.pictures.iterdir())
    assert [name.endswith(".de.png") for name in kept] == [True, False]
    await world.alice.click(done, custom_id=press_ids(done, "upload_remove")[0])
    assert not list(world.settings.pictures.iterdir())


async def test_details_are_pictures_of_the_sound(world: World, runner: Runner) -> None:
    await upload(world, "plucked.wav", plucked())
    await runner.run_one()
    await tick(world)
    done = await card(world)
    shown = await world.bob.click(done, label="Details")
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    pictures = {one.filename: await one.read() for one in shown.response.attachments}
    assert list(pictures) == ["profile.png", "contrast.png", "chroma.png"]
    assert all(content.startswith(b"\x89PNG") and len(content) > 10_000 for content in pictures.values())
    assert "Within the library" in words(shown.response) and "plucked" in words(shown.response)
    [audio] = await uploads(world)
    audio.unlink()
    again = await world.alice.click(done, label="Details")
    assert again.response is not None and "no longer kept" in words(again.response)
    assert [one.filename for one in again.response.attachments] == ["profile.png"]


async def test_an_unknown_track_joins_the_library_and_can_be_removed(world: World, runner: Runner) -> None:
    before = await world.bot.library.counts()
    await upload(world, "plucked.wav", plucked())
    await runner.run_one()
    await tick(world)
    assert (await world.bot.library.counts())["upload"] == before["upload"] + 1
    done = await card(world)
    shown = await world.bob.click(done, label="Remove it")
    assert shown.response is not None and "Only the person who started this" in words(shown.response)
    await world.alice.click(done, label="Remove it")
    assert await world.bot.library.counts() == before and not await uploads(world)
    assert "Removed" in words(await card(world))


async def test_cards_from_before_remove_and_list_only_what_is_there(world: World, runner: Runner) -> None:
    sample = manifest()[0].path
    for name, data in (("plucked.wav", plucked()), (sample.name, sample.read_bytes())):
        await upload(world, name, data)
        while await runner.run_one():
            pass
    own, known = sorted(job.id for job in await world.bot.queue.jobs(user_id=world.alice.id))
    buttons = [
        *(Press("upload_remove", job, label=f"Remove {job}") for job in (own, known)),
        *(Press("upload_list", job, 1, label=f"List {job}") for job in (own, known)),
    ]
    channel: Any = world.bot.get_channel(world.channel.id)

    async def pressed(label: str) -> str:
        await channel.send(view=Card(row(*buttons)))
        return words((await world.alice.click(world.channel.last_message, label=label)).response)

    before = await world.bot.library.counts()
    assert "part of the library, so it stays" in await pressed(f"Remove {known}")
    assert "part of the library anyway" in await pressed(f"List {known}")
    assert await world.bot.library.counts() == before and sample.exists()
    assert "Removed" in await pressed(f"Remove {own}")
    assert "removed already" in await pressed(f"Remove {own}")
    assert "no longer here" in await pressed(f"List {own}")


BAD = {
    "nothing.mp3": (b"", "empty"),
    "letter.mp3": (b"Dear listener, this is no music at all. " * 50, "audio"),
    "playlist.mp3": (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n" * 30, "audio"),
    "half.flac": (b"fLaC" + bytes(200), "audio"),
    "large.wav": (plucked(60, rate=44100), "larger than 2 MB"),
    "short.wav": (plucked(0.2), "at least one second"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file_gets_one_clear_sentence(world: World, runner: Runner, name: str) -> None:
    data, expected = BAD[name]
    before = await world.bot.library.counts()
    shown = await upload(world, name, data)
    if await runner.run_one():
        await tick(world)
        sentence = words(await card(world))
    else:
        sentence = words(shown.response)
    lines = [line for line in sentence.splitlines() if "⚠️" in line]
    assert len(lines) == 1 and expected in lines[0], sentence
    assert lines[0].rstrip().endswith(".") and "/" not in lines[0].replace("/upload", "")
    assert await world.bot.library.counts() == before and not await uploads(world)
    counts = await world.bot.queue.counts()
    assert counts["queued"] == counts["running"] == 0


async def test_a_truncated_file_is_analysed_as_far_as_it_goes(world: World, runner: Runner) -> None:
    data = manifest()[1].path.read_bytes()
    await upload(world, "cut.ogg", data[: len(data) // 2])
    await runner.run_one()
    await tick(world)
    text = words(await card(world))
    assert ("cut" in text.lower() or manifest()[1].title in text) and "⚠️" not in text


async def test_a_name_that_tries_to_leave_the_folder_is_only_shown(world: World, runner: Runner) -> None:
    await upload(world, "../../../etc/cron.d/evil.wav", plucked())
    [file] = await uploads(world)
    assert file.parent == world.settings.uploads and len(file.name) == 32
    await runner.run_one()
    await tick(world)
    assert not list(world.settings.data.parent.rglob("evil*"))
    assert "⚠️" not in words(await card(world))


async def test_the_quota_is_told_and_keeps_no_file(world: World) -> None:
    for number in range(world.settings.limits.queued_per_user):
        await upload(world, f"{number}.wav", plucked(2 + number))
    shown = await upload(world, "one-more.wav", plucked(9))
    said = [words(message) for message in (shown.response, *shown.followups)]
    assert any("You already have 3 jobs waiting" in text for text in said)
    assert len(await uploads(world)) == world.settings.limits.queued_per_user


async def test_cancel_while_it_waits(world: World, runner: Runner) -> None:
    await upload(world, "song.wav", plucked())
    waiting = await card(world)
    shown = await world.bob.click(waiting, label="Cancel")
    assert shown.response is not None and "Only the person who started this" in words(shown.response)
    await world.alice.click(waiting, label="Cancel")
    assert "Cancelled" in words(await card(world))
    assert not await runner.run_one()


async def test_the_bot_restarts_while_a_job_waits(world: World, runner: Runner) -> None:
    await upload(world, "song.wav", plucked())
    await world.restart()
    assert await runner.run_one()
    await tick(world)
    assert "Goes well with" in words(await card(world))


async def test_the_bot_restarts_while_a_job_runs(world: World, runner: Runner) -> None:
    await upload(world, "song.wav", plucked(20))
    work = asyncio.create_task(runner.run_one())
    while (await world.bot.queue.counts())["running"] == 0:
        await asyncio.sleep(0.01)
    await world.bob.click(await card(world), label="Refresh")
    assert "%" in words(await card(world)), "the card shows how far it is"
    await world.restart()
    assert await work
    await tick(world)
    assert "Goes well with" in words(await card(world))


async def test_the_worker_is_killed_in_the_middle(world: World, runner: Runner) -> None:
    """The child dies, the job is tried again, the card ends with the result."""
    await upload(world, "song.wav", plucked())
    await runner.engine.start()
    assert runner.engine.pid is not None  # type: ignore[attr-defined]
    work = asyncio.create_task(runner.run_one())
    while (await world.bot.queue.counts())["running"] == 0:
        await asyncio.sleep(0.01)
    os.kill(runner.engine.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    await work
    runner.queue.clock = lambda: time.time() + 60  # the wait before the second try is over
    if (await world.bot.queue.counts())["queued"]:
        assert await runner.run_one()
    await tick(world)
    assert "Goes well with" in words(await card(world))


async def test_reindex_is_for_admins_and_shows_its_end(world: World, runner: Runner, tmp_path: Path) -> None:
    shown = await world.admin.slash(world.channel, "reindex")
    assert "config.toml" in words(shown.response)
    music = tmp_path / "music"
    music.mkdir()
    (music / "a.wav").write_bytes(plucked(3))
    (music / "b.wav").write_bytes(plucked(5, 330))
    (music / "notes.txt").write_text("no music")
    (music / "broken.mp3").write_bytes(b"not music")
    world.settings = Settings(
        data=world.settings.data,
        jobs=JobSettings(embedded_worker=False, schedule=False),
        library=LibrarySettings(folders=[music]),
    )
    await world.restart()
    await world.admin.slash(world.channel, "reindex")
    [job] = await world.bot.queue.jobs()
    again = await world.admin.slash(world.channel, "admin reindex")
    assert "looked through already: number 1 in the queue" in words(again.response)
    await world.bot.database.write(
        "UPDATE job SET state = 'running', progress = 0.4, started_at = 0, lease_until = 9e9"
    )
    again = await world.admin.slash(world.channel, "reindex")
    assert "looked through already: 40" in words(again.response)
    await world.bot.database.write("UPDATE job SET state = 'queued'")
    assert [one.id for one in await world.bot.queue.jobs()] == [job.id]
    await runner.run_one()
    await tick(world)
    text = words(await card(world))
    assert "2 added" in text and "1 could not be read" in text and "broken.mp3" in text
    assert (await world.bot.library.counts())["folder"] == 2


async def test_reindex_refuses_members(world: World) -> None:
    assert "reindex" not in world.alice.available_commands(world.channel)


async def test_jobs_lists_what_is_mine(world: World) -> None:
    shown = await world.alice.slash(world.channel, "jobs")
    assert "Nothing yet" in words(shown.response)
    await upload(world, "song.wav", plucked())
    shown = await world.alice.slash(world.channel, "jobs")
    assert "song.wav" in words(shown.response)
    once_more = await world.alice.click(shown.response.message, label="Show 1")
    assert "Next in the queue" in words(once_more.response)
    other = await world.bob.slash(world.channel, "jobs")
    assert "Nothing yet" in words(other.response)
    assert press_ids(shown.response, "job_show")


async def test_an_upload_is_taken_out_of_the_library_and_back(world: World, runner: Runner) -> None:
    await upload(world, "plucked.wav", plucked())
    await runner.run_one()
    await tick(world)
    done = await card(world)
    assert "Take out of the library" in labels(done)

    async def found() -> bool:
        shown = await world.bob.slash(world.channel, "library search", query="plucked")
        return bool(press_ids(shown.response, "track_open"))

    assert await found()
    shown = await world.bob.click(done, label="Take out of the library")
    assert shown.response is not None and "Only the person who started this" in words(shown.response)
    await world.alice.click(done, label="Take out of the library")
    done = await card(world)
    assert "Add to library" in labels(done) and done.attachments and not await found()
    assert (
        len(await world.bot.catalogs.of(world.channel.guild.id))
        == (await world.bot.library.counts())["sample"]
    )
    refused = await world.admin.click(done, label="Add to library")
    assert "Only who uploaded this" in words(refused.response) and not await found()
    await world.alice.click(done, label="Add to library")
    assert await found()


@pytest.mark.parametrize("allowed", [True, False])
async def test_where_uploads_join_when_asked(world: World, runner: Runner, allowed: bool) -> None:
    library = LibrarySettings(recommend_uploads=allowed, uploads_join="when asked")
    world.settings = world.settings.model_copy(update={"library": library})
    await world.restart()
    await upload(world, "plucked.wav", plucked())
    await runner.run_one()
    await tick(world)
    done = await card(world)
    assert ("Add to library" in labels(done)) == allowed
    shown = await world.bob.slash(world.channel, "library search", query="plucked")
    assert not press_ids(shown.response, "track_open")
    if allowed:
        await world.alice.click(done, label="Add to library")
        shown = await world.bob.slash(world.channel, "library search", query="plucked")
        assert press_ids(shown.response, "track_open")
