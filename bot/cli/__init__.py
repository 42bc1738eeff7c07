"""`moodstem`: the command line. Commands import what they need when they run, so that --help is quick."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core import logs
from core.errors import UserError

if TYPE_CHECKING:
    from core.settings import Settings


class Group(click.Group):
    """UserError becomes one line on standard error and exit code 1, as the contract says."""

    def invoke(self, ctx: click.Context) -> Any:
        """A UserError becomes click's one line on standard error and exit code 1."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(" ".join(str(error).split())) from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="MOODSTEM_DATA", help="Data folder (or MOODSTEM_DATA)."
)
@click.option("-v", "--verbose", is_flag=True, help="Log more on standard error.")
@click.version_option(package_name="moodstem")
@click.pass_context
def main(ctx: click.Context, data: Path | None, verbose: bool) -> None:
    """Moodstem recommends music whose instruments fit your mood, and says why."""
    logs.configure("human", "INFO" if verbose else "WARNING")
    ctx.obj = data


def settings_of(ctx: click.Context) -> Settings:
    """The settings, with --data before everything else."""
    from core.settings import load_settings

    settings = load_settings(ctx.find_root().obj)
    if settings.jobs.genre_model is not None:  # worker processes inherit it
        os.environ["MOODSTEM_GENRE_MODEL"] = str(settings.jobs.genre_model.expanduser().resolve())
    return settings


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False, indent=1)
    sys.stdout.write("\n")


from bot.cli import journey, library, measure, music_map, report, serve, setup, similar, train  # noqa: E402 - they register their commands on `main`

__all__ = [
    "journey",
    "library",
    "main",
    "measure",
    "music_map",
    "report",
    "serve",
    "setup",
    "similar",
    "train",
]
