"""What a member erases is gone: from others' histories, from the index to search by, from the bytes of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.moods.profile import Profile
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
