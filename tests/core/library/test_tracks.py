"""Tracks and analyses: the same content is one track, and a version tells when to look again."""

from __future__ import annotations

from typing import Any

import pytest

from core.library.schema import open_database
from core.library.tracks import Library, put_analysis, put_track
from tests.make import analysis, remove_track, save_analysis, upsert_track


async def add(library: Library, content: str = "h1", **more: Any) -> int:
    facts = {"path": "/music/a.mp3", "origin": "folder", "title": "A", "duration_s": 3.0}
    return await upsert_track(library, content_hash=content, **(facts | more))


async def test_an_analysis_comes_back_as_it_was(library: Library) -> None:
    track_id = await add(library)
    await save_analysis(library, track_id, analysis())
    assert await library.analysis(track_id) == analysis()
    assert await library.analysis(track_id, "unet") is None
    [(track, found)] = await library.analyses()
    assert (track, found) == (await library.get(track_id), analysis())


async def test_each_separator_has_its_say(library: Library) -> None:
    track_id = await add(library)
    await save_analysis(library, track_id, analysis(separator="none"))
    await save_analysis(library, track_id, analysis(separator="unet"))
    await save_analysis(library, track_id, analysis(separator="unet", tempo_bpm=90.0))
    assert [found.separator for _, found in await library.analyses()] == ["none", "unet"]
    [(_, unet)] = await library.analyses("unet")
    assert unet.tempo_bpm == 90.0


async def test_numbers_that_are_no_numbers_are_refused(library: Library) -> None:
    track_id = await add(library)
    with pytest.raises(ValueError, match="JSON"):
        await save_analysis(library, track_id, analysis(tempo_bpm=float("nan")))
    assert await library.analyses() == []


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        ("upload", "folder", "folder"),
        ("folder", "upload", "folder"),
        ("sample", "folder", "sample"),
        ("folder", "sample", "sample"),
        ("upload", "upload", "upload"),
    ],
)
async def test_the_same_content_is_one_track_of_the_lasting_origin(
    library: Library, first: str, second: str, stays: str
) -> None:
    one = await add(library, origin=first, path=f"{first} 1")
    two = await add(library, origin=second, path=f"{second} 2")
    assert one == two
    track = await library.find_by_hash("h1")
    assert track is not None
    assert track.origin == stays
    assert track.path.startswith(stays)


async def test_counts_and_origins(library: Library) -> None:
    await add(library, "a", origin="sample")
    await add(library, "b", origin="upload")
    track_id = await add(library, "c", origin="upload")
    await save_analysis(library, track_id, analysis())
    assert await library.counts() == {"total": 3, "sample": 1, "folder": 0, "upload": 2, "analyses": 1}
    assert [track.content_hash for track in await library.tracks("upload")] == ["b", "c"]
    assert len(await library.tracks()) == 3


async def test_removing_takes_the_analyses_along(library: Library) -> None:
    track_id = await add(library)
    await save_analysis(library, track_id, analysis())
    assert await remove_track(library, track_id)
    assert not await remove_track(library, track_id)
    assert await library.analyses() == []
    assert await library.get(track_id) is None


async def test_the_version_moves_with_every_change(library: Library) -> None:
    seen = [await library.version()]

    async def moved() -> bool:
        seen.append(await library.version())
        return seen[-1] > seen[-2]

    track_id = await add(library)
    assert await moved()
    await save_analysis(library, track_id, analysis())
    assert await moved()
    await save_analysis(library, track_id, analysis(tempo_bpm=1.0))
    assert await moved()
    await library.get(track_id)
    assert not await moved()
    async with await open_database(library.database.path) as other:
        await remove_track(Library(other), track_id)
    assert await moved()


async def test_writes_join_an_open_transaction(library: Library) -> None:
    with pytest.raises(RuntimeError):
        async with library.database.transaction() as transaction:
            track_id = await put_track(transaction, "h", "p", "folder", "t", None, None, 1.0)
            await put_analysis(transaction, track_id, analysis())
            raise RuntimeError
    assert (await library.counts())["total"] == 0
