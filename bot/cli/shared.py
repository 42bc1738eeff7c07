"""What several commands have in common: options, their checks, the catalog, a bar that shows progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from bot.words.reasons import reason_text
from bot.words.say import say
from core.errors import UserError
from core.library.catalog import Catalog, TrackLike
from core.library.loading import load_catalog
from core.library.recommendations import Reason
from core.library.rule_weights import weights_of
from core.library.schema import open_database
from core.library.scope import LibraryScope, restrict_folders
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.moods.profile import Profile
from core.recommend.topic_scores import tuned
from core.separation.base import Separator
from core.separation.registry import load_separator, names
from core.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def _separator(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A separator of this package or of an installed one; looked up only when the option is used."""
    if value is not None and value not in names():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(names())}.")
    return value


SEPARATOR = click.option(
    "--separator",
    metavar="NAME",
    callback=_separator,
    help="auto, htdemucs_6s, unet or none (from the settings when not said).",
)

ALL_REASONS = click.option(
    "--all-reasons", is_flag=True, help="Every term of the score, not only the strongest."
)

SERVER = click.option(
    "--server",
    type=click.IntRange(0),
    metavar="ID",
    help="What this Discord server finds, with the weights that it has chosen; 0: what every server finds.",
)
"""Without it, everything."""


def how_many(default: int, least: int, most: int, words: str = "How many tracks.") -> Callable[[F], F]:
    """The option -n."""
    return click.option(
        "-n", "count", default=default, show_default=True, type=click.IntRange(least, most), help=words
    )


def moods_option(*flags: str, words: str, required: bool = False) -> Callable[[F], F]:
    """An option NAME=0..1 that can be repeated."""
    return click.option(
        *flags, metavar="NAME=0..1", multiple=True, required=required, callback=_mood_weights, help=words
    )


def _mood_weights(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, float]:
    """NAME=0..1, checked where usage errors belong (exit code 2)."""
    moods: dict[str, float] = {}
    for value in values:
        name, _, weight = value.partition("=")
        try:
            moods[name] = float(weight) if weight else 1.0
        except ValueError:
            raise click.BadParameter(f"{value!r} is not NAME=NUMBER") from None
    try:
        Profile(moods)
    except UserError as error:
        raise click.BadParameter(say(error)) from None
    return moods


async def the_catalog(settings: Settings, server: int | None = None) -> Catalog:
    """Everything, or what a server finds, with its own weights; the samples when nothing was indexed yet."""
    async with await open_database(settings.database) as database:
        await ensure_samples(Library(database))
        await restrict_folders(database, settings.library.folders, settings.library.servers)
        catalog = await load_catalog(database, LibraryScope(server, settings.library.recommend_uploads))
        weights = await weights_of(database.fetch, server) if server is not None else {}
        return tuned(catalog, weights) if weights else catalog


def separator_of(settings: Settings, name: str | None = None) -> Separator:
    """Load the separator of this name, or of the settings, with their weights and threads (see `load_separator`)."""
    jobs = settings.jobs
    return load_separator(
        name or jobs.separator,
        weights_dir=jobs.weights,
        threads=jobs.threads,
        htdemucs=settings.htdemucs.model_dump(),
    )


def track_json(track: TrackLike) -> dict[str, Any]:
    """What JSON says of a track before all else."""
    return {"id": track.id, "title": track.title, "artist": track.artist}


def echo_track(
    place: int, track: TrackLike, score: str, reasons: Sequence[Reason], shown: int | None
) -> None:
    """Print a track with its score and its first `shown` reasons, the strongest first (None: all)."""
    artist = f" · {track.artist}" if track.artist else ""
    click.echo(f"{place:2}. {track.title}{artist}  ({score})")
    for reason in sorted(reasons, key=lambda reason: -abs(reason.contribution))[:shown]:
        click.echo(f"      {reason.contribution:+.3f}  {reason_text(reason)}")


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error (where somebody is watching) for work that reports its share, 0..1."""
    with click.progressbar(length=1000, label=label[:40], file=sys.stderr) as bar:
        yield lambda share: bar.update(max(int(share * 1000) - bar.pos, 0))
