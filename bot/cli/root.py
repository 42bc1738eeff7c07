"""The root of the command line: its error path, its options, its commands, and those that other packages add.

A command's module is imported when the command is asked for, so that --help is quick.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core import logs
from core.errors import NO_ROOM, UserError, is_disk_full

if TYPE_CHECKING:
    from core.settings import Settings


LABORATORY = {
    "bench": "Measure how fast a part is, beside the usual way to do it, in one run.",
    "calibrate": "Fit the rules' weights to listeners' labels, directions kept.",
    "eval": "Measure how good the answers are.",
    "train": "Train what ships with Moodstem.",
}
"""Commands of the package `research`, which users do not have, and their lines in --help."""


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


COMMANDS = {
    "analyze": ("bot.cli.analyze:analyze", "Measure tracks: tempo, key, contrast, instruments and descriptors."),
    "db": ("bot.cli.database:db", "Look after the database."),
    "doctor": ("bot.cli.doctor:doctor", "Check what Moodstem needs and say what to do."),
    "erase": ("bot.cli.members:erase", "Erase everything that is kept about a Discord user (by id)."),
    "export": ("bot.cli.members:export", "Print everything that is kept about a Discord user (by id), as JSON."),
    "index": ("bot.cli.index:index", "Add or refresh a folder of music."),
    "journey": ("bot.cli.journey:journey", "Music that begins with one mood and leads to another, step by step."),
    "recommend": ("bot.cli.recommend:recommend", "Tracks that fit a mood, with their reasons."),
    "report": ("bot.cli.report:report", "Look at a whole library."),
    "run": ("bot.cli.run:run", "Run the bot on Discord with its own worker."),
    "setup": ("bot.cli.setup:setup", "Set up the bot for Discord: token, invitation, music, language, service."),
    "similar": ("bot.cli.similar:similar", "Tracks that sound like another one, or that suit to practise an instrument."),
    "try": ("bot.cli.try_it:try_", "Try the real bot on a simulated Discord, in the browser."),
    "worker": ("bot.cli.run:worker", "Run one more worker: takes jobs from the queue until it is stopped."),
}  # fmt: skip
"""The product's commands: where each is, and its line in --help."""


class Root(ExtensibleGroup):
    """The command `moodstem`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Turn a UserError into one line on standard error and exit code 1, as the contract says."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            from bot.words.say import say

            raise click.ClickException(" ".join(say(error).split())) from error
        except Exception as error:
            if is_disk_full(error):
                raise click.ClickException(NO_ROOM) from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *LABORATORY, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = pkgutil.resolve_name(COMMANDS[cmd_name][0])
            return command
        found = super().get_command(ctx, cmd_name)
        return absent(cmd_name) if found is None and cmd_name in LABORATORY else found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines = LABORATORY | {name: line for name, (_, line) in COMMANDS.items()}
        with formatter.section("Commands"):
            formatter.write_dl([(name, lines.get(name, "")) for name in self.list_commands(ctx)])


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
    os.umask(0o077)  # what is kept about members is for the operator alone
    logs.configure("human", "INFO" if verbose else "WARNING")
    ctx.obj = data


def settings_of(ctx: click.Context) -> Settings:
    """Return the settings, with --data before everything else."""
    from core.settings import load_settings
    from jobs.engines.registry import job_settings

    return load_settings(ctx.find_root().obj, job_settings())


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, ensure_ascii=False, allow_nan=False, indent=1)
    sys.stdout.write("\n")
