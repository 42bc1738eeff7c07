"""Playlists: any series of changes leaves what a list of names would hold, and what was exported is found again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.library.matching import match
from core.library.playlist_files import FORMATS, Item, item_of, parse, write
from core.library.playlists import MOST_ENTRIES, Playlists
from core.library.schema import open_database
from core.library.scope import LibraryScope
from core.library.tags import one_line
from core.library.tracks import Library
from tests.make import remove_track, upsert_track
from tests.refusals import refusal

ALICE, BOB = 1, 2
HOME = 7


async def put(
    library: Library, title: str, artist: str | None = None, seconds: float = 200.0, **facts: Any
) -> int:
    count = (await library.counts())["total"] + 1
    facts = {"content_hash": f"{count:064x}", "path": f"/music/{count}.mp3", "origin": "folder"} | facts
    return await upsert_track(library, title=title, artist=artist, duration_s=seconds, **facts)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.integers(0, 7), max_size=3)),
        st.tuples(st.just("remove"), st.integers(0, 9)),
        st.tuples(st.just("move"), st.tuples(st.integers(0, 9), st.integers(-3, 12))),
    ),
    max_size=12,
)


def test_any_changes_leave_what_a_list_would_hold(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(open_database(tmp_path / "x.db"))
        tracks = [runner.run(put(Library(database), f"T{place}")) for place in range(8)]
        lists = Playlists(database)

        @settings(max_examples=60, deadline=None)
        @given(STEPS)
        def holds(steps: list[tuple[str, Any]]) -> None:
            playlist = runner.run(lists.create(ALICE, "x"))
            model: list[int] = []
            for step, what in steps:
                entries = runner.run(lists.entries(playlist.id))
                if step == "add":
                    new = [tracks[one] for one in dict.fromkeys(what) if tracks[one] not in model]
                    asked = [tracks[one] for one in what]
                    assert runner.run(lists.add(playlist.id, ALICE, asked)) == len(new)
                    model += new
                elif step == "remove" and what < len(entries):
                    runner.run(lists.remove(playlist.id, ALICE, entries[what].id))
                    model.pop(what)
                elif step == "move" and what[0] < len(entries):
                    now = runner.run(lists.move(playlist.id, ALICE, entries[what[0]].id, what[1]))
                    one = model.pop(what[0])
                    model.insert(min(max(what[1], 1), len(model) + 1) - 1, one)
                    assert model.index(one) + 1 == now
                assert [entry.track_id for entry in runner.run(lists.entries(playlist.id))] == model
            assert runner.run(lists.own(playlist.id, ALICE)).count == len(model)
            runner.run(lists.delete(playlist.id, ALICE))

        holds()
        assert runner.run(database.fetch("SELECT 1 FROM playlist_entry")) == []
        runner.run(database.close())


async def test_only_the_owner_changes_and_only_shared_lists_are_seen(library: Library) -> None:
    lists = Playlists(library.database)
    track = await put(library, "T")
    playlist = await lists.create(ALICE, "Mine", [track])
    [entry] = await lists.entries(playlist.id)
    for attempt in (
        lists.add(playlist.id, BOB, [track]),
        lists.remove(playlist.id, BOB, entry.id),
        lists.move(playlist.id, BOB, entry.id, 1),
        lists.rename(playlist.id, BOB, "His"),
        lists.share(playlist.id, BOB, HOME),
        lists.delete(playlist.id, BOB),
        lists.visible(playlist.id, BOB, HOME),
        lists.copy(playlist.id, BOB, HOME, LibraryScope(HOME)),
        lists.own(999, ALICE),
    ):
        with pytest.raises(UserError):
            await attempt
    other = await lists.create(ALICE, "Other")
    for wrong in (lists.remove(other.id, ALICE, entry.id), lists.move(other.id, ALICE, entry.id, 1)):
        with refusal("not in the playlist any more"):
            await wrong
    await lists.share(playlist.id, ALICE, HOME)
    assert (await lists.visible(playlist.id, BOB, HOME)).name == "Mine"
    assert (await lists.copy(playlist.id, BOB, HOME, LibraryScope(HOME))).user_id == BOB
    for elsewhere in (lists.visible(playlist.id, BOB, 8), lists.copy(playlist.id, BOB, 8, LibraryScope(8))):
        with refusal("no longer shared"):
            await elsewhere
    await lists.unshare(playlist.id, ALICE)
    with refusal("no longer shared"):
        await lists.visible(playlist.id, BOB, HOME)


async def test_names_and_sizes_are_bounded(library: Library) -> None:
    lists = Playlists(library.database)
    playlist = await lists.create(ALICE, "  Süd\n\u202eMix ")
    assert playlist.name == "Süd Mix"
    with refusal("already"):
        await lists.create(ALICE, "SUD mix")
    assert (await lists.create(BOB, "Süd Mix")).user_id == BOB
    assert await lists.free_name(ALICE, "sud MIX") == "sud MIX (2)"
    assert (await lists.rename(playlist.id, ALICE, "süd mix")).name == "süd mix"
    for name in ("", " \u200b ", "x" * 61):
        with pytest.raises(UserError):
            await lists.create(ALICE, name)
    many = [await put(library, f"T{place}") for place in range(5)]
    async with library.database.transaction() as transaction:
        for place in range(MOST_ENTRIES - 3):
            await transaction.run(
                "INSERT INTO playlist_entry (playlist_id, position, content_hash, title, duration_s) VALUES (?, ?, ?, 't', 1)",
                [playlist.id, place, f"gone {place}"],
            )
    with refusal("at most"):
        await lists.add(playlist.id, ALICE, many)
    assert (await lists.own(playlist.id, ALICE)).count == MOST_ENTRIES - 3  # all or nothing


async def test_edited_files_stay_and_lost_ones_come_back(library: Library) -> None:
    lists = Playlists(library.database)
    first, second = await put(library, "First", "A"), await put(library, "Second", "B")
    playlist = await lists.create(ALICE, "x", [first, second])
    # The file got new tags: its track keeps its id and has another content (jobs.kinds.index).
    await library.database.write(
        "UPDATE track SET content_hash = 'new', title = 'First!' WHERE id = ?", [first]
    )
    await remove_track(library, first)
    await remove_track(library, second)
    assert [(entry.title, entry.track_id) for entry in await lists.entries(playlist.id)] == [
        ("First!", None),
        ("Second", None),
    ]
    again = await put(library, "First again", "A", content_hash="new")
    assert [entry.track_id for entry in await lists.entries(playlist.id)] == [again, None]


WORDS = st.text("aäbcdé '()&-.ß夜♯", min_size=1, max_size=12).map(one_line).filter(bool)  # as tags are read


def test_what_was_exported_is_found_again(tmp_path: Path) -> None:
    """In any format, and also without the content's hash, by names and length alone."""
    with asyncio.Runner() as runner:
        database = runner.run(open_database(tmp_path / "x.db"))
        library, lists = Library(database), Playlists(database)

        @settings(max_examples=25, deadline=None)
        @given(st.lists(st.tuples(WORDS, WORDS, st.integers(20, 600)), min_size=1, max_size=5))
        def holds(songs: list[tuple[str, str, int]]) -> None:
            for table in ("track", "playlist"):
                runner.run(database.write(f"DELETE FROM {table}"))
            tracks = [runner.run(put(library, *song)) for song in songs]
            playlist = runner.run(lists.create(ALICE, "x", tracks))
            items = [item_of(entry) for entry in runner.run(lists.entries(playlist.id))]
            for form in FORMATS:
                found = parse(write("x", items, form)).items
                assert [
                    one.track_id for one in runner.run(match(database, LibraryScope(None), found))
                ] == tracks
                nameless = [Item(one.title, one.artist, None, one.duration_s) for one in found]
                by_name = runner.run(match(database, LibraryScope(None), nameless))
                kept = {track.id: track for track in runner.run(library.tracks())}
                for (title, artist, seconds), one in zip(songs, by_name, strict=True):
                    assert one.track_id is not None, (title, artist)
                    same = kept[one.track_id]
                    assert (
                        abs(same.duration_s - seconds)
                        <= min(abs(other[2] - seconds) for other in songs if other[:2] == (title, artist))
                        + 0.5
                    )

        holds()
        runner.run(database.close())


async def test_other_players_names_are_understood(library: Library) -> None:
    song = await put(library, "Hyperballad", "Björk", 320, path="/music/Bjork/Post/05 Hyperballad.flac")
    live = await put(library, "Hyperballad (Live)", "Björk", 350)
    duo = await put(library, "The Boxer", "Simon & Garfunkel", 308)
    plain = await put(library, "01 track", None, 123, path="/music/demo/zz-9.ogg")
    await put(library, "Intro", "Nobody", 60)
    signs = await put(library, "?!", "!!!", 100)
    for item, expected in (
        (Item("Hyper-Ballad", "Bjork", duration_s=320), None),
        (Item("HYPERBALLAD", "bjork"), song),
        (Item("Hyperballad (2015 Remaster)", "Björk", duration_s=321), song),
        (Item("Hyperballad - Remastered 2015", "Björk", duration_s=320), song),
        (Item("Hyperballad (Live)", "Björk", duration_s=320), live),
        (Item("Hyperballad", "Björk", duration_s=900), song),
        (Item("Hyperballad", None, duration_s=320), song),
        (Item("Hyperballad", None), None),
        (Item("Hyperballad", "Somebody Else", duration_s=320), None),
        (Item("Boxer", "Simon and Garfunkel"), None),
        (Item("The Boxer", "Simon and Garfunkel"), duo),
        (Item("The Boxer", "Simon"), duo),
        (Item("Simon & Garfunkel - The Boxer"), duo),
        (Item(file_name="ZZ-9.ogg"), plain),
        (Item(file_name="Björk - Hyperballad.mp3"), song),
        (Item(file_name="05 Hyperballad.flac", duration_s=5), song),
        (Item("Intro", duration_s=59), signs - 1),
        (Item("?!", "!!!"), signs),
        (Item("?!", "???"), None),
        (Item("", ""), None),
        (Item("'); DROP TABLE track; --", '"*^'), None),
        (Item("!!!", "???"), None),
        (Item(content_hash="ff" * 32, file_name="../../etc/passwd"), None),
    ):
        [found] = await match(library.database, LibraryScope(None), [item])
        assert found.track_id == expected, item


async def test_an_import_finds_only_what_its_member_may_see(library: Library) -> None:
    await put(library, "Private", "Carol", origin="upload", path="uploads/abc", content_hash="ee" * 32)
    items = [Item("Private", "Carol"), Item(content_hash="ee" * 32), Item(file_name="abc")]
    assert [
        one.track_id for one in await match(library.database, LibraryScope(None, uploads=False), items)
    ] == [None] * 3
    assert [bool(one.track_id) for one in await match(library.database, LibraryScope(None), items)] == [
        True,
        True,
        False,
    ]
