"""What a member erases is gone: from others' histories, from the index to search by, from the bytes of the files."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.consent import ConsentGate
from bot.service.member_data import erase_again, erase_member
from core.library.consent import agree, agreed
from core.library.copies import stamp
from core.library.erased import erased_at, note_erased
from core.library.members import export_member
from core.library.playlists import Playlists
from core.library.schema import open_database
from core.moods.profile import Profile
from jobs.retention import Retention, clean_up
from jobs.runner import Runner
from tests.bot.conftest import World, press_ids, raw, tick, walk, within_budget, words
from tests.bot.test_servers import newest, said, uploaded
from tests.make import plucked

NAME = "zzqq-private-tune"


async def erase(world: World, who: Any) -> str:
    """Erase by /privacy, as a member does; return the answer."""
    asked = await who.slash(world.channel, "privacy", action="erase")
    await who.click(asked.response, label="Erase")
    return words(asked.response)


def bytes_with(folder: Path, *said: str) -> list[str]:
    """The files that hold any of the words in UTF-8."""
    return [
        f"{path.name}: {one}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for one in said
        if one.encode() in path.read_bytes()
    ]


async def in_everything_of_bobs(world: World, track: int) -> None:
    """Bob likes the track, is recommended it, puts it in a list, a journey and a party, and skips it."""
    lists, moods = world.bot.playlists, world.bot.moods
    await lists.create(world.bob.id, "bobs", [track, 1])
    await moods.finish(world.bob.id, Profile({"power": 1.0}))
    await world.bot.database.write("DELETE FROM track WHERE origin = 'sample' AND id > 5")
    await world.bot.feedback.say(world.bob.id, track, True)
    shown = await world.bob.slash(world.channel, "recommend", mood="power", count=20)
    [skipping] = [
        part["custom_id"]
        for part in walk(raw(shown.response))
        if part.get("custom_id", "").startswith("mc:rec_steer")
    ]
    await world.bob.select(shown.response, [f"skip.{track}"], custom_id=skipping)
    await world.bob.slash(world.channel, "recommend", mood="power", count=20)
    await world.bob.slash(world.channel, "journey", to="power", start="sadness", tracks=6)
    party = await world.bob.slash(world.channel, "party", count=10)
    await world.bob.click(party.response.message, label="Make the playlist")


async def bobs_history(world: World) -> str:
    """/history and all picks that can be opened from there."""
    shown = await world.bob.slash(world.channel, "history")
    told = said(shown)
    for opened in press_ids(shown.response, "hist_open"):
        picks = await world.bob.click(shown.response, custom_id=opened)
        within_budget(picks.response)
        told += words(picks.response)
    return told


async def test_nothing_of_an_erased_upload_is_left_with_others(
    world: World, runner: Runner, drawn_here: None
) -> None:
    await uploaded(world, runner, world.alice, world.channel, f"{NAME}.wav", hz=360)
    track = await newest(world, world.alice.id)
    await in_everything_of_bobs(world, track)
    held = {
        table
        for table in ("recommendation", "journey", "party", "playlist_entry", "track")
        for row in await world.bot.database.fetch(f"SELECT * FROM {table}")
        if NAME in str(tuple(row))
    }
    assert held == {"recommendation", "journey", "party", "playlist_entry", "track"}
    assert bytes_with(world.settings.data, "zzqq")
    assert "I know nothing about you now" in await erase(world, world.alice)
    assert not bytes_with(world.settings.data, "zzqq", "private-tune")
    told = await bobs_history(world)
    assert ". —**" in told and "zzqq" not in told
    assert "zzqq" not in said(await world.bob.slash(world.channel, "playlist show", playlist="bobs"))
    found = await world.bob.slash(world.channel, "library search", query="private")
    assert not press_ids(found.response, "track_open")


async def test_a_title_from_the_erased_members_file_name_goes_where_the_track_stays(
    world: World, runner: Runner, drawn_here: None
) -> None:
    """Bob uploaded the same bytes under a name of his own: that is the title from then on, also in what he kept."""
    song = plucked(hz=350)
    for who, name in ((world.alice, f"{NAME}.wav"), (world.bob, "bobs-copy.wav")):
        await who.slash(world.channel, "upload", track=(name, song))
        assert await runner.run_one()
        await tick(world)
    track = await newest(world, world.bob.id)
    await in_everything_of_bobs(world, track)
    await erase(world, world.alice)
    assert not bytes_with(world.settings.data, "zzqq", "private-tune")
    assert "bobs-copy" in await bobs_history(world)
    assert "bobs-copy" in said(await world.bob.slash(world.channel, "playlist show", playlist="bobs"))
    jobs = await world.bob.slash(world.channel, "jobs")
    shown = await world.bob.click(jobs.response, custom_id=press_ids(jobs.response, "job_show")[0])
    assert "bobs-copy" in words(shown.response) and "zzqq" not in words(shown.response)


async def test_an_upload_that_is_fetched_while_its_member_erases_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord hands the file over slowly enough for /privacy to come first."""
    world.expected = (sqlite3.IntegrityError,)
    read = discord.Attachment.read

    async def slowly(attachment: discord.Attachment, **options: Any) -> bytes:
        await erase_member(world.bot.database, world.settings.data, world.alice.id)
        return await read(attachment, **options)

    monkeypatch.setattr(discord.Attachment, "read", slowly)
    shown = await world.alice.slash(world.channel, "upload", track=("late.wav", plucked()))
    assert "stored nothing" in said(shown)
    assert not [*world.settings.uploads.iterdir()] and not await world.bot.queue.jobs()
    left = await export_member(world.bot.database, world.alice.id)
    assert all(not rows for name, rows in left.items() if name != "user_id"), left


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("recommend", {"mood": "power"}),
        ("journey", {"to": "power", "start": "sadness"}),
        ("library search", {"query": "a"}),
        ("playlist create", {"name": "Late"}),
    ],
)
async def test_what_is_computed_while_its_member_erases_is_not_stored(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    world.expected = (sqlite3.IntegrityError,)
    let_through = ConsentGate.lets_through

    async def then_erased(gate: ConsentGate, *asked: Any) -> bool:
        answer = await let_through(gate, *asked)
        await erase_member(world.bot.database, world.settings.data, world.alice.id)
        return answer

    monkeypatch.setattr(ConsentGate, "lets_through", then_erased)
    shown = await world.alice.slash(world.channel, name, **options)
    assert "stored nothing" in said(shown)
    left = await export_member(world.bot.database, world.alice.id)
    assert all(not rows for name, rows in left.items() if name != "user_id"), left


async def test_picks_that_name_a_track_which_is_gone_are_not_stored(
    world: World, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob's picks are computed from a library that still had Alice's track."""
    world.expected = (sqlite3.IntegrityError,)
    await uploaded(world, runner, world.alice, world.channel, f"{NAME}.wav", hz=360)
    await world.bot.database.write("DELETE FROM track WHERE origin = 'sample' AND id > 3")
    stale = await world.bot.catalogs.of(world.channel.guild.id)
    await erase(world, world.alice)

    async def of_before(*_: Any) -> Any:
        return stale

    monkeypatch.setattr(type(world.bot.catalogs), "of", of_before)
    shown = await world.bob.slash(world.channel, "recommend", mood="power", count=20)
    assert "taken out of the library just now" in said(shown)
    assert not bytes_with(world.settings.data, "zzqq")


async def shared_things(world: World, who: Any, track: int) -> None:
    """Picks, a playlist and a party of a member's, all for everybody in the channel and with the track in them."""
    lists = world.bot.playlists
    await lists.create(who.id, f"List of {who.id}", [track])
    await world.bot.moods.finish(who.id, Profile({"power": 1.0}))
    picks = await who.slash(world.channel, "recommend", mood="power", count=4)
    await who.click(picks.response, label="Share")
    await who.slash(world.channel, "playlist share", playlist=f"List of {who.id}")
    party = await who.slash(world.channel, "party", count=4)
    for guest in (world.alice, world.bob):
        if guest is not who:
            await guest.click(party.response.message, label="Join")
    await who.click(party.response.message, label="Make the playlist")


async def test_public_cards_go_with_whom_they_show(world: World, runner: Runner, drawn_here: None) -> None:
    await uploaded(world, runner, world.alice, world.channel, f"{NAME}.wav", hz=360)
    track = await newest(world, world.alice.id)
    await world.bot.database.write("DELETE FROM track WHERE origin = 'sample' AND id > 3")
    for who in (world.alice, world.bob):
        await shared_things(world, who, track)
    await uploaded(world, runner, world.bob, world.channel, "bobs.wav", hz=361)  # "Goes well with" Alice's
    await world.bob.slash(world.channel, "party", count=5)  # shows nothing of hers
    before = seen(world)
    assert len(before) == 9 and sum(NAME in one for one in before) == 8
    await erase(world, world.alice)
    after = seen(world)
    assert len(after) == 5, "hers are deleted, Bob's four and the one without her stay"
    assert sum("was erased since" in one for one in after) == 4
    assert not [one for one in after if NAME in one or str(world.alice.id) in one]
    assert any("In so far" in one and str(world.bob.id) in one for one in after)


async def test_public_cards_go_when_the_operator_erases(world: World, runner: Runner) -> None:
    """Another process erases; the bot takes down what it had posted, after a restart, too."""
    await uploaded(world, runner, world.alice, world.channel, f"{NAME}.wav", hz=360)
    assert any(NAME in one for one in seen(world))
    await asyncio.to_thread(moodstem, world.settings.data, "erase", str(world.alice.id), "--yes")
    assert not bytes_with(world.settings.data, "zzqq")
    await world.restart()
    await world.env.advance_time(61)
    assert not any(NAME in one for one in seen(world))


def moodstem(folder: Path, *command: str) -> str:
    """What a command of the command line says."""
    code = "from bot.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--data", str(folder), *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


async def test_a_restore_brings_nobody_back(tmp_path: Path) -> None:
    """Dora was erased after the backup, Emil too, but he agreed again; their ids stand in no file meanwhile."""
    dora, emil, path = 801234567890123456, 801234567890123457, tmp_path / "moodstem.db"
    async with await open_database(path) as database:
        for user in (dora, emil):
            await agree(database, user)
            await Playlists(database).create(user, f"List of {user}")
    kept = moodstem(tmp_path, "db", "backup").strip()
    for user in (dora, emil):
        moodstem(tmp_path, "erase", str(user), "--yes")
    note = tmp_path / "erased.json"
    assert note.stat().st_mode & 0o077 == 0 and not bytes_with(tmp_path, str(dora))[1:]
    assert str(dora) not in note.read_text() and len(json.loads(note.read_text())["erased"]) == 2
    told = moodstem(tmp_path, "db", "restore", kept)
    assert "Erased again, since they had been after this backup: 2 members" in told
    async with await open_database(path) as database:
        assert not await agreed(database, dora) and not await Playlists(database).of(dora)
        await database.write("INSERT INTO consent VALUES (?, 1, unixepoch() + 5)", [emil])
    later = moodstem(tmp_path, "db", "backup").strip()
    assert "Erased again" not in moodstem(tmp_path, "db", "restore", later), "who agreed since stays"
    # A backup that was put there by hand is looked through when the bot starts.
    shutil.copyfile(kept, path)
    async with await open_database(path) as database:
        assert await erase_again(database, tmp_path) == 2 and not await agreed(database, dora)


async def test_who_was_erased_is_forgotten_when_no_backup_is_from_before(tmp_path: Path) -> None:
    now = time.time()
    for days, user in ((200, 1), (95, 2), (10, 3)):
        note_erased(tmp_path, user, now - days * 86400)
    assert [erased_at(tmp_path)(user) > 0 for user in (1, 2, 3)] == [False, True, True]
    copy = tmp_path / "backups" / f"replaced-{stamp(now - 150 * 86400)}.db"
    copy.parent.mkdir()
    copy.touch()
    note_erased(tmp_path, now=now)
    assert [erased_at(tmp_path)(user) > 0 for user in (2, 3)] == [True, True], "the copy still holds number 2"
    copy.unlink()
    async with await open_database(tmp_path / "moodstem.db") as database:
        await clean_up(database, tmp_path, Retention())
    assert [erased_at(tmp_path)(user) > 0 for user in (2, 3)] == [False, True]


def seen(world: World) -> list[str]:
    """All that stands in the channel, oldest first."""
    return [f"{words(one)} {[file.filename for file in one.attachments]}" for one in world.channel.history()]
