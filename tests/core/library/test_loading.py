"""The catalog in memory follows the database: equal to a full reading after any change, and only changes are read."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.library.catalog import Catalog
from core.library.database import Database
from core.library.loading import Loader, load_catalog
from core.library.scope import LibraryScope
from core.library.tracks import Library
from core.moods.profile import Profile
from core.recommend.rules import recommend
from core.recommend.topic_scores import prepare, tuned
from core.track_analysis import TrackAnalysis
from tests.make import remove_track, sample_analyses, save_analysis, upsert_track

SHIPPED = sample_analyses()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The content hashes of all analyses that are parsed."""
    parsed: list[str] = []
    before = TrackAnalysis.from_json.__func__  # type: ignore[attr-defined]

    def noting(cls: Any, data: dict[str, Any]) -> TrackAnalysis:
        parsed.append(data["content_hash"])
        found: TrackAnalysis = before(cls, data)
        return found

    monkeypatch.setattr(TrackAnalysis, "from_json", classmethod(noting))
    return parsed


def heard(number: int, separator: str = "unet", shift: float = 0.0) -> TrackAnalysis:
    """One of the shipped analyses as another recording's, its tempo moved; some lack a stem."""
    found = SHIPPED[number % len(SHIPPED)]
    descriptors = {source: {**values} for source, values in found.descriptors.items()}
    tempo = descriptors["mix"]["tempo"]
    descriptors["mix"]["tempo"] = {**tempo, "value": tempo["value"] + shift + number / 7}
    return replace(found, content_hash=f"{number:064x}", separator=separator, descriptors=descriptors)


async def add(
    database: Database, number: int, separator: str = "unet", origin: Any = "folder", **facts: Any
) -> int:
    library = Library(database)
    track = await upsert_track(library,
        content_hash=f"{number:064x}", path=f"/music/{number}", origin=origin, title=f"Song {number}",
        **{"artist": f"Artist {number % 5}", "duration_s": 60.0, **facts},
    )  # fmt: skip
    await save_analysis(library, track, heard(number, separator))
    return track


def same(one: Catalog, other: Catalog) -> None:
    assert one.tracks == other.tracks and one.separators == other.separators
    assert one.names == other.names and one.units == other.units
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.separator_codes, other.separator_codes)
    for name in one.names:
        np.testing.assert_array_equal(one.percentiles(name), other.percentiles(name))
    for mood in ("peacefulness", "power"):
        mine, fresh = (
            [
                (found.track, found.score, found.parts)
                for found in recommend(catalog, Profile({mood: 1.0}), "study")
            ]
            for catalog in (one, other)
        )
        assert mine == fresh


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_changes_it_equals_a_full_reading(database: Database, seed: int) -> None:
    dice, library = random.Random(seed), Library(database)
    loader = Loader(database, uploads=True)
    numbers = iter(range(1000))
    ids: list[int] = []
    for number in range(6):
        await add(database, 2000 + number, origin="sample")
    same(await loader.catalog(None), await load_catalog(database, LibraryScope(None)))
    for _ in range(12):
        for _ in range(dice.randint(1, 4)):
            match dice.choice(["add", "add", "upload", "remove", "again", "other", "title", "drop"]):
                case "add":
                    ids.append(
                        await add(database, next(numbers), dice.choice(["unet", "none", "htdemucs_6s"]))
                    )
                case "upload":
                    ids.append(await add(database, next(numbers), origin="upload"))
                case _ if not ids:
                    continue
                case "remove":
                    await remove_track(library, ids.pop(dice.randrange(len(ids))))
                case "again":  # another version of the analyser heard something else
                    track = dice.choice(ids)
                    await save_analysis(library, track, heard(track, "unet", shift=dice.uniform(-20, 20)))
                case "other":  # a better separator
                    track = dice.choice(ids)
                    await save_analysis(library, track, heard(track, "htdemucs_6s"))
                case "drop":
                    await database.write(
                        "DELETE FROM analysis WHERE track_id=? AND separator='htdemucs_6s'",
                        [dice.choice(ids)],
                    )
                case "title":
                    await database.write("UPDATE track SET title=title || '!' WHERE id=?", [dice.choice(ids)])
        same(await loader.catalog(None), await load_catalog(database, LibraryScope(None)))
    for track in ids:  # back to the samples
        await remove_track(library, track)
    catalog = await loader.catalog(None)
    assert len(catalog) == 6
    same(catalog, await load_catalog(database, LibraryScope(None)))


async def test_only_what_changed_is_read(database: Database, read: list[str]) -> None:
    loader, library = Loader(database, uploads=True), Library(database)
    ids = [await add(database, number) for number in range(30)]
    first = await loader.catalog(None)
    assert len(read) == 30
    read.clear()
    assert await loader.catalog(None) is first and read == []
    await remove_track(library, ids[3])
    assert len(await loader.catalog(None)) == 29 and read == []
    await database.write("UPDATE track SET title='New title' WHERE id=?", [ids[5]])
    titled = await loader.catalog(None)
    assert titled.track(ids[5]).title == "New title" and read == []
    assert first.track(ids[5]).title == "Song 5" and len(first) == 30, (
        "who holds the old one is not disturbed"
    )
    await save_analysis(library, ids[7], heard(7, shift=30))
    await add(database, 99)
    loaded = await loader.catalog(None)
    assert sorted(read) == [f"{7:064x}", f"{99:064x}"]
    same(loaded, await load_catalog(database, LibraryScope(None)))


async def test_an_analysis_that_is_saved_twice_in_a_second_is_read_twice(database: Database) -> None:
    loader, library = Loader(database, uploads=True), Library(database)
    track = await add(database, 1)
    values = []
    for shift in (10.0, 20.0, 30.0):
        await save_analysis(library, track, heard(1, shift=shift))
        values.append(float((await loader.catalog(None)).values("mix.tempo")[0]))
    assert values[1] == pytest.approx(values[0] + 10) and values[2] == pytest.approx(values[0] + 20)


async def test_other_titles_keep_what_was_worked_out(database: Database) -> None:
    loader = Loader(database, uploads=True)
    ids = [await add(database, number) for number in range(5)]
    first = await loader.catalog(None)
    recommend(first, Profile({"power": 1.0}))
    await database.write("UPDATE track SET title='New' WHERE id=?", [ids[0]])
    again = await loader.catalog(None)
    assert prepare(again) is prepare(first) and again is not first
    view = tuned(again, {"power.mix.tempo": 5.0})
    assert recommend(view, Profile({"power": 1.0}))[0].track in again.tracks


async def test_a_track_that_vanishes_between_the_looks_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await add(database, number) for number in range(4)]
    loader, library, looks = Loader(database, uploads=True), Library(database), 0
    before = Database.fetch

    async def fetch(self: Database, sql: str, parameters: Any = ()) -> Any:
        nonlocal looks
        if "FROM analysis WHERE" in sql and not looks:
            looks += 1
            await remove_track(library, ids[2])
            await save_analysis(library, ids[1], heard(1, shift=40))
        return await before(self, sql, parameters)

    monkeypatch.setattr(Database, "fetch", fetch)
    catalog = await loader.catalog(None)
    assert looks == 1 and [track.id for track in catalog.tracks] == [ids[0], ids[1], ids[3]]
    same(await loader.catalog(None), await load_catalog(database, LibraryScope(None)))


async def test_analyses_are_not_read_to_learn_which_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []
    before = Database.fetch

    async def fetch(self: Database, sql: str, parameters: Any = ()) -> Any:
        asked.append((sql, parameters))
        return await before(self, sql, parameters)

    monkeypatch.setattr(Database, "fetch", fetch)
    await Loader(database, uploads=True).catalog(None)
    monkeypatch.undo()
    plans = [await database.fetch(f"EXPLAIN QUERY PLAN {sql}", parameters) for sql, parameters in asked]
    looks = [row["detail"] for plan in plans for row in plan if "analysis" in row["detail"]]
    assert looks and all("COVERING INDEX analysis_change" in look for look in looks), looks
    await add(database, 1)
    [[first]] = await database.fetch("SELECT change FROM analysis")
    [[version]] = await database.fetch("SELECT value FROM counter WHERE name='library'")
    assert first == version, "one change counts once"
