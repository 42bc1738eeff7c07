"""Stems as members get them: made by the real separator, heard, taken, refused to others, gone when they should be."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bot.router import Press
from bot.service.member_data import erase_member
from bot.widgets import Card, row
from core.audio.types import STEMS
from core.library.members import export_member
from jobs.retention import Retention, clean_up
from jobs.runner import Runner
from tests.bot.conftest import World, card, labels, press_ids, tick, upload, within_budget, words
from tests.make import plucked

SECONDS = 4.0


@pytest.fixture
def separator() -> str:
    return "unet"


def archives(world: World) -> list[Path]:
    return sorted(world.settings.stems.glob("*")) if world.settings.stems.is_dir() else []


async def analysed(world: World, runner: Runner) -> Any:
    await upload(world, "plucked.wav", plucked(SECONDS))
    assert await runner.run_one()
    await tick(world)
    return await card(world)


async def made(world: World, runner: Runner, done: Any) -> Any:
    """The private card with the stems, which began as a job's card."""
    shown = await world.alice.click(done, label="Stems")
    assert shown.ephemeral and "Next in the queue" in words(shown.response)
    assert {"Cancel", "Refresh"} <= set(labels(shown.response))
    assert await runner.run_one()
    await tick(world, 4)
    within_budget(shown.response)
    return shown.response


def sound(content: bytes) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(io.BytesIO(content), always_2d=True)
    return samples, rate


async def test_from_the_result_card_to_each_stem(world: World, runner: Runner) -> None:
    done = await analysed(world, runner)
    stems = await made(world, runner, done)
    assert "Stems of" in words(stems) and "Separated by the bundled U-Net: expect traces" in words(stems)
    [archive] = archives(world)
    with zipfile.ZipFile(archive) as kept:
        assert {name.partition(".")[0] for name in kept.namelist()} == set(STEMS)
        whole = sum(sound(kept.read(f"{stem}.flac"))[0] for stem in STEMS)
    original, rate = sound(plucked(SECONDS))
    assert len(whole) == pytest.approx(SECONDS * 44_100, abs=2)
    assert np.sqrt(np.mean(whole**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.25), "they add up"

    offered = press_ids(stems, "stem")
    assert offered
    for press in offered[:2]:
        taken = await world.alice.click(stems.message, custom_id=press)
        [file] = taken.response.attachments
        assert taken.ephemeral and file.filename.endswith(f"{press.rpartition(':')[2]}.flac")
        samples, rate = sound(await file.read())
        assert rate == 44_100 and samples.shape[1] == 2
    everything = await world.alice.click(stems.message, label="All in one ZIP")
    [file] = everything.response.attachments
    with zipfile.ZipFile(io.BytesIO(await file.read())) as whole_zip:
        assert len(whole_zip.namelist()) == 6 and all(name.endswith(".flac") for name in whole_zip.namelist())

    # Asked for again, they are there at once; after a restart, too.
    await world.restart()
    again = await world.alice.click(done, label="Stems")
    assert "Stems of" in words(again.response) and len(await world.bot.queue.jobs()) == 2
    taken = await world.alice.click(stems.message, custom_id=offered[0])
    assert taken.response.attachments


async def test_too_large_is_sent_compressed_or_refused_in_a_sentence(world: World, runner: Runner) -> None:
    stems = await made(world, runner, await analysed(world, runner))
    press = press_ids(stems, "stem")[0]
    refusal = {"status": 413, "code": 40005}
    world.env.inject_error("PATCH", "/webhooks/*/messages/@original", **refusal, times=1)
    taken = await world.alice.click(stems.message, custom_id=press)
    [file] = taken.response.attachments
    samples, rate = sound(await file.read())
    assert file.filename.endswith(".ogg") and "Compressed" in taken.response.content
    assert len(samples) == pytest.approx(SECONDS * 44_100, abs=2) and rate == 44_100
    world.env.inject_error("PATCH", "/webhooks/*/messages/@original", **refusal, times=2)
    refused = await world.alice.click(stems.message, custom_id=press)
    assert "Even compressed this stem has" in words(refused.response) and not refused.response.attachments
    world.env.inject_error("PATCH", "/webhooks/*/messages/@original", **refusal, times=2)
    refused = await world.alice.click(stems.message, label="All in one ZIP")
    assert "one by one" in words(refused.response)


async def test_nobody_else_gets_them(world: World, runner: Runner) -> None:
    done = await analysed(world, runner)
    stems = await made(world, runner, done)
    for other in (world.bob, world.admin):
        asked = await other.click(done, label="Stems")
        assert asked.ephemeral and "Only who uploaded this" in words(asked.response)
        # As if they had got hold of the private card's buttons.
        channel: Any = world.bot.get_channel(world.channel.id)
        _, _, job_id, stem = press_ids(stems, "stem")[0].split(":")
        for press in (Press("stem", job_id, stem, label="Press"), Press("stem_all", job_id, label="Press")):
            await channel.send(view=Card(row(press)))
            taken = await other.click(world.channel.last_message, custom_id=press.custom_id)
            assert "Only who uploaded this" in words(taken.response) and not taken.response.attachments
    # Who uploads the same recording has it already, and gets its stems as well, without any work.
    await world.bob.slash(world.channel, "upload", track=("same.wav", plucked(SECONDS)))
    await runner.run_one()
    await tick(world)
    own = await world.bob.click(await card(world), label="Stems")
    await runner.run_one()
    await tick(world, 4)
    assert "Stems of" in words(own.response) and len(archives(world)) == 1


async def test_they_go_with_what_they_belong_to(world: World, runner: Runner) -> None:
    done = await analysed(world, runner)
    stems = await made(world, runner, done)
    press = press_ids(stems, "stem")[0]
    handed = await export_member(world.bot.database, world.alice.id)
    assert [job["kind"] for job in handed["job"]] == ["analyse", "stems"]
    # Over their time: gone, and made again from the card.
    removed = await clean_up(
        world.bot.database, world.settings.data, Retention(), now=time.time() + 3 * 86400
    )
    assert removed["stems"] == 1 and not archives(world)
    late = await world.alice.click(stems.message, custom_id=press)
    assert "I can make them again" in words(late.response)
    again = await world.alice.click(late.response.message, label="Make them again")
    await runner.run_one()
    await tick(world, 4)
    assert "Stems of" in words(again.response) and len(archives(world)) == 1
    await erase_member(world.bot.database, world.settings.data, world.alice.id)
    assert not archives(world)


async def test_removing_the_upload_removes_them(world: World, runner: Runner) -> None:
    done = await analysed(world, runner)
    await made(world, runner, done)
    await world.alice.click(done, label="Remove it")
    assert not archives(world)


async def test_cancel_and_audio_that_is_gone(world: World, runner: Runner) -> None:
    done = await analysed(world, runner)
    asked = await world.alice.click(done, label="Stems")
    await world.alice.click(asked.response.message, label="Cancel")
    assert "Cancelled" in words(asked.response)
    assert not await runner.run_one() and not archives(world)
    # Cancelled in the middle: nothing half is left.
    asked = await world.alice.click(done, label="Stems")
    work = asyncio.create_task(runner.run_one())
    while (await world.bot.queue.counts())["running"] == 0:
        await asyncio.sleep(0.01)
    await world.alice.click(asked.response.message, label="Cancel")
    await work
    assert not archives(world)
    for file in world.settings.uploads.iterdir():
        file.unlink()
    gone = await world.alice.click(done, label="Stems")
    assert "upload it again" in words(gone.response)
