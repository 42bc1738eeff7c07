"""`moodstem setup`: an operator's first quarter of an hour, step by step or by options.

Each answer is written down before the next question is asked, so whoever interrupts loses nothing; what is there
already is shown and stays unless something else is said.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TextIO

import click
import tomlkit

from bot.cli.doctor_discord import NEEDED, Seen, id_in, invite_link, look
from bot.cli.root import main, settings_of
from bot.cli.templates import compose_override, root_first, systemd_unit, template
from bot.token import cleaned, keep_token, read_token
from core.errors import UserError
from core.folders import access_to, advice_on, replace_file
from core.settings import Settings, config_file
from core.spoken import LANGUAGES

SERVICES = ("systemd", "compose", "none")


@click.command()
@click.option(
    "--token-file",
    type=click.File(errors="replace"),
    help="Take the token from this file; - is standard input.",
)
@click.option("--music", type=click.Path(path_type=Path), multiple=True, help="Add this folder of music.")
@click.option(
    "--language", type=click.Choice(list(LANGUAGES)), help="Where neither member, server nor Discord say one."
)
@click.option("--service", type=click.Choice(SERVICES), help="Write what starts the bot with the machine.")
@click.option("--yes", is_flag=True, help="Ask nothing, as without a terminal: what no option says stays.")
@click.pass_context
def setup(
    ctx: click.Context,
    token_file: TextIO | None,
    music: tuple[Path, ...],
    language: str | None,
    service: str | None,
    yes: bool,
) -> None:
    """Set up the bot for Discord: token, invitation, music, language, service.

    It ends with what `moodstem doctor` says. Run it again to see what is there; it changes only what you say.
    """
    asks = sys.stdin.isatty() and not yes
    try:
        file = config_file().absolute()
        if not file.exists():
            _replace(file, template("config.toml"), 0o644)
        _token(settings_of(ctx), token_file, asks)
        click.echo(f"Settings: {file}.")
        _music(settings_of(ctx), music, asks)
        _language(settings_of(ctx), language, asks)
        _service(settings_of(ctx), service, asks)
    except click.Abort:
        click.echo("\nStopped. What you answered so far is kept: `moodstem setup` goes on from there.")
        ctx.exit(1)
    click.echo("`moodstem run` starts the bot here. This is what `moodstem doctor` says:\n")
    doctor = main.get_command(ctx, "doctor")  # loaded only now, for it loads PyTorch
    assert doctor is not None
    ctx.invoke(doctor, as_json=False)


def _ask_again(error: UserError, asks: bool) -> None:
    """Say what is wrong with an answer; raises it where nobody can give another."""
    if not asks:
        raise error
    click.echo(f"Error: {error}")


def _token(settings: Settings, given: TextIO | None, asks: bool) -> None:
    """Keep a token that is good, as far as one can say, and print the invitation."""
    token, seen = _good_token(settings, given, asks)
    try:
        file = keep_token(settings.data, token)
    except OSError as error:
        raise UserError(f"The token cannot be kept ({error.strerror}): {error.filename}.") from error
    if seen.problem:
        click.echo(f"Token: could not be checked, for Discord {seen.problem.text}.")
    else:
        click.echo(f"Token: good, of the bot {seen.me['username']}.")
    click.echo(f"  kept in {file}, which only its owner can read")
    if os.environ.get("DISCORD_TOKEN", "").strip() not in ("", token):
        click.echo("  but DISCORD_TOKEN holds another one, which comes first: unset it")
    click.echo(f"Invitation, to {', '.join(NEEDED.values())}; open it and choose your server:")
    click.echo(f"  {invite_link(seen.application_id or id_in(token))}")
    named = ", ".join(map(str, settings.discord.operators)) or "whoever owns it at Discord, or its team"
    click.echo(f"Operator, who may make backups on Discord: {named}; [discord] operators names others.")


def _good_token(settings: Settings, given: TextIO | None, asks: bool) -> tuple[str, Seen]:
    """The given token, the answer, or the one that is there; asks until Discord knows it or cannot be asked."""
    present = ""
    try:
        present = read_token(settings.data)
    except UserError as error:
        if given is None:
            _ask_again(error, asks)
    while True:
        try:
            if given is not None:
                token = cleaned(given.read(), given.name)
            elif asks:
                which = "Enter: the one that is kept" if present else "developer portal, Bot, Reset Token"
                said = click.prompt(f"Token, not shown ({which})", "", hide_input=True, show_default=False)
                token = cleaned(said, "your answer") or present
            else:
                token = present
            if not token:
                raise UserError(
                    "There is no token yet: answer at a terminal, or name its file by --token-file."
                )
            seen = asyncio.run(look(settings, token))
            if seen.is_wrong and seen.problem:
                raise UserError(f"The token is not good: {seen.problem.text}.")
            return token, seen
        except UserError as error:
            _ask_again(error, asks)
            given = None


def _music(settings: Settings, given: tuple[Path, ...], asks: bool) -> None:
    """Add folders to those that are there; the first wrong one of the command line is an error."""
    folders = list(settings.library.folders)

    def add(folder: Path) -> None:
        folder = _readable(folder)
        if folder not in folders:
            folders.append(folder)
            _write("library", "folders", [str(one) for one in folders])

    for folder in given:
        add(folder)
    click.echo(f"Music: {', '.join(map(str, folders)) or 'no folder, so the samples are recommended'}.")
    while asks and not given:
        answer = click.prompt("Folder of music to add (Enter: none)", "", show_default=False)
        if not answer.strip():
            break
        try:
            add(Path(answer.strip()))
        except UserError as error:
            _ask_again(error, asks)


def _readable(folder: Path) -> Path:
    """The whole path of a folder. Raises UserError if it is not there or closed."""
    folder = folder.expanduser().absolute()
    if access_to(folder) == "missing":
        raise UserError(f"There is no folder {folder}.")
    if advice := advice_on(folder):
        raise UserError(f"The folder {folder} is closed: {advice}.")
    return folder.resolve()


def _language(settings: Settings, given: str | None, asks: bool) -> None:
    present = settings.discord.language
    if given is None and asks:
        given = click.prompt(
            "Language where neither member, server nor Discord say one",
            present,
            type=click.Choice(list(LANGUAGES)),
        )
    if given is not None and given != present:
        _write("discord", "language", given)
    click.echo(f"Language: {LANGUAGES[given or present]}.")


def _write(table: str, key: str, value: str | list[str]) -> None:
    """Change one setting; comments and the others stay."""
    file = config_file()
    document = tomlkit.parse(file.read_text("utf-8-sig"))
    document.setdefault(table, tomlkit.table())[key] = value
    _replace(file, tomlkit.dumps(document), file.stat().st_mode & 0o777)


def _replace(file: Path, text: str, mode: int) -> None:
    try:
        replace_file(file, text, mode)
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}).") from error


def _service(settings: Settings, given: str | None, asks: bool) -> None:
    """Write a systemd unit or what compose.yaml needs to know of this machine, and say how it is started."""
    if given is None and asks:
        given = click.prompt("Start with the machine by", "none", type=click.Choice(SERVICES))
    if given in (None, "none"):
        return
    folder = config_file().absolute().parent
    if given == "systemd":
        file, text = folder / "moodstem.service", systemd_unit(settings)
        then = f"sudo install -m 0644 {file} /etc/systemd/system/ && sudo systemctl enable --now moodstem"
    elif not (folder / "compose.yaml").is_file():
        raise UserError(f"There is no compose.yaml in {folder}: run this in a copy of Moodstem's repository.")
    else:
        file, text = folder / "compose.override.yaml", compose_override(settings)
        then = "docker compose --profile cpu up -d (or gpu)"
    _replace(file, text, 0o644)
    click.echo("\n  ".join([f"Service: {file}; start it by", *root_first(settings, given), then]))
