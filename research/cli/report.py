"""Reports for the laboratory: `moodstem report descriptors`, `moodstem report fma`."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, progress_bar, the_catalog
from bot.words.say import say
from core.errors import UserError

if TYPE_CHECKING:
    from core.audio.types import Floats
    from core.settings import Settings


@click.command()
@click.option(
    "--all", "everything", is_flag=True, help="Also each row of MFCC, chroma and tonnetz, and all spreads."
)
@click.option("--separator", help="Tracks that this one analysed (the one with the most when not said).")
@click.option(
    "--html",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A page with pictures, on standard output where no FILE is named.",
)
@JSON
@click.pass_context
def descriptors(
    ctx: click.Context, everything: bool, separator: str | None, html: Path | None, as_json: bool
) -> None:
    """Principal components, correlations, gaps and outliers of the library's descriptors."""
    from research.eval.descriptors import describe_library

    if html is not None and as_json:
        raise click.UsageError("Say either --json or --html.")
    catalog = asyncio.run(the_catalog(settings_of(ctx)))
    with progress_bar("descriptors") as advance:
        document = describe_library(catalog, everything=everything, separator=separator, progress=advance)
    if as_json:
        print_json(document)
    elif html is not None:
        from research.cli.report_page import page

        text = page(document)
        if str(html) == "-":
            click.echo(text)
        else:
            try:
                html.write_text(text, "utf-8")
            except OSError as error:
                raise UserError(
                    f"{html} cannot be written ({error.strerror}): choose another file."
                ) from error
            click.echo(f"{html}: {document['tracks']} tracks, {len(document['descriptors'])} descriptors")
    else:
        for line in _summary(document):
            click.echo(line)


def _summary(document: dict[str, Any]) -> Iterator[str]:
    """The report in some twenty lines; --html has it all."""
    from bot.words.i18n import percent
    from research.cli.report_page import number, valued, words

    pca, outliers = document["pca"], document["outliers"]
    yield (
        f"{document['tracks']} tracks separated by {document['separator']}, {len(document['descriptors'])} descriptors;"
        f" {pca['kept']} components are more than chance and hold {percent(pca['explained_by_kept'])}"
    )
    for one in pca["components"]:
        strongest = ", ".join(f"{words(name)} {number(r)}" for name, r in list(one["loadings"].items())[:4])
        yield f"  {one['number']}. {percent(one['explained'])}: {strongest}"
    yield "Strongest ties between sources:"
    for pair in document["correlations"]["between_sources"][:5]:
        yield f"  {number(pair['r'])}  {words(pair['one'])} and {words(pair['other'])} ({pair['tracks']} tracks)"
    yield "Sounds in: " + ", ".join(
        f"{source} {facts['sounds_in']}" for source, facts in document["missing"]["sources"].items()
    )
    yield f"Tracks that stand out: {outliers['in_all']}"
    for track in outliers["tracks"][:5]:
        why = "unusual as a whole"
        if track["strongest"]:
            part = track["strongest"][0]
            value, median = (valued(part[key], part["unit"]) for key in ("value", "median"))
            why = f"{words(part['descriptor'])} {value}, median {median}"
        yield f"  {track['title']}: {why}"


@dataclass(frozen=True)
class _File:
    track_id: int
    path: Path
    title: str
    artist: str | None = None


@click.command()
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
    from research import fma as table

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
                failed.append((str(file.path), " ".join(say(found).split())))
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
    from core.library.sources.folder import audio_files
    from core.library.tags import read_tags

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
