"""Finding tracks: by names, sounds and filters, whatever is typed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.words.meanings import in_words
from core.library.database import Database
from core.library.loading import load_catalog
from core.library.query import Key, parse
from core.library.schema import open_database
from core.library.scope import LibraryScope
from core.library.search import SOUNDS, Filters, Found, complete, genres, hit, search, visible
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library, put_latent
from core.recommend.search_semantics import meaning_strengths
from tests.make import remove_track, save_analysis, upsert_track

EVERYTHING = LibraryScope(None)


@pytest.fixture
async def samples(tmp_path: Path) -> AsyncIterator[Database]:
    """The thirty pieces that come with Moodstem, with their analyses."""
    async with await open_database(tmp_path / "x.db") as database:
        await ensure_samples(Library(database))
        yield database


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Library]:
    async with await open_database(tmp_path / "y.db") as database:
        yield Library(database)


async def put(library: Library, title: str, **facts: Any) -> int:
    count = (await library.counts())["total"]
    return await upsert_track(
        library,
        **{
            "content_hash": f"{count:064x}",
            "path": f"/m/{count}",
            "origin": "folder",
            "duration_s": 60.0,
            **facts,
        },
        title=title,
    )


async def find(database: Database, text: str, filters: Filters = Filters(), **options: Any) -> Found:  # noqa: B008
    catalog = await load_catalog(database, LibraryScope(None))
    return await search(
        database,
        EVERYTHING,
        parse(text),
        filters,
        sounds=functools.partial(meaning_strengths, catalog),
        **options,
    )


async def test_a_sound_is_found_where_it_is_measured(samples: Database) -> None:
    found = await find(samples, "calm piano", limit=30)
    assert 0 < found.total < 30 and found.how == "words"
    [calm, piano] = [term.meaning for term in parse("calm piano").terms]
    assert calm and piano
    for one in found.hits:
        assert one.met[calm] > 0.5 and one.met[piano] >= SOUNDS
        assert one.met[piano] == pytest.approx(one.activity["piano"], abs=1e-6)
        assert one.score == pytest.approx((one.met[calm] + one.met[piano]) / 2)
    assert [one.score for one in found.hits] == sorted((one.score for one in found.hits), reverse=True)


async def test_what_is_called_so_comes_before_what_sounds_so(samples: Database) -> None:
    found = await find(samples, "piano")
    assert found.hits[0].track.title == "Pier Piano Holiday" and found.hits[0].score > 1
    assert all(one.score < 1 for one in found.hits[1:])


async def test_slow_without_drums(samples: Database) -> None:
    found = await find(samples, "slow songs without drums", limit=30)
    assert found.total and all(one.activity["drums"] < 0.05 for one in found.hits)
    said = [in_words(meaning, strength) for meaning, strength in found.hits[0].met.items()]
    assert said[0].startswith("slower than") and said[1] == "no drums"


async def test_keys_and_tempos_are_sounds_too(samples: Database) -> None:
    found = await find(samples, "d minor", limit=30)
    assert found.total == 2 and {str(one.key) for one in found.hits} == {"D minor"}
    found = await find(samples, "125-127 bpm", limit=30)
    assert found.total == 2 and all(125 <= (one.tempo_bpm or 0) <= 127 for one in found.hits)


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        (Filters(genre="jazz"), lambda one: one.track.genre == "Jazz"),
        (Filters(genre="DRUM"), lambda one: one.track.genre == "Drum and Bass"),
        (Filters(tempo_from=90, tempo_to=110), lambda one: 90 <= one.tempo_bpm <= 110),
        (Filters(tempo_to=90), lambda one: one.tempo_bpm <= 90),
        (Filters(key=Key("C", "minor")), lambda one: str(one.key) == "C minor"),
        (Filters(key=Key(None, "major")), lambda one: one.key.mode == "major"),
        (Filters(instrument="guitar"), lambda one: one.activity["guitar"] >= SOUNDS),
        (Filters("folk", 100, 120, Key("G", "major"), "piano"), lambda one: one.track.genre == "Folk"),
    ],
)
async def test_filters(samples: Database, filters: Filters, holds: Any) -> None:
    everything = await find(samples, "", limit=50)
    found = await find(samples, "", filters, limit=50)
    assert [one.track.id for one in found.hits] == [one.track.id for one in everything.hits if holds(one)]
    assert found.total == len(found.hits) < everything.total == 30


async def test_accents_case_and_word_order_do_not_matter(empty: Library) -> None:
    one = await put(empty, "Café del Mar", artist="Sigur Rós", album="Ágætis byrjun", genre="Post-Rock")
    other = await put(empty, "Straße 夜に駆ける", artist="Nobody")
    for text in ("cafe", "CAFÉ MAR", "ros cafe", "agætis", "post rock", '"del mar"'):
        assert [found.track.id for found in (await find(empty.database, text)).hits] == [one], text
    for text, how in (("caf", "beginnings"), ("afé", "parts")):
        found = await find(empty.database, text)
        assert [hit.track.id for hit in found.hits] == [one] and found.how == how
    assert [found.track.id for found in (await find(empty.database, "駆け")).hits] == [other]
    assert (await find(empty.database, "mar café nothing")).total == 0
    assert (await find(empty.database, "100%")).total == 0


async def test_the_title_weighs_more_than_the_album(empty: Library) -> None:
    by_album = await put(empty, "Other words entirely", album="Zebra", artist="A")
    by_title = await put(empty, "Zebra here and there", album="Other", artist="B")
    assert [one.track.id for one in (await find(empty.database, "zebra")).hits] == [by_title, by_album]


async def test_the_index_follows_every_change(empty: Library) -> None:
    track_id = await put(empty, "Before", content_hash="aa")
    await empty.database.write("UPDATE track SET title = 'After', album = 'New' WHERE id = ?", [track_id])
    assert (await find(empty.database, "before")).total == 0
    assert (await find(empty.database, "after new")).total == 1
    await put(empty, "Again", content_hash="aa")
    assert (await find(empty.database, "again")).total == 1 and (
        await find(empty.database, "after")
    ).total == 0
    await remove_track(empty, track_id)
    assert (await find(empty.database, "again")).total == 0
    await empty.database.write("INSERT INTO track_text (track_text, rank) VALUES ('integrity-check', 1)")


async def test_the_better_separator_speaks(samples: Database) -> None:
    library = Library(samples)
    track = (await library.tracks())[0]
    analysis = await library.analysis(track.id)
    assert analysis is not None
    better = analysis.to_json() | {"separator": "htdemucs_6s", "tempo_bpm": 77.0}
    await save_analysis(library, track.id, type(analysis).from_json(better))
    known = await hit(samples, track.id)
    assert known is not None and (known.separator, known.tempo_bpm) == ("htdemucs_6s", 77.0)
    await samples.write("DELETE FROM analysis WHERE track_id = ? AND separator = 'htdemucs_6s'", [track.id])
    known = await hit(samples, track.id)
    assert known is not None and (known.separator, known.tempo_bpm) == ("unet", analysis.tempo_bpm)
    await remove_track(library, track.id)
    assert await samples.fetch("SELECT 1 FROM track_sound WHERE track_id = ?", [track.id]) == []


async def test_only_what_members_may_see_is_found(samples: Database) -> None:
    library = Library(samples)
    upload = await put(library, "Secret upload", origin="upload")
    for uploads, count in ((True, 1), (False, 0)):
        assert (await search(samples, LibraryScope(None, uploads), parse("secret"))).total == count
        assert len(await complete(samples, LibraryScope(None, uploads), "secr")) == count
        assert (await visible(samples, LibraryScope(None, uploads), upload) is not None) == bool(count)
    await put(library, "From a folder", genre="Polka")
    assert (await search(samples, EVERYTHING, parse(""))).total == 2  # the samples step back
    assert (
        await genres(samples, EVERYTHING) == ["Polka"] and await complete(samples, EVERYTHING, "pillow") == []
    )


async def test_completions_begin_with_what_is_typed(empty: Library) -> None:
    for title, artist in (
        ("Blue in Green", "Miles"),
        ("Green", "Blue Man"),
        ("So Blue", "X"),
        ("Bluebird", "Y"),
    ):
        await put(empty, title, artist=artist)
    titles = [track.title for track in await complete(empty.database, EVERYTHING, "blu")]
    assert set(titles[:2]) == {"Blue in Green", "Bluebird"} and titles[2:] == ["Green", "So Blue"]
    assert [track.title for track in await complete(empty.database, EVERYTHING, "blue in gr")] == [
        "Blue in Green"
    ]
    assert [track.title for track in await complete(empty.database, EVERYTHING, "miles gre")] == [
        "Blue in Green"
    ]
    assert [track.title for track in await complete(empty.database, EVERYTHING, "  ")] == [
        "Bluebird",
        "So Blue",
        "Green",
        "Blue in Green",
    ]
    assert len(await complete(empty.database, EVERYTHING, "blu", limit=1)) == 1


async def test_genres_are_listed_once(empty: Library) -> None:
    for genre in ("rock", "Rock", "Punk Rock", "jazz", None):
        await put(empty, "x", genre=genre)
    assert [one.lower() for one in await genres(empty.database, EVERYTHING)] == ["jazz", "punk rock", "rock"]
    assert [one.lower() for one in await genres(empty.database, EVERYTHING, "ro")] == ["rock", "punk rock"]


def test_no_text_breaks_the_search(tmp_path: Path) -> None:
    """FTS5 has a syntax of its own; nothing that is typed may reach it as that."""
    with asyncio.Runner() as runner:
        database = runner.run(open_database(tmp_path / "x.db"))
        library = Library(database)
        for title in ("NEAR and far", "a-b_c", "O'Brien", "Ünï", "x*y:z^"):
            runner.run(put(library, title, artist="AND", genre="NOT"))

        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            st.text(max_size=40) | st.from_regex(r'[a-c"*():^+\-{} ANDORNEAR\']{0,25}', fullmatch=True),
            st.none() | st.text(max_size=120),
        )
        def holds(text: str, genre: str | None) -> None:
            found = runner.run(search(database, EVERYTHING, parse(text), Filters(genre=genre)))
            assert len(found.hits) == found.total <= 5
            assert len(runner.run(complete(database, EVERYTHING, text))) <= 5
            runner.run(genres(database, EVERYTHING, text))

        holds()
        for track in runner.run(library.tracks()):
            assert track.id in {
                one.track.id for one in runner.run(search(database, EVERYTHING, parse(track.title))).hits
            }
        runner.run(database.close())


async def test_a_genre_is_found_by_its_sound_where_tags_name_none(empty: Library) -> None:
    said = {"model": "m", "vector": [1.0, 0.0]}
    ids = {}
    for title, genre, shares in (
        ("tagged", "Folk", {"rock": 0.9, "pop": 0.1, "jazz": 0.0}),
        ("told", None, {"rock": 0.9, "pop": 0.1, "jazz": 0.0}),
        ("between", None, {"rock": 0.35, "pop": 0.45, "jazz": 0.2}),
        ("unsure", None, {"rock": 0.2, "pop": 0.15, "jazz": 0.15, "folk": 0.2, "blues": 0.3}),
        ("unheard", None, None),
    ):
        ids[title] = await put(empty, title, genre=genre)
        if shares is not None:
            async with empty.database.transaction() as transaction:
                await put_latent(transaction, ids[title], {**said, "genres": shares})

    async def named(genre: str) -> set[str]:
        found = await search(empty.database, EVERYTHING, parse(""), Filters(genre=genre))
        return {one.track.title for one in found.hits}

    assert await named("Rock") == {"told", "between"}, "a track with a tag is what its tag says"
    assert await named("pop") == {"between"} and await named("folk") == {"tagged"} and not await named("jazz")
    assert [one.lower() for one in await genres(empty.database, EVERYTHING)] == ["folk", "pop", "rock"]
    seen = {title: await hit(empty.database, track_id) for title, track_id in ids.items()}
    assert {title: one.told for title, one in seen.items() if one} == {
        "tagged": (), "told": ("rock",), "between": ("pop", "rock"), "unsure": (), "unheard": (),
    }  # fmt: skip
    async with empty.database.transaction() as transaction:
        await put_latent(transaction, ids["told"], {**said, "genres": {"rock": 0.1, "pop": 0.8, "jazz": 0.1}})
    assert await named("rock") == {"between"}, "what another model says takes the place of what was said"
