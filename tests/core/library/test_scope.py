"""What each server finds: by a model written down another way, in the catalogs and in search, after any changes."""

from __future__ import annotations

import gc
import random
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.words.say import say
from core.errors import UserError
from core.library.catalog import Catalog
from core.library.database import Database
from core.library.loading import Loader, load_catalog
from core.library.query import parse
from core.library.scope import SHARED, LibraryScope, restrict_folders, scoped_hash
from core.library.search import complete, search, visible
from core.library.tracks import Library, set_upload_guild
from core.settings import LibrarySettings, load_settings
from tests.core.library.test_loading import add, heard, read, same
from tests.make import remove_track, save_analysis

__all__ = ["read"]

SERVERS = (SHARED, 10, 20, 30)


async def upload(database: Database, number: int, guild_id: int | None, **facts: Any) -> int:
    track = await add(database, number, origin="upload", **facts)
    async with database.transaction() as transaction:
        await set_upload_guild(transaction, track, guild_id, f"{number:064x}")
    return track


@dataclass
class Model:
    """Tracks as somebody would tell of them."""

    samples: set[int] = field(default_factory=set)
    folders: dict[int, set[str]] = field(default_factory=dict)
    uploads: dict[int, int | None] = field(default_factory=dict)
    kept_back: set[int] = field(default_factory=set)
    only: dict[str, set[int]] = field(default_factory=dict)

    def finds(self, server: int | None) -> set[int]:
        def open_to(folder: str) -> bool:
            return server is None or folder not in self.only or server in self.only[folder]

        folders = {track for track, where in self.folders.items() if any(open_to(one) for one in where)}
        uploads = {
            track
            for track, guild in self.uploads.items()
            if track not in self.kept_back and (server is None or guild in (0, server))
        }
        return uploads | (folders or self.samples)

    def is_here(self, server: int) -> set[int]:
        return (
            {track for track in self.uploads if self.uploads[track] in (0, server)}
            | self.samples
            | {
                track
                for track, where in self.folders.items()
                if any(one not in self.only or server in self.only[one] for one in where)
            }
        )


async def put_folder(database: Database, model: Model, track: int, name: str) -> None:
    [folder] = await database.write(
        "INSERT INTO folder (path) VALUES (?) ON CONFLICT (path) DO UPDATE SET path = path RETURNING id",
        [name],
    )
    await database.write(
        "INSERT INTO folder_file (folder_id, path, size, mtime_ns, scan, track_id) VALUES (?, ?, 1, 1, 1, ?)",
        [folder["id"], f"{track}.ogg", track],
    )
    model.folders.setdefault(track, set()).add(name)


@pytest.mark.parametrize("seed", range(3))
async def test_every_server_finds_what_is_for_it(database: Database, seed: int) -> None:
    dice, library, model = random.Random(seed), Library(database), Model()
    loader, numbers = Loader(database, uploads=True), iter(range(1000))
    for number in range(4):
        model.samples.add(await add(database, 2000 + number, origin="sample"))
    for _ in range(14):
        for _ in range(dice.randint(1, 3)):
            match dice.choice(
                ["upload", "upload", "folder", "copy", "only", "remove", "keep", "again", "title"]
            ):
                case "upload":
                    guild = dice.choice([None, 0, 10, 20])
                    model.uploads[await upload(database, next(numbers), guild)] = guild
                case "folder":
                    await put_folder(database, model, await add(database, next(numbers)), dice.choice("abc"))
                case "copy" if model.folders:
                    track, name = dice.choice(sorted(model.folders)), dice.choice("abc")
                    if name not in model.folders[track]:
                        await put_folder(database, model, track, name)
                case "only":
                    name, servers = dice.choice("ab"), set(dice.sample([10, 20, 30], dice.randint(1, 2)))
                    [folder] = await database.write(
                        "INSERT INTO folder (path) VALUES (?) ON CONFLICT (path) DO UPDATE SET path = path RETURNING id",
                        [name],
                    )
                    await database.write("DELETE FROM folder_server WHERE folder_id = ?", [folder["id"]])
                    for server in servers:
                        await database.write(
                            "INSERT INTO folder_server VALUES (?, ?)", [folder["id"], server]
                        )
                    model.only[name] = servers
                case "remove" if model.uploads:
                    track = dice.choice(sorted(model.uploads))
                    await remove_track(library, track)
                    del model.uploads[track]
                    model.kept_back.discard(track)
                case "keep" if model.uploads:
                    track = dice.choice(sorted(model.uploads))
                    await library.set_listed(track, track in model.kept_back)
                    model.kept_back ^= {track}
                case "again" if model.uploads:
                    track = dice.choice(sorted(model.uploads))
                    await save_analysis(library, track, heard(track, shift=dice.uniform(-20, 20)))
                case "title" if model.uploads:
                    track = dice.choice(sorted(model.uploads))
                    await database.write("UPDATE track SET title = title || '!' WHERE id = ?", [track])
        for server in dice.sample([*SERVERS, None], dice.randint(1, 5)):  # some are not asked for a while
            scope = LibraryScope(server)
            catalog = await loader.catalog(server)
            assert {track.id for track in catalog.tracks} == model.finds(server), server
            same(catalog, await load_catalog(database, scope))
            found = await search(database, scope, parse(""), limit=1000)
            assert {hit.track.id for hit in found.hits} == model.finds(server)
            assert {one.id for one in await complete(database, scope, "", limit=1000)} == model.finds(server)
            everything = {*model.uploads, *model.folders, *model.samples}
            shown = {one for one in everything if await visible(database, scope, one)}
            assert shown == model.finds(server)
            if server is not None:
                reached = {one for one in everything if await library.visible_track(scope, one, 1)}
                assert reached == model.is_here(server)
                assert await library.out_of_scope(scope, [*everything, 9999]) == everything - reached


async def test_servers_that_find_the_same_share_a_catalog_and_each_analysis_is_read_once(
    database: Database,
    read: list[str],
) -> None:
    loader = Loader(database, uploads=True)
    for number in range(10):
        await add(database, number)
    first, second = [await upload(database, 100 + guild, guild) for guild in (10, 20)]
    found = {server: await loader.catalog(server) for server in (*SERVERS, 40)}
    assert len(read) == 12
    assert found[30] is found[40] is found[SHARED] is not found[10]
    assert len(found[10]) == len(found[20]) == 11 and len(found[SHARED]) == 10
    assert found[10].track(first).id == first and second not in found[10]
    worked_out = found[20].percentiles("mix.tempo")

    await upload(database, 200, 10)
    assert len(await loader.catalog(10)) == 12 and len(read) == 13
    assert await loader.catalog(20) is found[20] and await loader.catalog(30) is found[30]
    assert found[20].percentiles("mix.tempo") is worked_out
    assert len(found[10]) == 11, "who holds the old one is not disturbed"
    same(found[20], await load_catalog(database, LibraryScope(20)))


async def test_few_catalogs_are_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.library.loading.CACHED_TRACKS", 8)
    loader = Loader(database, uploads=True)
    for guild in range(1, 11):
        await upload(database, guild, guild)
        await upload(database, 100 + guild, guild)
    made = {server: weakref.ref(await loader.catalog(server)) for server in (*range(1, 11), 3, 1)}
    gc.collect()
    assert {server for server, catalog in made.items() if catalog() is not None} == {9, 10, 3, 1}
    assert await loader.catalog(3) is made[3]()
    assert len(await loader.catalog(2)) == 2, "made again"


async def test_keys_come_with_the_catalog(database: Database) -> None:
    """A journey's smooth changes of key need them."""
    for number in range(5):
        await add(database, number)
    catalog = await load_catalog(database, LibraryScope(10))
    wanted = [(heard(number).key, heard(number).mode) for number in range(5)]
    assert list(catalog.keys) == [key if all(key) else None for key in wanted] and any(catalog.keys)


def test_a_part_is_a_catalog_of_its_own() -> None:
    class Named:
        def __init__(self, number: int) -> None:
            self.id, self.title, self.artist, self.genre = number, f"T{number}", None, None
            self.content_hash = f"{number:064x}"

    matrix = np.array([[1, np.nan], [2, 5], [3, np.nan], [4, np.nan]], dtype=np.float32)
    whole = Catalog([Named(n) for n in range(4)], ["unet"] * 4, ["x", "y"], matrix, {"x": "Hz", "y": "dB"})
    part = whole.part(np.array([0, 2, 3]))
    assert part.names == ("x",) and part.units == {"x": "Hz"} and not part.has("y")
    assert part.values("x").tolist() == [1, 3, 4] and np.isnan(part.values("y")).all()
    np.testing.assert_array_equal(part.features, [[1], [3], [4]])
    nested = part.part(np.array([1]))
    assert nested.values("x").tolist() == [3] and nested.track(2).title == "T2"


def test_the_hash_of_a_place_tells_nothing_of_the_file() -> None:
    found = {scoped_hash("a" * 64, guild, user) for guild in (None, 1, 2) for user in (1, 2)}
    assert len(found) == 4, "in a server it is the same for all, in a direct message for one"
    assert all(len(one) == 64 and one != "a" * 64 for one in found)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('folders = ["/a"]\n[library.servers]\n"/b" = [5]', "/b, which is not one of [library] folders"),
        (
            'folders = ["/a", "/a/b"]\n[library.servers]\n"/a/b" = [5]',
            "/a/b lies inside /a, which others find",
        ),
        ('folders = ["/a", "/a/b"]\n[library.servers]\n"/a/b" = [5]\n"/a" = [5, 6]', "/a/b lies inside /a"),
        ('folders = ["/a"]\n[library.servers]\n"/a" = []', "at least 1"),
        ('folders = ["/a"]\n[library.servers]\n"/a" = ["jazz club"]', "valid integer"),
    ],
)
def test_a_wrong_line_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, told: str
) -> None:
    (tmp_path / "config.toml").write_text(f"[library]\n{lines}\n")
    monkeypatch.setenv("MOODSTEM_CONFIG", str(tmp_path / "config.toml"))
    with pytest.raises(UserError) as refused:
        load_settings()
    assert told in say(refused.value) and "correct that in" in say(refused.value)


def test_folders_of_a_server() -> None:
    a, b, c = Path("/a"), Path("/a/b"), Path("/c")
    library = LibrarySettings(folders=[a, b, c], servers={a: [5], b: [5, 6]})
    assert [library.folders_of(server) for server in (5, 6, 7)] == [[a, b, c], [b, c], [c]]


async def test_what_the_settings_say_of_folders(database: Database, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"

    async def only() -> dict[str, set[int]]:
        rows = await database.fetch(
            "SELECT path, guild_id FROM folder JOIN folder_server ON folder_id = folder.id"
        )
        return {
            path: {row["guild_id"] for row in rows if row["path"] == path}
            for path in {row["path"] for row in rows}
        }

    await restrict_folders(database, [one, two], {one: [5, 6]})
    assert await only() == {str(one): {5, 6}}
    version = await Library(database).version()
    await restrict_folders(database, [one, two], {one: [6, 5]})
    assert await Library(database).version() == version, "nothing changed, so nothing is loaded again"
    await restrict_folders(database, [two], {})
    assert await only() == {str(one): {5, 6}}, "a folder that is no longer named is not opened to all"
    await restrict_folders(database, [one, two], {two: [7]})
    assert await only() == {str(two): {7}} and await Library(database).version() > version
