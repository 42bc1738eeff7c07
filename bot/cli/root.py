"""The root of the command line: its error path, its options, and the commands that other packages add."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core import logs
from core.errors import UserError

if TYPE_CHECKING:
    from core.settings import Settings


LABORATORY = ("bench", "calibrate", "eval", "train")
"""Commands of the package `research`, which users do not have."""


class ExtensibleGroup(click.Group):
    """A group of commands to which installed packages add their own, by entry points of the group `extensions`."""

    def __init__(self, *arguments: Any, extensions: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.extensions = extensions

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = entry_points(group=self.extensions).names
        return sorted({*super().list_commands(ctx), *added})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for entry in entry_points(group=self.extensions, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return None


class Root(ExtensibleGroup):
    """The command `moodstem`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Turn a UserError into one line on standard error and exit code 1, as the contract says."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(" ".join(str(error).split())) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LABORATORY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        return absent(cmd_name) if found is None and cmd_name in LABORATORY else found


def absent(name: str) -> click.Command:
    """Return a command that says how to install the laboratory, which has the real one."""

    def refuse(arguments: tuple[str, ...]) -> None:
        raise UserError(
            f"`moodstem {name}` belongs to Moodstem's laboratory, which is not installed here: in a checkout, run"
            " `pip install -e '.[research]' -e ./research`."
        )

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        short_help="Part of the laboratory, which is not installed here.",
        add_help_option=False,
    )


@click.group(
    cls=Root, extensions="moodstem.commands", context_settings={"help_option_names": ["-h", "--help"]}
)
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
