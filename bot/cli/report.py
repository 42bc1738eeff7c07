"""Commands that look at a whole library: report fma."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli import main, print_json, settings_of
from bot.cli.library import progress_bar, the_catalog
from core.errors import UserError

if TYPE_CHECKING:
    from core.audio.spectrum import Floats
    from core.settings import Settings

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@main.group()
def report() -> None:
    """Look at a whole library."""


@dataclass(frozen=True)
class _File:
    track_id: int
    path: Path
    title: str
    artist: str | None = None


@report.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--csv",
    "out",
    required=True,
    type=click.Path(path_type=Path),
    help="The table to write; FMA's own code looks for 'features' in its name.",
)
@JSON
@click.pass_context
def fma(ctx: click.Context, folder: Path | None, out: Path, as_json: bool) -> None:
    """The 518 statistics of FMA's features.csv for a FOLDER, or for the library when none is named.

    Files whose names are numbers keep them as their track_id, as in FMA; other folders are numbered from 1, the
    library's tracks have its ids. A second table beside the first, NAME-tracks.csv, says which is which.
    """
    from core.audio import fma as table

    settings = settings_of(ctx)
    files = _folder_files(folder) if folder is not None else asyncio.run(_library_files(settings))
    if not out.absolute().parent.is_dir():
        raise UserError(f"There is no folder {out.absolute().parent}: create it, or choose another name.")
    done: list[_File] = []
    failed: list[tuple[str, str]] = []
    stopped = False

    def rows(advance: Any) -> Iterator[tuple[int, Floats]]:
        described = table.describe_files(
            ((file.track_id, file.path) for file in files), settings.decode_limits, settings.jobs.threads
        )
        for count, (file, (track_id, found)) in enumerate(zip(files, described, strict=True), 1):
            advance(count / len(files))
            if isinstance(found, UserError):
                failed.append((str(file.path), " ".join(str(found).split())))
            else:
                done.append(file)
                yield track_id, found

    part = out.with_name(f".{out.name}.part")
    try:
        with progress_bar("FMA features") as advance, part.open("w", encoding="utf-8", newline="") as file:
            try:
                table.write_table(file, rows(advance))
            except KeyboardInterrupt:
                stopped = True
        if done:
            part.replace(out)
            _write_tracks(_beside(out), done)
    finally:
        part.unlink(missing_ok=True)
    document = {
        "csv": str(out) if done else None,
        "tracks": [{"track_id": one.track_id, "path": str(one.path), "title": one.title} for one in done],
        "columns": len(table.COLUMNS),
        "failed": failed,
        "stopped": stopped,
    }
    if as_json:
        print_json(document)
    else:
        click.echo(f"{len(done)} tracks with {len(table.COLUMNS)} columns" + (f": {out}" if done else ""))
        for path, sentence in failed:
            click.echo(f"  {path}: {sentence}")
    if stopped:
        raise UserError(f"Stopped: {len(done)} of {len(files)} tracks are in the table.")
    if not done:
        raise UserError("No file could be described, so no table was written.")


def _folder_files(folder: Path) -> list[_File]:
    """The audio files of a folder with the ids that they get, in the order of these."""
    from core.library.tags import read_tags
    from jobs.tasks.files import audio_files

    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: give a folder of music, or none for the library.")
    paths = [folder / path for path, _, _ in audio_files(folder.resolve(), [])]
    if not paths:
        raise UserError(f"There are no audio files in {folder}: give a folder of music.")
    numbers = [int(path.stem) if path.stem.isascii() and path.stem.isdecimal() else None for path in paths]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(paths) + 1))
        paths.sort()
    found = []
    for number, path in zip(numbers, paths, strict=True):
        tags = read_tags(path)
        found.append(_File(number or 0, path, tags.title, tags.artist))
    return sorted(found, key=lambda one: one.track_id)


async def _library_files(settings: Settings) -> list[_File]:
    from core.library.tracks import Track

    tracks = (await the_catalog(settings)).tracks
    return [
        _File(track.id, settings.data / track.path, track.title, track.artist)
        for track in tracks
        if isinstance(track, Track)
    ]


def _beside(out: Path) -> Path:
    return out.with_name(f"{out.stem}-tracks.csv")


def _write_tracks(path: Path, files: list[_File]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track_id", "path", "title", "artist"])
        writer.writerows([one.track_id, one.path, one.title, one.artist or ""] for one in files)
