"""similar: tracks that go with another one, or in which an instrument stands out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, SERVER, how_many, progress_bar, separator_of, the_catalog, track_json
from bot.words.likeness import likeness_text
from bot.words.prominence import prominence_text
from bot.words.say import say
from core.analysis import analyse
from core.errors import UserError
from core.genre.model import classify_file
from core.library.latents import common_genre, load_latents, model_of, told
from core.library.schema import open_database
from core.library.tracks import Library
from core.recommend.prominence import checked_instrument, prominent
from core.recommend.similar import similar as nearest
from core.settings import Settings
from core.track_analysis import TrackAnalysis, content_hash

POOL = 5
"""With --practise and a track: among this many times more similar tracks than are asked for."""


def _stems(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Names of stems, checked where usage errors belong (exit code 2)."""
    for name in value if isinstance(value, tuple) else [value] if value else []:
        try:
            checked_instrument(name)
        except UserError as error:
            raise click.UsageError(say(error), ctx) from None
    return value


@click.command()
@click.option("--track", type=int, help="Id of a track of the library.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="An audio file, analysed now.")
@click.option(
    "--by",
    type=click.Choice(["instruments", "sound", "timbre", "latent"]),
    help="What is compared (sound when not said, instruments with --instrument): how much each stem sounds; MFCC, chroma,"
    " tempo, centroid, zero crossings and contrast of the mix and the stems; the mix's timbre; the genre network's"
    " latent vector of the middle half minute.",
)
@click.option(
    "--instrument",
    "instruments",
    metavar="STEM",
    multiple=True,
    callback=_stems,
    help="Compare these stems only (with --by instruments).",
)
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True)
@click.option(
    "--practise",
    metavar="STEM",
    callback=_stems,
    help="Music to practise an instrument with: ordered by how far it stands out, of the library or of what is similar.",
)
@how_many(10, 1, 1000)
@SERVER
@JSON
@click.pass_context
def similar(
    ctx: click.Context,
    track: int | None,
    path: Path | None,
    by: str | None,
    instruments: Sequence[str],
    metric: str,
    practise: str | None,
    count: int,
    server: int | None,
    as_json: bool,
) -> None:
    """Tracks that sound like another one, or that suit to practise an instrument."""
    if track is not None and path is not None:
        raise click.UsageError("Say either --track ID or --file FILE.")
    if track is None and path is None and practise is None:
        raise click.UsageError("Say --track ID or --file FILE, or --practise with an instrument.")
    by = by or ("instruments" if instruments else "sound")
    if instruments and by != "instruments":
        raise click.UsageError(f"--instrument goes with --by instruments, not with --by {by}.")
    if path is not None and not path.is_file():
        raise UserError(f"There is no file {path}: give the path of an audio file.")
    settings = settings_of(ctx)
    if by == "latent":
        if practise is not None or metric != "cosine":
            raise click.UsageError("--by latent has the cosine only, and does not go with --practise.")
        near = asyncio.run(_by_latent(settings, server, track, path, count))
    else:
        near = asyncio.run(_similar(settings, server, track, path, by, instruments, metric, practise, count))
    if as_json:
        print_json({"tracks": near})
        return
    if not near:
        click.echo("Nothing in the library fits.")
    for place, one in enumerate(near, 1):
        click.echo(f"{place:2}. {one['title']}  ({one['similarity']:+.3f})  {' '.join(one['reasons'][:2])}")


async def _similar(
    settings: Settings,
    server: int | None,
    track: int | None,
    path: Path | None,
    by: str,
    instruments: Sequence[str],
    metric: str,
    practise: str | None,
    count: int,
) -> list[dict[str, Any]]:
    catalog = await the_catalog(settings, server)
    near: dict[int, dict[str, Any]] = {}
    if track is not None or path is not None:
        track, analysis = await _asked(settings, track, path)
        found = nearest(
            catalog,
            analysis.features(),
            by,
            list(instruments) or None,
            count * POOL if practise else count,
            exclude=[track] if track is not None else [],
            metric=metric,
            separator=analysis.separator,
        )
        near = {
            one.track.id: {
                **track_json(one.track),
                "similarity": one.similarity,
                "reasons": [likeness_text(reason) for reason in one.reasons],
                **({"terms": [asdict(term) for term in one.terms]} if one.terms else {}),
            }
            for one in found
        }
    if practise is None:
        return list(near.values())
    # Without a track to compare with, what is asked for is the instrument itself.
    return [
        {
            **track_json(one.track),
            "similarity": one.prominence,
            **near.get(one.track.id, {}),
            "reasons": [prominence_text(one), *near.get(one.track.id, {}).get("reasons", [])],
            "prominence": one.prominence,
            "activity": one.activity,
            "energy": one.energy,
        }
        for one in prominent(catalog, practise, count, near if near else None)
    ]


async def _asked(
    settings: Settings, track: int | None, path: Path | None
) -> tuple[int | None, TrackAnalysis]:
    """The track to compare with: its id, where the library has it, and its analysis, made now where it does not."""
    digest = content_hash(path) if path is not None else None
    async with await open_database(settings.database) as database:
        library = Library(database)
        if digest is not None:
            known = await library.find_by_hash(digest)
            track = known.id if known else None
        analysis = await library.analysis(track) if track is not None else None
    if analysis is not None:
        return track, analysis
    if path is None:
        raise UserError(f"There is no track {track} in the library: `moodstem recommend --json` shows ids.")
    separator = separator_of(settings)
    with progress_bar(path.name) as advance:
        return track, analyse(
            path, separator, advance, settings.decode_limits, genre_model=settings.jobs.genre_model
        )


async def _by_latent(
    settings: Settings, server: int | None, track: int | None, path: Path | None, count: int
) -> list[dict[str, Any]]:
    """By the genre network's vectors: those of the library, and the file's own, made now (it is not separated)."""
    import numpy as np

    catalog = await the_catalog(settings, server)
    async with await open_database(settings.database) as database:
        query, own, model = None, {}, None
        if path is not None:
            known = await Library(database).find_by_hash(content_hash(path))
            track = known.id if known else None
            heard = classify_file(path, chosen=settings.jobs.genre_model)
            if heard is None:
                raise UserError(f"Nothing is to be heard in the middle of {path}: choose another file.")
            query, own, model = np.array(heard.vector, np.float32), heard.genres, heard.model
        elif track is not None and track not in catalog:
            raise UserError(
                f"There is no track {track} in the library: `moodstem recommend --json` shows ids."
            )
        elif track is not None:
            model = await model_of(database, track)
        latents = await load_latents(database, model)
        if query is None and track is not None:
            query, own = latents.of(track), await told(database, track)
        if query is None:
            raise UserError(
                f"Track {track} has no latent vector yet: `moodstem index FOLDER` of its folder makes it."
            )
        found = latents.near(query, count, catalog, track)
        return [
            {
                **track_json(catalog.track(near)),
                "similarity": cosine,
                "reasons": [say(reason) for reason in common_genre(await told(database, near), own)],
            }
            for near, cosine in found
        ]
