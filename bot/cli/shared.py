"""What several commands have in common: options, their checks, the catalog, the separator, a bar that shows progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from core.errors import UserError

if TYPE_CHECKING:
    from core.library.catalog import Catalog
    from core.separation.base import Separator
    from core.settings import Settings

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")

SERVER = click.option(
    "--server",
    type=click.IntRange(0),
    metavar="ID",
    help="What this Discord server finds, with the weights that it has chosen; 0: what every server finds.",
)
"""Without it, everything."""


class SeparatorName(click.ParamType[str]):
    """One of the fixed names, or what an installed package brings; asked for only when the option is used."""

    name = "NAME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from core.separation.registry import names

        if value not in names():
            self.fail(f"{value!r} is not one of {', '.join(names())}.", param, ctx)
        return value


def mood_weights(ctx: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, float]:
    """--mood NAME=0..1, checked where usage errors belong (exit code 2)."""
    from core.moods.profile import Profile

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
        raise click.BadParameter(str(error)) from None
    return moods


def separator_of(settings: Settings, name: str | None = None) -> Separator:
    """The separator of this name, or of the settings, loaded with their weights and threads (see `load_separator`)."""
    from core.separation.registry import load_separator

    jobs = settings.jobs
    return load_separator(
        name or jobs.separator,
        weights_dir=jobs.weights,
        threads=jobs.threads,
        htdemucs=settings.htdemucs.model_dump(),
    )


async def the_catalog(settings: Settings, server: int | None = None) -> Catalog:
    """Everything, or what a server finds, with its own weights; the samples when nothing was indexed yet."""
    from core.library.bundled import ensure_samples
    from core.library.loading import load_catalog
    from core.library.shelf import Shelf, keep_folders_to
    from core.library.store import Database
    from core.library.tracks import Library
    from core.recommend.topic_scores import tuned
    from core.recommend.tuning import weights_of

    async with await Database.open(settings.database) as database:
        await ensure_samples(Library(database))
        await keep_folders_to(database, settings.library.folders, settings.library.servers)
        catalog = await load_catalog(database, Shelf(server, settings.library.recommend_uploads))
        weights = await weights_of(database, server) if server is not None else {}
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
