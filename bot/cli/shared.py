"""What several commands have in common: options, their checks, the catalog, a bar that shows progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from bot.words.say import say
from core.errors import UserError
from core.library.catalog import Catalog
from core.library.loading import load_catalog
from core.library.rule_weights import weights_of
from core.library.schema import open_database
from core.library.scope import LibraryScope, restrict_folders
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from core.moods.profile import Profile
from core.recommend.topic_scores import tuned
from core.settings import Settings

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")

SERVER = click.option(
    "--server",
    type=click.IntRange(0),
    metavar="ID",
    help="What this Discord server finds, with the weights that it has chosen; 0: what every server finds.",
)
"""Without it, everything."""


def mood_weights(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, float]:
    """--mood NAME=0..1, checked where usage errors belong (exit code 2)."""
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


class progress_bar:  # noqa: N801 - used like the function that it wraps
    """A bar on standard error (where somebody is watching) for work that reports its share, 0..1."""

    def __init__(self, label: str) -> None:
        self._bar: Any = click.progressbar(length=1000, label=label[:40], file=sys.stderr)
        self._done = 0

    def __enter__(self) -> Callable[[float], None]:
        self._bar.__enter__()
        return self._advance

    def _advance(self, share: float) -> None:
        step = int(share * 1000) - self._done
        if step > 0:
            self._bar.update(step)
            self._done += step

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)
