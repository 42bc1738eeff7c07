"""`moodstem setup` as a process of its own, at a terminal and without one, against a stand-in for Discord."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import getpass
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import termios
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import discord
import pytest
import yaml

from bot.cli.templates import compose_override, root_first, systemd_unit
from core.settings import LibrarySettings, Settings
from tests.conftest import ROOT
from tests.fakes.discord_server import TOKEN, StandIn
from tests.fakes.discord_wire import APPLICATION
from tests.fakes.running_bot import PATIENCE_S, running
from tests.machine import needs_systemd

MOODSTEM = str(Path(sys.executable).with_name("moodstem"))
WRONG = TOKEN[:-4] + "abcd"


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    server = StandIn()
    await server.start()
    yield server
    await server.stop()


class Terminal:
    """Somebody at a terminal: reads what comes, and types."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.master = master
        self.seen = ""
        self.read_to = 0
        self.more = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            self.seen += os.read(self.master, 65536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self.master)
        self.more.set()

    async def comes(self, text: str) -> None:
        """Wait until this is read behind what was waited for before."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.seen[self.read_to :]:
                self.more.clear()
                assert self.process.returncode is None, self.seen
                await self.more.wait()
        self.read_to = self.seen.index(text, self.read_to) + len(text)

    async def answer(self, question: str, text: str) -> None:
        await self.comes(question)
        await self.comes(": ")
        if "not shown" in question:  # typed when nothing is echoed any more, as people do
            async with asyncio.timeout(PATIENCE_S):
                while termios.tcgetattr(self.master)[3] & termios.ECHO:
                    await asyncio.sleep(0.01)
        os.write(self.master, text.encode() + b"\n")

    async def ended(self, code: int) -> str:
        assert await asyncio.wait_for(self.process.wait(), PATIENCE_S) == code, self.seen
        return self.seen

    async def interrupted(self) -> str:
        """Ctrl+C, until it is heard: readline misses one that comes just before it looks."""
        while self.process.returncode is None and "Stopped." not in self.seen:
            os.write(self.master, b"\x03")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), 2)
        return await self.ended(1)


def environment(port: int, **more: str) -> dict[str, str]:
    unset = {"DISCORD_TOKEN", "DISCORD_TOKEN_FILE", "MOODSTEM_CONFIG", "MOODSTEM_DATA"}
    return {
        **{name: value for name, value in os.environ.items() if name not in unset},
        "MOODSTEM_DISCORD__LOOPBACK": str(port),
        "MOODSTEM_JOBS__SEPARATOR": "none",
        **more,
    }


@asynccontextmanager
async def at_terminal(port: int, folder: Path, *arguments: str) -> AsyncIterator[Terminal]:
    master, slave = os.openpty()

    def as_at_a_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where tests run in the background

    process = await asyncio.create_subprocess_exec(
        MOODSTEM, "setup", *arguments, cwd=folder, env=environment(port),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=as_at_a_terminal,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(master)


async def without(port: int, folder: Path, *arguments: str, stdin: str = "", **more: str) -> tuple[int, str]:
    """Exit code and all that it says where nobody can answer."""
    process = await asyncio.create_subprocess_exec(
        MOODSTEM, "setup", *arguments, cwd=folder, env=environment(port, **more),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(stdin.encode()), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, said.decode()


def settings_in(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "config.toml").read_text("utf-8"))


async def test_the_first_quarter_of_an_hour(stand_in: StandIn, tmp_path: Path) -> None:
    music = tmp_path / "my music"
    music.mkdir()
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    async with at_terminal(stand_in.port, tmp_path) as terminal:
        await terminal.answer("Token, not shown", "my password")
        await terminal.comes("foreign sign")
        await terminal.answer("Token, not shown", WRONG)
        await terminal.comes("Discord does not know it")
        await terminal.answer("Token, not shown", f"  Bot {TOKEN} ")
        await terminal.comes("good, of the bot moodstem")
        await terminal.answer("Folder of music", str(tmp_path / "nowhere"))
        await terminal.comes(f"There is no folder {tmp_path}/nowhere.")
        await terminal.answer("Folder of music", "my music")
        await terminal.answer("Folder of music", "")
        await terminal.answer("Language", "fr")
        await terminal.comes("'fr' is not one of")
        await terminal.answer("Language", "de")
        await terminal.answer("Start with the machine", "compose")
        said = await terminal.ended(0)
    for token in (TOKEN, WRONG, "my password"):
        assert token not in said, "it is never shown"
    assert "Traceback" not in said
    file = tmp_path / "data" / "token"
    assert file.read_text() == f"{TOKEN}\n" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    link = urlsplit(re.findall(r"https://discord\.com/oauth2/authorize\S+", said)[0])
    needed = discord.Permissions(view_channel=True, send_messages=True, attach_files=True)
    assert parse_qs(link.query) == {
        "client_id": [str(APPLICATION)],
        "scope": ["bot applications.commands"],
        "permissions": [str(needed.value)],
    }
    written = settings_in(tmp_path)
    assert written["library"]["folders"] == [str(music)] and written["discord"]["language"] == "de"
    assert len(written) > 8 and TOKEN not in (tmp_path / "config.toml").read_text()
    override = yaml.load((tmp_path / "compose.override.yaml").read_text(), Compose)
    assert override["services"]["moodstem"]["volumes"][2]["source"] == str(music)
    assert "ok    token: good for the bot moodstem" in said and f"ok    folder: {music}" in said

    async with running(stand_in, tmp_path, DISCORD_TOKEN="") as bot:
        assert stand_in.identified[-1]["token"] == TOKEN
        assert TOKEN not in await bot.stop()


class Compose(yaml.SafeLoader):
    """With the one tag of Compose's own that is used."""


Compose.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


async def test_again_it_changes_only_what_is_said(stand_in: StandIn, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    before = '# mine\n[limits]\nupload_mb = 7 # megabytes\n\n[discord] # there\nlanguage = "es" # here\n'
    config.write_text(before)
    config.chmod(0o640)
    (tmp_path / "my-token").write_text(f"\n'{TOKEN}'\n\n")
    code, said = await without(stand_in.port, tmp_path, "--token-file", "my-token")
    assert code == 0 and "Language: Español" in said and config.read_text() == before
    async with at_terminal(stand_in.port, tmp_path) as terminal:
        await terminal.answer("Token, not shown (Enter", "")
        await terminal.comes("good")
        await terminal.answer("Folder of music", "")
        await terminal.answer("Language", "")
        await terminal.answer("Start with the machine", "")
        assert "Traceback" not in await terminal.ended(0)
    assert config.read_text() == before and not (tmp_path / "moodstem.service").exists()
    assert (tmp_path / "data" / "token").read_text() == f"{TOKEN}\n"
    code, said = await without(stand_in.port, tmp_path, "--language", "de", "--music", ".")
    assert code == 0
    added = f'folders = ["{tmp_path}"]'
    assert config.read_text().replace(added, "").replace("[library]", "").split() == (
        before.replace('"es"', '"de"').split()
    )
    assert settings_in(tmp_path)["library"]["folders"] == [str(tmp_path)]
    assert stat.S_IMODE(config.stat().st_mode) == 0o640


async def test_settings_are_written_where_they_are_named(stand_in: StandIn, tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc" / "settings.toml"
    options = {"stdin": TOKEN, "MOODSTEM_CONFIG": str(elsewhere)}
    code, said = await without(stand_in.port, tmp_path, "--token-file", "-", **options)
    assert code == 1 and said == f"Error: {elsewhere} cannot be written (No such file or directory).\n"
    elsewhere.parent.mkdir()
    code, said = await without(stand_in.port, tmp_path, "--token-file", "-", **options)
    assert code == 0 and f"Settings: {elsewhere}.\n" in said
    assert elsewhere.read_text() == (ROOT / "config.toml").read_text()
    assert not (tmp_path / "config.toml").exists()


async def test_who_interrupts_loses_nothing(stand_in: StandIn, tmp_path: Path) -> None:
    async with at_terminal(stand_in.port, tmp_path, "--music", str(tmp_path)) as terminal:
        await terminal.answer("Token, not shown", TOKEN)
        await terminal.comes("Language where")
        await terminal.comes("[en]: ")
        said = await terminal.interrupted()
    assert "What you answered so far is kept" in said and "Traceback" not in said
    assert (tmp_path / "data" / "token").exists()
    assert settings_in(tmp_path)["library"]["folders"] == [str(tmp_path)]


async def test_without_a_terminal_nothing_is_asked(
    stand_in: StandIn, tmp_path: Path, unused_tcp_port: int
) -> None:
    async def refused(*arguments: str, **more: Any) -> str:
        code, said = await without(stand_in.port, tmp_path, *arguments, **more)
        assert code == 1 and said.startswith("Error: ") and said.count("\n") == 1, said
        assert not (tmp_path / "data").exists()
        return said

    assert "--token-file" in await refused()
    assert "does not know it" in await refused("--token-file", "-", stdin=WRONG)
    broken = await refused("--token-file", "-", stdin=f"{TOKEN}\n{TOKEN}")
    assert "line break" in broken and TOKEN not in broken
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert "foreign sign" in await refused("--token-file", "binary")
    assert "DISCORD_TOKEN has a line break" in await refused(DISCORD_TOKEN=f"{TOKEN}\n{TOKEN}")
    code, said = await without(unused_tcp_port, tmp_path, "--token-file", "-", stdin=TOKEN)
    assert code == 0 and "could not be checked, for Discord cannot be reached" in said
    assert "client_id=100100100100100100&" in said, "the token begins with it"
    code, said = await without(stand_in.port, tmp_path, "--music", "nowhere")
    assert code == 1 and said.splitlines()[-1] == f"Error: There is no folder {tmp_path}/nowhere."
    code, said = await without(stand_in.port, tmp_path, "--service", "compose")
    assert code == 1 and "There is no compose.yaml" in said.splitlines()[-1]
    code, said = await without(stand_in.port, tmp_path, DISCORD_TOKEN=TOKEN + "x" * 3)
    assert code == 1, "the environment comes first"


async def test_the_token_is_read_from_a_file_that_is_named(stand_in: StandIn, tmp_path: Path) -> None:
    def run(**more: str) -> str:
        said = subprocess.run(
            [MOODSTEM, "run"], cwd=tmp_path, env=environment(stand_in.port, **more),
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert said.returncode == 1 and said.stderr.startswith("Error: ") and said.stderr.count("\n") == 1
        return said.stderr

    assert "`moodstem setup`" in await asyncio.to_thread(run)
    file = tmp_path / "secret"
    assert "names" in await asyncio.to_thread(run, DISCORD_TOKEN_FILE=str(file))
    file.write_text(f"{TOKEN}\n\n{TOKEN}")
    said = await asyncio.to_thread(run, DISCORD_TOKEN_FILE=str(file))
    assert f"The token in {file} has a line break" in said and TOKEN not in said
    file.write_text(f"{TOKEN}\n")
    async with running(stand_in, tmp_path, DISCORD_TOKEN="", DISCORD_TOKEN_FILE=str(file)) as bot:
        bot.process.send_signal(signal.SIGTERM)
        await bot.ended(0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an unusual name, in which setup is run."""
    folder = tmp_path / "a 50% house"
    (folder / "data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MOODSTEM_CONFIG", raising=False)
    return folder


def test_the_unit_has_this_machines_paths(folder: Path) -> None:
    unit = systemd_unit(Settings(data=Path("data")))
    escaped = str(folder).replace("%", "%%")
    assert f'Environment="MOODSTEM_CONFIG={escaped}/config.toml"\n' in unit
    assert f'Environment="DISCORD_TOKEN_FILE={escaped}/data/token"\n' in unit
    assert f'ReadWritePaths="{escaped}/data"\n' in unit and f"WorkingDirectory={escaped}\n" in unit
    for shipped in ("DynamicUser", "StateDirectory", "/opt/moodstem", "EnvironmentFile"):
        assert shipped not in unit
    assert "ProtectSystem=strict" in unit


def test_what_root_sets_up_does_not_run_as_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.toml").touch()
    folder.chmod(0o700)
    settings = Settings(data=Path("data"))
    said = {}
    for user in (0, 1000):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        unit = systemd_unit(settings)
        said[user] = (
            re.findall("^User=(.*)$", unit, re.M),
            yaml.load(compose_override(settings), Compose)["services"]["moodstem"].get("user"),
        )
    assert said == {0: (["moodstem"], None), 1000: ([getpass.getuser()], f"{os.getuid()}:{os.getgid()}")}
    assert root_first(settings, "systemd") == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user, owner, *closed = root_first(settings, "systemd")
    assert (user, owner) == ("useradd --system moodstem", f"chown -R moodstem: '{folder}/data'")
    assert any(one.startswith(f"# {folder} is closed") for one in closed)
    assert root_first(settings, "compose")[0].startswith("chown -R 10001:10001 ")


@needs_systemd
def test_systemd_understands_the_unit(folder: Path) -> None:
    file = folder / "moodstem.service"
    file.write_text(systemd_unit(Settings(data=Path("data"))))
    said = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and not said.stderr.strip(), said.stderr


def test_containers_find_music_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=tmp_path / "$data", library=LibrarySettings(folders=[Path("/srv/a: b")]))
    services = yaml.load(compose_override(settings), Compose)["services"]
    assert services["moodstem"] == services["moodstem-gpu"]
    binds = {one["target"]: (one["source"], one["read_only"]) for one in services["moodstem"]["volumes"]}
    assert binds["/data"] == (f"{tmp_path}/$$data", False) and binds["/srv/a: b"] == ("/srv/a: b", True)
