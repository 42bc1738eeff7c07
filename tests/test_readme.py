"""What README, docs and their neighbours name exists: commands with their options, make's targets, files, settings."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from bot.cli import main
from tests.conftest import ROOT

PAGES = {
    path: path.read_text("utf-8")
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "PRIVACY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    )
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
    pattern = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?{program} (.+)")
    matches = [match for text in (*CODE, *BLOCKS) if (match := pattern.match(text.strip()))]
    return [shlex.split(match[1].replace(" ...", ""), comments=True) for match in matches]


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1500, "wc -w README.md"


def test_the_command_line_has_every_command_and_option() -> None:
    calls = called("moodstem")
    assert len(calls) > 60
    for arguments in calls:
        command: click.Command = main
        rest = list(arguments)
        context = click.Context(main)
        while isinstance(command, click.Group):
            known = {option: one for one in command.get_params(context) for option in one.opts}
            while rest and rest[0] in known:
                takes_value = not getattr(known[rest.pop(0)], "is_flag", False)
                rest = rest[1:] if takes_value else rest
            if not rest:
                break
            name = rest.pop(0)
            if name.startswith("{"):  # alternatives
                break
            found = command.get_command(context, name)
            assert found is not None, f"moodstem {' '.join(arguments)}: there is no {name}"
            command = found
        known = {
            option: one for one in command.get_params(context) for option in (*one.opts, *one.secondary_opts)
        }
        used = {one for one in rest if re.match(r"--?[a-z]", one)}
        assert used <= set(known), f"moodstem {' '.join(arguments)}: {used - set(known)}"


def test_every_command_of_the_command_line_is_named() -> None:
    named = {argument for arguments in called("moodstem") for argument in arguments}
    assert set(main.list_commands(click.Context(main))) <= named


def test_make_has_every_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {arguments[0] for arguments in called("make")}
    assert {"try", "test", "coverage", "mutants", "faults", "messages"} <= named <= targets


def test_every_file_that_is_named_is_there() -> None:
    pattern = r"^(?:core|bot|jobs|research|docs|tests|deploy)/[\w./*-]*$|^[\w.-]+\.(?:md|toml|yaml)$"
    written = {
        "rules.toml",
        "compose.override.yaml",
    }  # in a folder that the text names, or by `moodstem setup`
    files = {one for one in CODE if re.match(pattern, one)} - written
    assert len(files) > 15
    for name in files:
        assert list(ROOT.glob(name.rstrip("/"))), f"{name} is named and is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES[page]):
        name, _, heading = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), f"{page.name}: {target}"
        anchors = [
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.M)
        ] if heading else []  # fmt: skip
        assert not heading or heading in anchors, f"{page.name}: {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    readme = PAGES[ROOT / "README.md"]
    for page in PAGES:
        assert page.name == "README.md" or f"]({page.relative_to(ROOT)})" in readme, page


def test_every_module_that_is_run_is_there() -> None:
    for arguments in called("python"):
        assert arguments[0] == "-m"
        if arguments[1] != "pip":
            assert Path(ROOT, *arguments[1].split(".")).with_suffix(".py").is_file(), arguments


def test_settings_in_config_are_those_that_are_named() -> None:
    tables = set(re.findall(r"^\[(\w+)\]", (ROOT / "config.toml").read_text(), re.M))
    assert {one.strip("[]") for one in CODE if re.match(r"\[\w+\]$", one)} <= tables
    tomllib.loads((ROOT / "config.toml").read_text())
