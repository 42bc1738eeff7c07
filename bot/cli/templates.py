"""The files that `moodstem setup` writes: the shipped ones with this machine's user and folders."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from bot.token import token_file
from core.settings import Settings, config_file

OWNERS = {"systemd": "moodstem:", "compose": "10001:10001"}
"""Who runs what root sets up: a system user, and the image's own (Dockerfile)."""


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def root_first(settings: Settings, service: str) -> list[str]:
    """What root must do before others can run the bot: commands, and the folders that are closed to them."""
    if not is_root():
        return []
    data, program = settings.data.absolute(), Path(sys.executable)
    on_the_way = dict.fromkeys((*program.parents, *data.parents, *config_file().absolute().parents))
    closed = [folder for folder in on_the_way if not folder.stat().st_mode & 0o001]
    return [
        *(["useradd --system moodstem"] if service == "systemd" else []),
        f"chown -R {OWNERS[service]} {shlex.quote(str(data))}",
        *(f"# {folder} is closed to others: move what lies there, for example to /opt" for folder in closed),
    ]


def template(name: str) -> str:
    """The text of a shipped file; bot/cli/shipped links to where it is in the repository."""
    return files("bot.cli").joinpath("shipped", name).read_text("utf-8")


def systemd_unit(settings: Settings) -> str:
    """deploy/moodstem.service for this installation, run by whoever asks (for root by `moodstem`), with the files as they lie."""
    data = settings.data.absolute()
    program = Path(sys.executable).with_name("moodstem")
    variables = {
        "MOODSTEM_CONFIG": config_file().absolute(),
        "MOODSTEM_DATA": data,
        "DISCORD_TOKEN_FILE": token_file(settings.data).absolute(),
    }
    here = {
        "LoadCredential=": [_quoted(f"{name}={value}", "Environment=") for name, value in variables.items()],
        "Environment=MOODSTEM_": [],
        "Environment=DISCORD_": [],
        "ExecStart=": [_quoted(str(program), "ExecStart=") + " run"],
        "WorkingDirectory=": [f"WorkingDirectory={_escaped(str(Path.cwd()))}"],
        "Documentation=": [],
        "DynamicUser=": [f"User={'moodstem' if is_root() else getpass.getuser()}"],
        "StateDirectory=": [_quoted(str(data), "ReadWritePaths=")],
        "StateDirectoryMode=": [],
    }
    shipped = re.sub(r"\A(#.*\n)+", "", template("moodstem.service"))
    lines = ["# Moodstem under systemd, written by `moodstem setup`. With a GPU, set PrivateDevices=no."]
    for line in shipped.splitlines():
        instead = next((new for start, new in here.items() if line.startswith(start)), [line])
        lines += instead
    return "\n".join(lines) + "\n"


def _quoted(text: str, key: str) -> str:
    return f'{key}"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """As systemd reads it: % begins a specifier."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def compose_override(settings: Settings) -> str:
    """What compose.yaml needs to know of this machine: who runs it (for root the image's own user), and its folders, music
    by the same paths inside."""
    binds = [
        (settings.data.absolute(), "/data", False),
        (config_file().absolute(), "/etc/moodstem/config.toml", True),
        *((folder, str(folder), True) for folder in settings.library.folders),
    ]
    lines = [
        "# Written by `moodstem setup`; `docker compose` reads it after compose.yaml.",
        "services:",
        "  moodstem: &here",
        *([f'    user: "{os.getuid()}:{os.getgid()}"'] if hasattr(os, "getuid") and not is_root() else []),
        "    environment:",
        "      HOME: /data",
        "    volumes: !override",
    ]
    for source, target, is_read_only in binds:
        lines += [
            "      - type: bind",
            f"        source: {_plain(str(source))}",
            f"        target: {_plain(target)}",
            f"        read_only: {str(is_read_only).lower()}",
        ]
    return "\n".join([*lines, "  moodstem-gpu: *here"]) + "\n"


def _plain(text: str) -> str:
    """As Compose reads it: $ begins a variable."""
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")
