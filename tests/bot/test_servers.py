"""A library for each server: what is uploaded in one is found there by everybody, and in no other by any way."""

from __future__ import annotations

import gc
import inspect
import io
import json
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.router import Press
from bot.widgets import Card, row
from core.library.consent import agree
from core.moods.profile import Profile
from core.recommend.tuning import set_weight, token
from core.settings import LibrarySettings
from jobs.runner import Runner
from tests.bot.conftest import World, labels, press_ids, raw, tick, words
from tests.bot.test_rights import alices, arguments
from tests.make import plucked

SONG = "alices-demo"


@dataclass
class Elsewhere:
    """Another server with this bot in it, and who owns it; she is not in the first one."""

    channel: Any
    user: Any
    mallory: Any


@pytest.fixture
async def elsewhere(world: World) -> Elsewhere:
    user = world.env.create_user("mallory")
    guild = world.env.create_guild("Elsewhere", owner=user)
    channel = guild.create_text_channel("general")
    await agree(world.bot.database, user.id)
    return Elsewhere(channel, user, guild.add_member(user))


async def uploaded(world: World, runner: Runner, who: Any, channel: Any, name: str, **sound: Any) -> Any:
    """The result card."""
    await who.slash(channel, "upload", track=(name, plucked(**sound)))
    assert await runner.run_one()
    await tick(world)
    return channel.last_message


async def newest(world: World, user_id: int) -> int:
    """The track of a member's latest upload."""
    [job, *_] = await world.bot.queue.jobs(user_id=user_id, state="done")
    return int(job.result["track_id"])


def said(shown: Any) -> str:
    """All that an answer says, its attachments' names included."""
    answers = [one for one in (shown.response, *shown.followups) if one is not None]
    return " ".join(
        f"{words(one)} {one.content} {json.dumps([part.filename for part in one.attachments])}"
        for one in answers
    )


async def ways(world: World, who: Any, channel: Any) -> dict[str, bool]:
    """By which commands somebody finds the song."""
    found: dict[str, bool] = {}
    for name, options in (
        ("library search", {"query": "alices"}),
        ("library browse", {"tempo_from": 20}),
        ("library track", {"track": SONG}),
        ("similar", {"track": SONG}),
        ("playlist create", {"name": "From a title", "track": SONG}),
    ):
        shown = await who.slash(channel, name, **options)
        found[name] = SONG in said(shown).replace(f"“{SONG}”", "")
        if name == "library browse":  # thirty samples are six pages
            found[name] = "1 / 7" in labels(shown.response)
    for command, option, typed in (
        ("library track", "track", "alices"),
        ("library search", "query", "alices"),
        ("similar", "track", "alices"),
        ("playlist add", "track", "alices"),
    ):
        offered = await who.autocomplete(channel, command, option, typed)
        found[f"{command} {option}"] = SONG in str(offered)
    file = io.BytesIO(f"#EXTM3U\n#EXTINF:4,{SONG}\n{SONG}.wav\n".encode())
    shown = await who.slash(channel, "playlist import", file=("list.m3u8", file.getvalue()))
    found["playlist import"] = "All 1 track found" in said(shown)
    # What recommends, compares and draws asks the catalog.
    found["the catalog"] = (await uploaded_song(world)).id in await world.bot.catalogs.of(channel.guild.id)
    return found


async def uploaded_song(world: World) -> Any:
    return next(track for track in await world.bot.library.tracks("upload") if track.title == SONG)


async def test_an_upload_is_found_in_its_own_server_by_every_way_and_in_another_by_none(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav")
    here = await ways(world, world.bob, world.channel)
    assert all(here.values()), here
    there = await ways(world, elsewhere.mallory, elsewhere.channel)
    assert not any(there.values()), there
    await world.restart()
    assert not any((await ways(world, elsewhere.mallory, elsewhere.channel)).values())
    counted = [
        words((await who.slash(channel, "admin stats")).response)
        for who, channel in ((world.admin, world.channel), (elsewhere.mallory, elsewhere.channel))
    ]
    assert "1 uploaded" in counted[0] and "0 uploaded" in counted[1]


async def test_what_recommends_and_compares_stays_with_it(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    """The song is all that each library has, beside one track that both have."""
    await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav")
    await world.bot.database.write("DELETE FROM track WHERE origin = 'sample' AND id > 3")
    for who, channel, there in (
        (world.bob, world.channel, True),
        (elsewhere.mallory, elsewhere.channel, False),
    ):
        sample = (await world.bot.library.tracks("sample"))[0].title
        for name, options in (
            ("recommend", {"mood": "power", "count": 20}),
            ("journey", {"to": "power", "start": "sadness", "tracks": 4}),
            ("similar", {"track": sample}),
            ("library map", {}),
        ):
            shown = await who.slash(channel, name, **options)
            told = said(shown) + json.dumps(raw(shown.response), default=str)
            assert (SONG in told or "A map of 4 tracks" in told) == there, (name, told)
        like = await who.slash(channel, "library track", track=sample)
        near = await who.click(like.response.message, label="More like this")
        assert (SONG in said(near)) == there
        moods = world.bot.moods
        await moods.finish(who.id, Profile({"power": 1.0}))
        party = await who.slash(channel, "party", count=10)
        await who.click(party.response.message, label="Make the playlist")
        assert (SONG in words(channel.last_message)) == there


async def test_the_same_file_in_two_servers_is_two_tracks_that_know_nothing_of_each_other(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    mine = await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav")
    theirs = await uploaded(world, runner, elsewhere.mallory, elsewhere.channel, "take-two.wav")
    one, two = await newest(world, world.alice.id), await newest(world, elsewhere.user.id)
    assert one != two
    [job] = await world.bot.queue.jobs(user_id=elsewhere.user.id)
    assert job.result["known"], "what was measured is taken over"
    assert "take-two" in words(theirs) and SONG not in words(theirs)
    first, second = [await message.attachments[0].read() for message in (mine, theirs)]
    assert first != second, "the title stands in the picture"
    analyses = [await world.bot.library.analysis(track) for track in (one, two)]
    assert analyses[0] is not None and analyses[0] == analyses[1]
    near = await elsewhere.mallory.click(theirs, label="More like this")
    assert "take-two" not in said(near).replace("Sounds like take-two", "") and SONG not in said(near)

    # Out of the library in one server, and gone with its uploader: in the other it stays.
    await world.alice.click(mine, label="Take out of the library")
    found = await elsewhere.mallory.slash(elsewhere.channel, "library search", query="take-two")
    assert press_ids(found.response, "track_open")
    gone = await world.alice.slash(world.channel, "privacy")
    sure = await world.alice.click(gone.response.message, label="Erase all")
    await world.alice.click(sure.response.message, label="Erase")
    assert await world.bot.library.get(one) is None and await world.bot.library.get(two) is not None
    heard = await elsewhere.mallory.click(theirs, label="Hear it")
    assert heard.response.attachments[0].filename.endswith(".ogg")
    await elsewhere.mallory.click(theirs, label="Remove it")
    assert not await world.bot.library.tracks("upload")
    folders = (world.settings.uploads, world.settings.pictures, world.settings.previews)
    assert not [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


async def test_what_comes_in_a_direct_message_is_in_no_library(world: World, runner: Runner) -> None:
    user = world.env.create_user("dora")
    await agree(world.bot.database, user.id)
    member = world.channel.guild.add_member(user)
    shown = await user.slash("upload", track=(f"{SONG}.wav", plucked()))
    assert await runner.run_one()
    await tick(world, 5)
    assert SONG in words(shown.response) and not [one for one in labels(shown.response) if "library" in one]
    assert not any((await ways(world, world.bob, world.channel)).values())
    # Its uploader finds it everywhere, and others' uploads in a direct message nowhere.
    for who, channel in ((user, ()), (member, (world.channel,))):
        found = await who.slash(*channel, "similar", track=SONG)
        assert f"Like {SONG}" in words(found.response)
    heard = await user.click(shown.response.message, label="Hear it")
    assert heard.response.attachments
    await uploaded(world, runner, world.alice, world.channel, "alices-own.wav", hz=330.0)
    asked = await user.slash("library search", query="alices")
    assert not press_ids(asked.response, "track_open")
    # The job that says whose it is goes after its time, and the track with it.
    from jobs.retention import Retention, clean_up

    [job] = await world.bot.queue.jobs(user_id=user.id)
    await world.bot.database.write("DELETE FROM job WHERE id = ?", [job.id])
    await clean_up(world.bot.database, world.settings.data, Retention())
    assert [track.title for track in await world.bot.library.tracks("upload")] == ["alices-own"]


async def test_no_button_made_by_hand_tells_another_server_of_an_upload(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    """Mallory presses every button there is, with the ids of Alice's things, shared ones included."""
    ids = await alices(world)
    await runner.run_one()
    await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav", hz=440.0)
    track = (await uploaded_song(world)).id
    lists = world.bot.playlists
    playlist = await lists.create(world.alice.id, "Alices list", [track])
    await world.alice.slash(world.channel, "playlist share", playlist="Alices list")
    [entry] = await lists.entries(playlist.id)
    [job, *_] = await world.bot.queue.jobs(user_id=world.alice.id)
    shown = await world.alice.slash(world.channel, "recommend", mood="power", count=20)
    await world.bot.database.write(
        "UPDATE recommendation SET tracks = json_set(tracks, '$[0].track_id', ?, '$[0].title', ?)",
        [track, SONG],
    )
    moods = world.bot.moods
    await moods.finish(world.alice.id, Profile({"power": 1.0}))
    party = await world.alice.slash(world.channel, "party", count=25)
    await world.alice.click(party.response.message, label="Make the playlist")
    await world.bot.database.write(
        "UPDATE party SET tracks = json_set(tracks, '$[0].track_id', ?, '$[0].title', ?)", [track, SONG]
    )
    ids |= {
        "track_id": track, "one": track, "other": 1, "playlist_id": playlist.id, "entry_id": entry.id, "job_id": job.id,
        "recommendation_id": press_ids(shown.response, "rec_share")[0].split(":")[2],
    }  # fmt: skip
    given = {"sim": (track, "sound", "cosine", "-", "-"), "compare": (track, 1)}
    channel: Any = world.bot.get_channel(elsewhere.channel.id)
    pressed = 0
    for action, handler in sorted(world.bot.handlers.items()):
        await agree(world.bot.database, elsewhere.user.id)
        wanted = given.get(action) or arguments(handler, ids)
        if any(
            one.kind is inspect.Parameter.VAR_POSITIONAL
            for one in inspect.signature(handler).parameters.values()
        ):
            wanted = given.get(action) or given["sim"]
        press = Press(action, *wanted, label="Press")
        await channel.send(view=Card(row(press)))
        told = await elsewhere.mallory.click(elsewhere.channel.last_message, custom_id=press.custom_id)
        now = f"{said(told)} {words(elsewhere.channel.last_message)}"
        assert SONG not in now and "Alices list" not in now, f"{action} told Mallory: {now}"
        assert "Something went wrong" not in now, action
        pressed += 1
    assert pressed > 80
    for action in ("play", "details", "like_this", "track_open", "compare", "pl_pick", "rate"):
        wanted = given.get(action) or arguments(world.bot.handlers[action], ids)
        press = Press(action, *wanted, label="Press")
        await channel.send(view=Card(row(press)))
        told = await elsewhere.mallory.click(elsewhere.channel.last_message, custom_id=press.custom_id)
        assert "no longer in the library" in said(told), (action, said(told))
    # Where it was uploaded, the same buttons work.
    here: Any = world.bot.get_channel(world.channel.id)
    press = Press("track_open", track, label="Press")
    await here.send(view=Card(row(press)))
    assert SONG in said(await world.bob.click(world.channel.last_message, custom_id=press.custom_id))


async def test_a_list_of_ones_own_names_what_is_elsewhere_and_plays_what_is_here(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    """Mallory is in both servers; her list has a track of each."""
    at_home = world.channel.guild.add_member(elsewhere.user)
    await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav")
    await uploaded(world, runner, elsewhere.mallory, elsewhere.channel, "take-two.wav", hz=330.0)
    tracks = [track.id for track in await world.bot.library.tracks("upload")]
    await world.bot.playlists.create(elsewhere.user.id, "Both", tracks)
    own = await elsewhere.mallory.slash(elsewhere.channel, "playlist show", playlist="Both")
    assert SONG in said(own) and "only in another server's library" in said(own)
    assert len(press_ids(own.response, "play")) == 1
    await elsewhere.mallory.slash(elsewhere.channel, "playlist share", playlist="Both")
    assert "take-two" in words(elsewhere.channel.last_message)
    assert SONG not in words(elsewhere.channel.last_message)
    await at_home.slash(world.channel, "playlist share", playlist="Both")
    assert SONG in words(world.channel.last_message)
    assert "take-two" not in words(world.channel.last_message)
    copied = await world.bob.click(world.channel.last_message, label="Copy to mine")
    assert SONG in said(copied) and "take-two" not in said(copied)


async def test_folders_for_one_server(
    world: World, runner: Runner, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """[library.servers]: from the first file on, with changes at the next start, without analysing anything again."""
    shared, jazz = tmp_path / "shared", tmp_path / "jazz"
    for folder, name, hertz in (
        (shared, "open-one", 220.0),
        (jazz, "jazz-one", 330.0),
        (jazz, "jazz-two", 440.0),
    ):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.wav").write_bytes(plucked(hz=hertz))

    async def configured(**servers: Any) -> None:
        library = LibrarySettings(folders=[shared, jazz], **servers)
        world.settings = world.settings.model_copy(update={"library": library})
        await world.restart()

    async def found(who: Any, channel: Any) -> set[str]:
        offered = await who.autocomplete(channel, "library track", "track", "")
        names = {one["name"].split(" ")[0] for one in offered}
        catalog = await world.bot.catalogs.of(channel.guild.id)
        assert names == {track.title for track in catalog.tracks}
        return names

    await configured(servers={jazz: [world.channel.guild.id]})
    theirs = await elsewhere.mallory.slash(elsewhere.channel, "admin reindex")
    assert theirs.response is not None
    assert [job.spec["folder"] for job in await world.bot.queue.jobs()] == [str(shared)]
    await world.admin.slash(world.channel, "admin reindex")
    while await runner.run_one():
        pass
    everything = {"open-one", "jazz-one", "jazz-two"}
    assert await found(world.bob, world.channel) == everything
    assert await found(elsewhere.mallory, elsewhere.channel) == {"open-one"}
    [hidden] = [one for one in await world.bot.library.tracks() if one.title == "jazz-one"]
    channel: Any = world.bot.get_channel(elsewhere.channel.id)
    await channel.send(view=Card(row(Press("play", hidden.id, label="Press"))))
    told = await elsewhere.mallory.click(elsewhere.channel.last_message, label="Press")
    assert "no longer in the library" in said(told)

    # Who uploads what another server's folder holds has a track of their own, by their own name.
    await elsewhere.mallory.slash(elsewhere.channel, "upload", track=("take-two.wav", plucked(hz=330.0)))
    assert await runner.run_one()
    assert await found(elsewhere.mallory, elsewhere.channel) == {"open-one", "take-two"}
    assert await found(world.bob, world.channel) == everything

    made = await world.bot.database.fetch("SELECT track_id, analysed_at, change FROM analysis")
    await configured(servers={jazz: [elsewhere.channel.guild.id]})
    assert await found(elsewhere.mallory, elsewhere.channel) == {*everything, "take-two"}
    assert await found(world.bob, world.channel) == {"open-one"}
    await configured()
    assert await found(world.bob, world.channel) == everything
    assert await world.bot.database.fetch("SELECT track_id, analysed_at, change FROM analysis") == made


async def test_weights_of_a_server_hold_no_catalog_that_was_let_go(
    world: World, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = world.channel.guild.id, elsewhere.channel.guild.id
    for server in (here, there):
        await set_weight(world.bot.database, server, world.alice.id, "power.mix.tempo", 0.0, token({}))
    await world.bot.database.write("UPDATE track SET origin = 'upload', guild_id = ? WHERE id > 27", [here])
    first, second = await world.bot.catalogs.of(here), await world.bot.catalogs.of(there)
    assert first.weights == second.weights == {"power.mix.tempo": 0.0} and len(first) > len(second)
    assert await world.bot.catalogs.of(here) is first
    monkeypatch.setattr("core.library.loading.CACHED_TRACKS", 30)
    assert await world.bot.catalogs.of(there) is second
    let_go = weakref.ref(first)
    del first
    gc.collect()
    assert let_go() is None
    assert (await world.bot.catalogs.of(here)).weights == second.weights


async def test_a_card_that_is_opened_elsewhere_names_what_is_there(
    world: World, runner: Runner, elsewhere: Elsewhere
) -> None:
    """Mallory uploads in the first server, and looks at /jobs in her own and in a direct message."""
    at_home = world.channel.guild.add_member(elsewhere.user)
    await uploaded(world, runner, world.alice, world.channel, f"{SONG}.wav")
    await uploaded(world, runner, at_home, world.channel, "mallorys.wav", seconds=4.1)
    assert SONG in words(world.channel.last_message), "it sounds the same"
    for who, channel in (
        (at_home, (world.channel,)), (elsewhere.mallory, (elsewhere.channel,)), (elsewhere.user, ()),
    ):  # fmt: skip
        jobs = await who.slash(*channel, "jobs")
        shown = await who.click(jobs.response.message, label="Show 1")
        assert "mallorys" in said(shown) and (SONG in said(shown)) == (who is at_home)
