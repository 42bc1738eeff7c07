"""/playlist as members use it: every command and button, restarts, strangers, hostile names and files."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import pytest

from core.library.playlist_files import read
from core.library.playlists import MOST_LISTS
from tests.bot.conftest import World, labels, press_ids, previews_ready, raw, walk, within_budget, words
from tests.bot.features.test_recommend import with_mood
from tests.core.library.test_playlist_files import HOSTILE
from tests.make import remove_track, upsert_track

MANY = "".join(
    f"#EXTINF:9,the - of - and - a - {'(' * 99} {number}\n{number}.mp3\n" for number in range(300)
).encode()

WORST = "*_`~|>#[x](http://evil.example)@everyone <@1> 夜に駆ける ÄÖÜ"


async def run(world: World, command: str, member: Any = None, **options: Any) -> Any:
    """A /playlist command; its private answer."""
    shown = await (member or world.alice).slash(world.channel, f"playlist {command}", **options)
    assert shown.response is not None and shown.ephemeral
    within_budget(shown.response)
    return shown.response


async def choices(world: World, command: str, option: str, typed: str = "", **filled: Any) -> list[str]:
    found = await world.alice.autocomplete(world.channel, f"playlist {command}", option, typed, **filled)
    assert len(found) <= 25 and all(len(one["name"]) <= 100 and len(one["value"]) <= 100 for one in found)
    return [one["name"] for one in found]


async def filled(world: World, name: str = "Sunday", count: int = 3, member: Any = None) -> Any:
    """A playlist with the first tracks of the library."""
    tracks = [track.id for track in await world.bot.library.tracks()]
    return await world.bot.playlists.create((member or world.alice).id, name, tracks[:count])


def order(message: Any) -> list[str]:
    """The titles on a playlist's card, in their order."""
    found = []
    for part in walk(raw(message)):
        first = part.get("content", "").split("\n")[0].strip("*")
        if part.get("type") == 10 and first[:1].isdigit():
            found.append(first.split(". ", 1)[1])
    return found


async def test_make_fill_and_look(world: World) -> None:
    assert "no playlist yet" in words(await run(world, "show"))
    [choice, *_] = await world.alice.autocomplete(world.channel, "playlist create", "track", "pillow")
    card = await run(world, "create", name="Sunday", track=choice["value"])
    assert "Made." in words(card) and order(card) == ["Pillow of Snow"] and "1 track" in words(card)
    added = await run(world, "add", playlist="sunday", track="floodlights")
    assert "**Floodlights** is in **Sunday** now" in words(added)
    again = await run(world, "add", playlist="Sunday", track="floodlights")
    assert "already" in words(again)
    opened = await world.alice.click(added.message, label="Open it")
    assert opened.response is not None and order(opened.response) == ["Pillow of Snow", "Floodlights"]
    new = await run(world, "add", playlist="Monday", track="tango")
    assert "**Monday** now" in words(new)
    assert await choices(world, "show", "playlist") == ["Monday (1 track)", "Sunday (2 tracks)"]
    assert await choices(world, "show", "playlist", "SUN") == ["Sunday (2 tracks)"]
    assert (await choices(world, "add", "playlist", "Tue"))[-1] == "➕ New playlist “Tue”"
    lists = await run(world, "show")
    await world.alice.click(lists.message, custom_id=press_ids(lists, "pl_page")[1])
    assert order(lists) == ["Pillow of Snow", "Floodlights"]


async def test_remove_move_and_rename(world: World) -> None:
    await filled(world, count=4)
    titles = order(await run(world, "show", playlist="Sunday"))
    assert await choices(world, "move", "track", "", playlist="Sunday") == [
        f"{place}. {name}" for place, name in enumerate(titles_with_artists(await entries(world)), 1)
    ]
    moved = await run(world, "move", playlist="Sunday", track="4", place=1)
    assert order(moved) == [titles[3], *titles[:3]] and "is number 1 now" in words(moved)
    beyond = await run(world, "move", playlist="Sunday", track=titles[3], place=400)
    assert order(beyond) == titles
    [choice, *_] = await world.alice.autocomplete(
        world.channel, "playlist remove", "track", titles[1][:4], playlist="Sunday"
    )
    removed = await run(world, "remove", playlist="Sunday", track=choice["value"])
    assert order(removed) == [titles[0], *titles[2:]]
    assert "choose one from the list" in words(
        await run(world, "remove", playlist="Sunday", track="entry:1"[::-1])
    )
    assert "Renamed" in words(await run(world, "rename", playlist="Sunday", name="Montag"))
    assert "no playlist of that name" in words(await run(world, "show", playlist="Sunday"))
    await filled(world, "Other")
    assert "already; choose another" in words(await run(world, "rename", playlist="Other", name=" MONTAG "))
    assert "at least one visible" in words(await run(world, "create", name="\u200b"))


async def entries(world: World) -> Any:
    lists = world.bot.playlists
    [playlist] = await lists.of(world.alice.id)
    return await lists.entries(playlist.id)


def titles_with_artists(found: Any) -> list[str]:
    return [f"{entry.title} · {entry.artist}" for entry in found]


async def test_put_in_order_by_buttons_also_after_a_restart(world: World) -> None:
    await filled(world, count=7)
    card = await run(world, "show", playlist="Sunday")
    titles = order(card)
    await world.alice.click(card.message, label="Edit")
    within_budget(card)
    assert order(card) == titles[:5]
    await world.restart()
    await world.alice.click(card.message, custom_id=press_ids(card, "pl_down")[0])
    assert order(card)[:2] == [titles[1], titles[0]]
    await world.alice.click(card.message, custom_id=press_ids(card, "pl_up")[1])
    assert order(card)[:2] == titles[:2]
    await world.alice.click(card.message, label="1 / 2")
    assert order(card) == titles[5:]
    gone = press_ids(card, "pl_drop")[0]
    await world.alice.click(card.message, custom_id=gone)
    assert order(card) == titles[6:]
    await world.alice.click(card.message, label="Done")
    assert order(card) == [*titles[:5], titles[6]]
    old = await run(world, "show", playlist="Sunday")
    await world.alice.click(old.message, label="Edit")
    await world.bot.playlists.remove(*(await ids(world)))
    late = await world.alice.click(old.message, custom_id=press_ids(old, "pl_down")[0])
    assert late.response is not None and "not in the playlist any more" in words(late.response)


async def ids(world: World) -> tuple[int, int, int]:
    """The list, its member, and its first entry."""
    [playlist] = await world.bot.playlists.of(world.alice.id)
    return playlist.id, world.alice.id, (await entries(world))[0].id


async def test_pages_of_a_long_list_and_of_many_lists(world: World) -> None:
    await filled(world, count=30)
    card = await run(world, "show", playlist="Sunday")
    seen = set(order(card))
    for label in ("1 / 5", "2 / 5", "3 / 5", "4 / 5"):
        await world.alice.click(card.message, label=label)
        within_budget(card)
        seen |= set(order(card))
    assert len(seen) == 30
    lists = world.bot.playlists
    for place in range(1, MOST_LISTS):
        await lists.create(world.alice.id, f"List {place} {'x' * 40}")
    assert "delete one first" in words(await run(world, "create", name="One more"))
    card = await run(world, "show")
    await world.alice.click(card.message, label="1 / 13")
    within_budget(card)
    assert len(await choices(world, "show", "playlist")) == 25
    found = await world.alice.slash(world.channel, "library track", track="pillow")
    assert found.response is not None
    pick = await world.alice.click(found.response.message, label="Add to playlist")
    assert pick.response is not None and "Older playlists" in words(pick.response)
    within_budget(pick.response)


async def test_share_listen_copy_and_stop_sharing(world: World) -> None:
    await previews_ready(world)
    await filled(world, count=10)
    shown = await world.alice.slash(world.channel, "playlist share", playlist="Sunday")
    assert shown.response is not None and not shown.ephemeral
    within_budget(shown.response)
    public = shown.response
    assert "and 2 more" in words(public) and "Edit" not in labels(public) and "Delete" not in labels(public)
    await world.restart()
    heard = await world.bob.click(public.message, label="Listen")
    assert heard.ephemeral and heard.response is not None and heard.response.attachments
    assert "1 of 10 in Sunday" in heard.response.content
    for expected in ("2 of 10", "3 of 10"):
        await world.bob.click(heard.response.message, label="Next")
        assert expected in heard.response.content and len(heard.response.attachments) == 1
    back = press_ids(heard.response, "pl_on")[0]
    await world.bob.click(heard.response.message, custom_id=back)
    assert "2 of 10" in heard.response.content
    seen = await world.bob.click(public.message, label="Show all")
    assert seen.ephemeral and seen.response is not None and "Edit" not in labels(seen.response)
    await world.bob.click(seen.response.message, label="1 / 2")
    assert len(order(seen.response)) == 3
    exported = await world.bob.click(seen.response.message, label="Export")
    assert exported.response is not None and len(exported.response.attachments) == 3
    copied = await world.bob.click(public.message, label="Copy to mine")
    assert copied.response is not None and "yours to change" in words(copied.response)
    assert "Edit" in labels(copied.response)
    own = await run(world, "show", playlist="Sunday")
    await world.alice.click(own.message, label="Stop sharing")
    assert "Only you see it now" in words(own) and "Share" in labels(own)
    refused = await world.bob.click(public.message, label="Show all")
    assert refused.response is not None and "no longer shared" in words(refused.response)
    assert [one.name for one in await world.bot.playlists.of(world.bob.id)] == ["Sunday"]


async def test_a_stranger_can_change_nothing(world: World) -> None:
    playlist = await filled(world, count=3)
    lists = world.bot.playlists
    await lists.share(playlist.id, world.alice.id, world.channel.guild.id)
    first = (await lists.entries(playlist.id))[0]
    shared = await world.alice.slash(world.channel, "playlist share", playlist="Sunday")
    cog = world.bot.get_cog("playlist") or world.bot.get_cog("PlaylistCommands")
    assert shared.response is not None and cog is not None
    for action, arguments in (
        ("pl_edit", (playlist.id, 0)),
        ("pl_up", (playlist.id, first.id, 0)),
        ("pl_down", (playlist.id, first.id, 0)),
        ("pl_drop", (playlist.id, first.id, 0)),
        ("pl_share", (playlist.id,)),
        ("pl_unshare", (playlist.id,)),
        ("pl_delete", (playlist.id,)),
        ("pl_gone", (playlist.id,)),
        ("pl_put", (playlist.id, first.track_id)),
    ):
        card = await forged(world, action, *arguments)
        refused = await world.bob.click(card, custom_id=f"ms:{action}:{':'.join(map(str, arguments))}")
        assert refused.response is not None and refused.ephemeral, action
        assert "Only the member who made this playlist" in words(refused.response), action
    for command, options in (
        ("rename", {"name": "Mine"}),
        ("delete", {}),
        ("add", {"track": "tango"}),
        ("remove", {"track": "1"}),
        ("move", {"track": "1", "place": 2}),
        ("share", {}),
        ("export", {}),
        ("play", {}),
        ("show", {}),
    ):
        refused = await run(world, command, world.bob, playlist=f"list:{playlist.id}", **options)
        assert "Only the member who made" in words(refused), command
    assert (await lists.entries(playlist.id))[0] == first
    [still] = await lists.of(world.alice.id)
    assert still.count == 3 and still.name == "Sunday" and still.shared


async def forged(world: World, action: str, *arguments: object) -> Any:
    """A message with a button that its presser should not have."""
    from bot.router import Press
    from bot.widgets import note_card

    channel = world.bot.get_channel(world.channel.id)
    return await channel.send(view=note_card("x", Press(action, *arguments, label="x")))


async def test_delete_asks_first(world: World) -> None:
    playlist = await filled(world)
    card = await run(world, "delete", playlist="Sunday")
    assert "cannot be undone" in words(card)
    await world.alice.click(card.message, label="Keep it")
    assert len(order(card)) == 3
    await world.alice.click(card.message, label="Delete")
    await world.restart()
    await world.alice.click(card.message, label="Delete it")
    assert "Deleted **Sunday**" in words(card)
    assert await world.bot.playlists.of(world.alice.id) == []
    late = await forged(world, "pl_page", playlist.id, 0)
    gone = await world.alice.click(late, label="x")
    assert gone.response is not None and "no longer shared" in words(gone.response)


async def test_export_and_import_in_every_format(world: World) -> None:
    await filled(world, count=5)
    own = await entries(world)
    handed = await run(world, "export", playlist="Sunday")
    assert sorted(one.filename for one in handed.attachments) == ["Sunday.jspf", "Sunday.m3u8", "Sunday.xspf"]
    single = await run(world, "export", playlist="Sunday", format="xspf")
    assert len(single.attachments) == 1
    for number, attachment in enumerate(handed.attachments, 2):
        data = await attachment.read()
        assert str(world.settings.data).encode() not in data and b"/samples" not in data
        assert [item.title for item in read(data).items] == [entry.title for entry in own]
        card = await run(world, "import", file=(attachment.filename, data))
        assert "All 5 tracks found" in words(card) and f"Sunday ({number})" in words(card)
        opened = await world.alice.click(card.message, label="Open")
        assert opened.response is not None and order(opened.response) == [entry.title for entry in own]


async def test_others_are_answered_while_hostile_files_are_imported(world: World) -> None:
    """Between two turns of the event loop the bot's process works for a tenth of a second at most. That is its processor
    time, in whichever thread, since a busy machine may let it wait for longer; what something else took is not taken again."""
    gc.freeze()  # what other tests have left is not looked through here, as the bot freezes what it starts with
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        before = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.process_time()
            longest, before = max(longest, now - before), now

    beating = asyncio.create_task(beat())
    silent = {}
    for kind, data in {**HOSTILE, "names that many have": MANY}.items():
        for _ in range(2):
            longest = 0.0
            assert words(await run(world, "import", file=("x.m3u", data)))
            silent[kind] = min(longest, silent.get(kind, longest))
            if longest < 0.1:
                break
    beating.cancel()
    gc.unfreeze()
    assert max(silent.values()) < 0.1, silent


async def test_an_import_names_what_it_did_not_find(world: World) -> None:
    lines = [f"#EXTINF:100,Nobody {WORST} - Missing {place} {WORST}\nx{place}.mp3" for place in range(40)]
    lines.append("#EXTINF:44,Orla Venn - Pillow of Snow\n/etc/passwd")
    card = await run(world, "import", file=("a.m3u", "\n".join(lines).encode()), name="Mixed")
    text = words(card)
    assert "1 of 41 tracks found" in text and "Missing 0" in text and "and 28 more" in text
    [missing] = card.attachments
    assert (await missing.read()).decode().count("Missing") == 40
    none = await run(world, "import", file=("b.m3u", b"#EXTINF:9,Q - Zzz\nz.mp3"))
    assert "None of its 1 track is in the library" in words(none)
    assert len(await world.bot.playlists.of(world.alice.id)) == 1


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        (
            "x.xspf",
            b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><playlist>&x;</playlist>',
            "entities",
        ),
        ("x.mp3", b"ID3\x03\0\0\0\0", "not a playlist"),
        ("x.jspf", b'{"playlist":' + b"[" * 50_000, "broken"),
        ("x.m3u", b"", "names no track"),
        ("x.m3u", b"a" * 2_000_001, "small text file"),
    ],
)
async def test_files_that_are_no_playlist_are_refused(
    world: World, name: str, data: bytes, says: str
) -> None:
    assert says in words(await run(world, "import", file=(name, data)))


async def test_save_recommendations_as_a_playlist(world: World) -> None:
    await with_mood(world, peacefulness=1.0)
    picks = await world.alice.slash(world.channel, "recommend", occasion="relaxation", count=12)
    assert picks.response is not None
    within_budget(picks.response)
    await world.restart()
    saved = await world.alice.click(picks.response.message, label="Save")
    assert (
        saved.response is not None
        and "For relaxation" in words(saved.response)
        and "12 tracks" in words(saved.response)
    )
    again = await world.alice.click(picks.response.message, label="Save")
    assert again.response is not None and r"For relaxation (2)" in words(again.response)
    made = press_ids(picks.response, "pl_save")[0].split(":")[2]
    stolen = await world.bob.click(await forged(world, "pl_save", made), label="x")
    assert stolen.response is not None and "somebody else's" in words(stolen.response)


async def test_add_to_a_playlist_from_a_track(world: World) -> None:
    await filled(world, "Sunday", 1)
    found = await world.alice.slash(world.channel, "library track", track="floodlights")
    assert found.response is not None
    for label, says in (
        ("Sunday", "**Sunday** now"),
        ("Sunday", "already"),
        ("New playlist", "**My playlist** now"),
    ):
        pick = await world.alice.click(found.response.message, label="Add to playlist")
        assert pick.response is not None
        within_budget(pick.response)
        await world.alice.click(pick.response.message, label=label)
        assert says in words(pick.response)


async def test_the_worst_names_fit(world: World) -> None:
    library = world.bot.library
    for place in range(9):
        await upsert_track(
            library,
            content_hash=f"{place:064x}",
            path=f"/m/{place}.mp3",
            origin="folder",
            title=(WORST * 9)[:200],
            artist=(WORST * 9)[:200],
            duration_s=86_399,
        )
    tracks = [track.id for track in await library.tracks("folder")]
    lists = world.bot.playlists
    playlist = await lists.create(world.alice.id, WORST[:60], tracks)
    cards = [await run(world, "show"), await run(world, "show", playlist=f"list:{playlist.id}")]
    shared = await world.alice.slash(world.channel, "playlist share", playlist=f"list:{playlist.id}")
    edited = await run(world, "show", playlist=f"list:{playlist.id}")
    await world.alice.click(edited.message, label="Edit")
    for card in (*cards, shared.response, edited):
        within_budget(card)
        assert "@everyone" not in words(card) and "http:/" not in words(card)
    exported = await run(world, "export", playlist=f"list:{playlist.id}")
    for attachment in exported.attachments:
        assert len(read(await attachment.read()).items) == 9


async def test_tracks_that_went_stay_named_and_come_back(world: World) -> None:
    library = world.bot.library
    facts: dict[str, Any] = {"content_hash": "ab" * 32, "path": "/m/a.mp3", "title": "Away", "duration_s": 60}
    away = await upsert_track(library, origin="folder", **facts)
    upload = await upsert_track(
        library, origin="upload", **facts | {"content_hash": "cd" * 32, "title": "Mine"}
    )
    lists = world.bot.playlists
    playlist = await lists.create(world.alice.id, "Sunday", [away, upload])
    await remove_track(library, away)
    await remove_track(library, upload)
    card = await run(world, "show", playlist="Sunday")
    assert order(card) == ["Away"] and "not in the library now" in words(card)
    assert "Nothing of this playlist is in the library" in words(await run(world, "play", playlist="Sunday"))
    back = await upsert_track(library, origin="folder", **facts | {"title": "Back"})
    [entry] = await lists.entries(playlist.id)
    assert (entry.track_id, entry.title) == (back, "Back")


async def test_next_at_once_is_a_skip_and_later_is_not(world: World) -> None:
    await previews_ready(world)
    await filled(world)
    heard = await run(world, "play", playlist="Sunday")
    await world.alice.click(heard.message, label="Next")
    await world.bot.database.write("UPDATE play SET at = at - 25 WHERE skipped_at IS NULL")
    await world.alice.click(heard.message, label="Next")
    rows = await world.bot.database.fetch("SELECT track_id, skipped_at FROM play ORDER BY id")
    tracks = [track.id for track in await world.bot.library.tracks()][:3]
    assert [row["track_id"] for row in rows] == tracks
    assert [row["skipped_at"] is not None for row in rows] == [True, False, False]
    tastes = world.bot.tastes
    found = await tastes.opinions(world.alice.id)
    assert found.kinds[tracks[0]] == "saved"  # what was saved counts, whatever was skipped
    await world.bot.database.write("DELETE FROM playlist")
    assert (await tastes.opinions(world.alice.id)).kinds[tracks[0]] == "skipped"


async def test_a_playlist_that_flows(world: World) -> None:
    from core.recommend.transitions import flow, ordered

    playlist = await filled(world, count=12)
    card = await run(world, "show", playlist="Sunday")
    await world.alice.click(card.message, label="Edit")
    await world.alice.click(card.message, label="Let it flow")
    within_budget(card)
    now = [entry.track_id for entry in await world.bot.playlists.entries(playlist.id)]
    before = [track.id for track in await world.bot.library.tracks()][:12]
    catalog = await world.bot.catalogs.of(world.channel.guild.id)
    assert now == ordered(catalog, before) and now[0] == before[0] and sorted(now) == sorted(before)

    def cost(tracks: list[int]) -> float:
        rows = [catalog.index(track_id) for track_id in tracks]
        return float(
            sum(flow(catalog).costs(rows[k : k + 1], rows[k + 1 : k + 2])[0, 0] for k in range(len(rows) - 1))
        )

    assert cost(now) < 0.7 * cost(before)
