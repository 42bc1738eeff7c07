"""Loaders of music with genres, and splits in which no artist is twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from core.errors import UserError
from research.training.genre_data import PARTS, Example, collect, folds, parts_of, shared_artists
from tests.core.genre import made_up


def test_fma_as_it_is_published(tmp_path: Path) -> None:
    folder = made_up.fma(tmp_path)
    small, medium = collect(folder, "small"), collect(folder, "medium")
    assert Counter(one.genre for one in small.examples) == dict.fromkeys(made_up.GENRES, 4)
    assert Counter(one.genre for one in medium.examples) == dict.fromkeys(made_up.GENRES, 5)
    for size in ("large", "full"):
        found = collect(folder, size)
        assert len(found.examples) == 18 and found.notes == [
            f"1 tracks of FMA {size} have no top genre and were left out.",
            f"1 tracks of FMA {size} have no file in {folder} and were left out.",
        ]
    first = small.examples[0]
    assert first == Example(folder / "000" / "000002.mp3", "0", "drone", "training")
    assert parts_of(collect(folder, "full").examples) == [
        one.part for one in collect(folder, "full").examples
    ]
    assert collect(folder, "small", tmp_path / "fma_metadata").examples == small.examples
    assert len(collect(folder).examples) == 18, "with tracks.csv beside it, it is known to be FMA"


def test_artists_who_are_in_two_parts_of_a_table_go_to_one() -> None:
    parts = ["training", "validation", "test", "training", "training"]
    examples = [Example(Path(f"{n}"), f"a{min(n, 3)}", "x", part) for n, part in enumerate(parts)]
    examples.append(Example(Path("again"), "a0", "x", "test"))
    found = parts_of(examples)
    assert found == ["test", "validation", "test", "training", "training", "test"]
    assert shared_artists(examples, [one.part for one in examples]) == ["a0"]
    assert not shared_artists(examples, found)


def test_a_table(tmp_path: Path) -> None:
    table = made_up.table(tmp_path, artists=3)
    found = collect(table)
    assert found.genres == sorted(made_up.GENRES) and len(found.examples) == 9 and not found.notes
    table.write_text(table.read_text() + "gone.wav,somebody,drone\n")
    with pytest.raises(UserError, match=r"Line 11 .* names gone\.wav, which is not there"):
        collect(table)
    table.write_text("path,mood\n")
    with pytest.raises(UserError, match="no rows with the columns path and genre"):
        collect(table)


def test_a_folder_with_tags(tmp_path: Path) -> None:
    for genre in ("drone", "clicks"):
        for artist in range(3):
            spelt = genre.upper() if artist == 2 else genre.capitalize()
            made_up.write(
                tmp_path / f"{genre}{artist}.flac", genre, artist, 0, artist=f"{genre} {artist}", genre=spelt
            )
    made_up.write(tmp_path / "untagged.flac", "surf", 0, 0)
    found = collect(tmp_path)
    assert found.genres == ["Clicks", "Drone"] and len(found.examples) == 6, (
        "capitals do not make another genre"
    )
    assert found.notes == ["1 files have no genre in their tags and were left out."]


def test_folders_named_by_genre(tmp_path: Path) -> None:
    for genre in ("drone", "clicks"):
        for artist in range(3):
            made_up.write(tmp_path / genre / "album" / f"{artist}.flac", genre, artist, 0)
    made_up.write(tmp_path / "loose.flac", "surf", 0, 0)
    made_up.write(tmp_path / "rare" / "one.flac", "surf", 0, 0)
    found = collect(tmp_path)
    assert found.genres == ["clicks", "drone"]
    assert [note.split(":")[0] for note in found.notes] == [
        "Most files have no genre in their tags",
        "7 files name no artist",
        "Genres of fewer than 3 artists were left out",
    ]


@pytest.mark.parametrize(
    ("make", "size", "sentence"),
    [
        (lambda path: path / "nowhere", None, "neither a table nor a folder"),
        (lambda path: path, None, "no audio files"),
        (lambda path: path, "small", "fma_metadata.zip"),
        (lambda path: path, "tiny", "choose one of small, medium, large, full"),
    ],
)
def test_what_cannot_be_learned_from(tmp_path: Path, make, size: str | None, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=sentence):
        collect(make(tmp_path), size)


def test_one_genre_is_not_enough(tmp_path: Path) -> None:
    for artist in range(3):
        made_up.write(tmp_path / "drone" / f"{artist}.flac", "drone", artist, 0)
    with pytest.raises(UserError, match="at least two genres of at least three artists each: drone has 3"):
        collect(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_no_artist_is_in_two_parts(seed: int) -> None:
    rng = random.Random(seed)
    examples = [
        Example(Path(f"{n}"), f"artist {rng.choice('abcdefghijklmnopqrst')}", rng.choice(["x", "y", "z"]))
        for n in range(200)
    ]
    parts = parts_of(examples, seed)
    assert set(parts) == set(PARTS) and not shared_artists(examples, parts)
    assert parts == parts_of(examples, seed)
    held = folds(examples, 5, seed)
    assert set(held) == set(range(5)) and not shared_artists(examples, held)
