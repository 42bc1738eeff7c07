"""What README and CONTRIBUTING name exists: commands with their options, make's targets, files, slash commands, settings."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click

from bot.cli import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {
    name: (ROOT / name).read_text("utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "PRIVACY.md")
}
CODE = [
    one
    for page in PAGES.values()
    for one in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.S))
]
BLOCKS = [
    line
    for page in PAGES.values()
    for block in re.findall(r"```\n(.*?)```", page.replace("\\\n", " "), re.S)
    for line in re.split(r"\n|&&", block)
]


def called(program: str) -> list[list[str]]:
    """The arguments of each call, without what stands before it and comments behind."""
    pattern = re.compile(rf"(?:DISCORD_TOKEN=\S+ )?(?:\.venv/bin/)?{program} (.+)")
    matches = [match for text in (*CODE, *BLOCKS) if (match := pattern.match(text.strip()))]
    return [shlex.split(match[1].replace(" ...", ""), comments=True) for match in matches]


def test_the_command_line_has_every_command_and_option() -> None:
    calls = called("moodstem")
    assert len(calls) > 40
    for arguments in calls:
        command: click.Command = main
        rest = list(arguments)
        context = click.Context(main)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name = rest.pop(0)
            found = command.get_command(context, name)
            assert found is not None, f"moodstem {' '.join(arguments)}: there is no {name}"
            command = found
        known = {option for one in command.get_params(context) for option in (*one.opts, *one.secondary_opts)}
        used = {one for one in rest if re.match(r"--?[a-z]", one)}
        assert used <= known, f"moodstem {' '.join(arguments)}: {used - known}"


def test_make_has_every_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {arguments[0] for arguments in called("make")}
    assert {"try", "test", "coverage", "mutants", "faults", "messages"} <= named <= targets


def test_every_file_and_link_is_there() -> None:
    patterns = r"^(?:core|bot|jobs|docs|tests|deploy)/[\w./*-]*$|^[\w.-]+\.(?:md|toml|yaml)$"
    files = [one for one in CODE if re.match(patterns, one) and one not in ("rules.toml",)]
    links = [one for page in PAGES.values() for one in re.findall(r"\]\((?!http)([^)#]+)\)", page)]
    assert len(files) > 15 and len(links) > 5
    for name in (*files, *links):
        assert list(ROOT.glob(name.rstrip("/"))), f"{name} is named and is not there"


def test_every_module_that_is_run_is_there() -> None:
    for arguments in called("python"):
        assert arguments[0] == "-m"
        assert Path(ROOT, *arguments[1].split(".")).with_suffix(".py").is_file(), arguments


def test_settings_in_config_are_those_that_are_named() -> None:
    tables = set(re.findall(r"^\[(\w+)\]", (ROOT / "config.toml").read_text(), re.M))
    assert {one.strip("[]") for one in CODE if re.match(r"\[\w+\]$", one)} <= tables
    tomllib.loads((ROOT / "config.toml").read_text())
