"""Music with known genres: FMA as it is published, a table, or a folder whose tags or folder names tell the genre."""

from __future__ import annotations

import csv
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import UserError
from research.csv_rows import read_rows

SIZES = ("small", "medium", "large", "full")
"""FMA's sets, each holding the ones before. `large` and `full` are the same tracks, as clips and whole."""
PARTS = ("training", "validation", "test")
AUDIO = {".mp3", ".ogg", ".oga", ".opus", ".flac", ".wav", ".m4a", ".aif", ".aiff", ".wma"}
FEWEST_ARTISTS = 3
"""A genre of fewer artists cannot be in all three parts, and is left out."""


@dataclass(frozen=True)
class Example:
    """One recording and its genre. `artist` is never empty; `part` is the data set's own split where it has one."""

    path: Path
    artist: str
    genre: str
    part: str | None = None


@dataclass(frozen=True)
class Collection:
    """Examples, and one sentence for each kind of thing that was left out or assumed."""

    examples: list[Example]
    notes: list[str] = field(default_factory=list)

    @property
    def genres(self) -> list[str]:
        return sorted({one.genre for one in self.examples})


def collect(source: Path, size: str | None = None, metadata: Path | None = None) -> Collection:
    """Whatever `source` is: a CSV table, FMA's folder (with `size`, or a tracks.csv in it), or a folder of music.

    `metadata` is FMA's tracks.csv, or the folder that holds it. Genres of fewer than three artists are left out.
    Raises UserError when nothing can be learned from it.
    """
    if size is not None and size not in SIZES:
        raise UserError(f"FMA has no size {size!r}: choose one of {', '.join(SIZES)}.")
    if source.is_file():
        found = from_table(source)
    elif not source.is_dir():
        raise UserError(f"There is neither a table nor a folder {source}: check the path.")
    else:
        tracks = _tracks_csv(source, metadata)
        if size is not None and tracks is None:
            raise UserError(
                f"FMA's tracks.csv is not near {source}: unpack fma_metadata.zip beside it, or name it with --metadata."
            )
        found = from_fma(source, tracks, size or "full") if tracks is not None else from_folder(source)
    return _enough(found)


def _tracks_csv(folder: Path, metadata: Path | None) -> Path | None:
    """FMA's table, recognised by its header of three rows."""
    if metadata is not None:
        places = [metadata / "tracks.csv" if metadata.is_dir() else metadata]
    else:
        places = [
            folder / "tracks.csv",
            *(at / "fma_metadata" / "tracks.csv" for at in (folder, folder.parent)),
        ]
    for place in places:
        if place.is_file():
            with place.open(newline="", encoding="utf-8") as file:
                if "album" in next(csv.reader(file), []):
                    return place
    if metadata is not None:
        raise UserError(f"{metadata} is not FMA's tracks.csv: give the file from fma_metadata.zip.")
    return None


def from_fma(folder: Path, tracks: Path, size: str) -> Collection:
    """FMA (Defferrard et al., 2017): FOLDER/000/000002.mp3, genres, artists and split from tracks.csv.

    Tracks without a top genre (half of `large`), and those whose file is not there, are left out and counted.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # biographies are long
    examples, missing, unnamed = [], 0, 0
    with tracks.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        try:
            header = list(zip(next(rows), next(rows), strict=True))
            if next(rows)[0] != "track_id":
                raise ValueError
            artist_id, artist_name, part, subset, genre = (
                header.index(name)
                for name in (
                    ("artist", "id"), ("artist", "name"), ("set", "split"), ("set", "subset"), ("track", "genre_top"),
                )
            )  # fmt: skip
        except (StopIteration, ValueError, IndexError) as error:
            raise UserError(
                f"{tracks} is not FMA's tracks.csv: give the file from fma_metadata.zip."
            ) from error
        for row in rows:
            if len(row) != len(header) or not _within(row[subset], size):
                continue
            if not row[genre]:
                unnamed += 1
                continue
            number = f"{int(row[0]):06d}"
            path = folder / number[:3] / f"{number}.mp3"
            if not path.is_file():
                missing += 1
                continue
            artist = row[artist_id] or row[artist_name] or f"track {number}"
            examples.append(Example(path, artist, row[genre], row[part] if row[part] in PARTS else None))
    if not examples:
        raise UserError(
            f"None of the {missing:,} files that tracks.csv names for {size} is in {folder}: check the folder."
        )
    notes = [f"{unnamed:,} tracks of FMA {size} have no top genre and were left out."] if unnamed else []
    notes += (
        [f"{missing:,} tracks of FMA {size} have no file in {folder} and were left out."] if missing else []
    )
    return Collection(examples, notes)


def _within(subset: str, size: str) -> bool:
    return size == "full" or (subset in SIZES and SIZES.index(subset) <= SIZES.index(size))


def from_table(table: Path) -> Collection:
    """A CSV file with the columns path (relative to it) and genre, perhaps artist and split."""
    examples = []
    for number, row in enumerate(read_rows(table, ("path", "genre")), 2):
        path = table.parent / row["path"]
        if not path.is_file():
            raise UserError(
                f"Line {number} of {table} names {row['path']}, which is not there: correct its path."
            )
        genre = row["genre"].strip()
        if genre:
            part = row.get("split") or None
            examples.append(Example(path, _artist(row.get("artist")), genre, part if part in PARTS else None))
    return _lonely(examples)


def from_folder(folder: Path) -> Collection:
    """Every audio file below `folder`: genre and artist from its tags.

    Where fewer than half of the files have a genre, the folders directly in `folder` are the genres instead.
    """
    from core.library.tags import read_tags

    tagged = [(path, read_tags(path)) for path in _files(folder)]
    if not tagged:
        raise UserError(f"There are no audio files in {folder}: check the path.")
    notes = []
    if 2 * sum(tags.genre is not None for _, tags in tagged) >= len(tagged):
        examples = [Example(path, _artist(tags.artist), tags.genre) for path, tags in tagged if tags.genre]
        if len(examples) < len(tagged):
            notes.append(
                f"{len(tagged) - len(examples):,} files have no genre in their tags and were left out."
            )
    else:
        notes.append("Most files have no genre in their tags: the names of the folders are taken for genres.")
        examples = [
            Example(path, _artist(tags.artist), path.relative_to(folder).parts[0])
            for path, tags in tagged
            if path.parent != folder
        ]
    found = _lonely(examples)
    return replace(found, notes=notes + found.notes)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in AUDIO and not hidden and path.is_file():
            yield path


def _artist(name: str | None) -> str:
    return " ".join((name or "").casefold().split())


def _lonely(examples: Sequence[Example]) -> Collection:
    """Files without an artist are artists of their own; genres that differ in capitals only are one."""
    named: dict[str, str] = {}
    for one in examples:
        named.setdefault(one.genre.casefold(), one.genre)
    alone = sum(not one.artist for one in examples)
    notes = [f"{alone:,} files name no artist: each counts as an artist of its own."] if alone else []
    return Collection(
        [
            replace(one, artist=one.artist or f"file {one.path}", genre=named[one.genre.casefold()])
            for one in examples
        ],
        notes,
    )


def _enough(found: Collection) -> Collection:
    artists = {genre: {one.artist for one in found.examples if one.genre == genre} for genre in found.genres}
    few = [genre for genre, names in artists.items() if len(names) < FEWEST_ARTISTS]
    kept = [one for one in found.examples if one.genre not in few]
    if len({one.genre for one in kept}) < 2:
        raise UserError(
            "Learning genres takes at least two genres of at least three artists each: "
            f"{', '.join(f'{genre} has {len(names)}' for genre, names in artists.items()) or 'there are none'}."
        )
    notes = [f"Genres of fewer than {FEWEST_ARTISTS} artists were left out: {', '.join(few)}."] if few else []
    return Collection(kept, found.notes + notes)


def parts_of(examples: Sequence[Example], seed: int = 0) -> list[str]:
    """'training', 'validation' or 'test' for each example, no artist in two of them.

    The data set's own split where every example has one; tracks of the training part by artists of the others (FMA has
    none, other tables may) go to where their artist is. Else a fifth of the tracks is for the test and a fifth for
    validation, by whole artists, with genres in proportion (scikit-learn's StratifiedGroupKFold).
    """
    if all(one.part for one in examples) and {one.part for one in examples} == set(PARTS):
        best = {part: place for place, part in enumerate(PARTS)}
        home: dict[str, str] = {}
        for one in examples:
            assert one.part is not None
            if best[one.part] >= best[home.get(one.artist, PARTS[0])]:
                home[one.artist] = one.part
        return [home[one.artist] for one in examples]
    held = folds(examples, 5, seed)
    return [PARTS[2] if fold == 0 else PARTS[1] if fold == 1 else PARTS[0] for fold in held]


def folds(examples: Sequence[Example], count: int, seed: int = 0) -> list[int]:
    """0 .. count - 1 for each example: artists stay together, genres are in proportion as far as that allows."""
    from sklearn.model_selection import StratifiedGroupKFold

    artists, most = len({one.artist for one in examples}), max(counts(examples).values(), default=0)
    if artists < count or most < count:
        raise UserError(
            f"{len(examples)} tracks by {artists} artists cannot be split into {count} parts: add music by others."
        )
    result = [0] * len(examples)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    genres, names = [one.genre for one in examples], [one.artist for one in examples]
    with warnings.catch_warnings():  # a genre of fewer tracks than parts is not in all of them
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, held) in enumerate(splitter.split(genres, genres, names)):
            for place in held:
                result[place] = fold
    return result


def shared_artists(examples: Sequence[Example], parts: Sequence[object]) -> list[str]:
    """Artists that are in more than one part; a split is only right when there are none."""
    seen: dict[str, set[object]] = {}
    for one, part in zip(examples, parts, strict=True):
        seen.setdefault(one.artist, set()).add(part)
    return sorted(artist for artist, where in seen.items() if len(where) > 1)


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """{genre: tracks}, the largest first."""
    return dict(Counter(one.genre for one in examples).most_common())
