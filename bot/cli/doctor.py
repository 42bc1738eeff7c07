"""`moodstem doctor`: what is needed, whether it is there, and what to do when it is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import click

from bot.cli.doctor_discord import ask
from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, separator_of
from bot.token import read_token
from core.audio.decode import decode
from core.audio.device import gpu_name, torch_has_cuda
from core.audio.sandbox import sandbox_lacks
from core.errors import UserError
from core.folders import access_to
from core.library.backup import quick_check
from core.library.database import Database
from core.library.samples import manifest
from core.library.schema import open_database
from core.library.tracks import Library
from core.settings import Settings, config_file, whoever
from jobs.configure import plan
from jobs.disk import usage
from jobs.engines.registry import installed
from jobs.queue import Queue
from jobs.schedule import Schedule

FREE_GB = 2


@dataclass(frozen=True)
class Finding:
    """One line of the report; what is `needed` and not ok makes the command fail."""

    name: str
    ok: bool
    text: str
    needed: bool = True


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed but the database's schema."""
    return [
        _settings(),
        *await _discord(settings),
        *_disk(settings),
        _storage(settings),
        *await _database(settings),
        decoder_child(),
        _separator(settings),
        _gpu(settings),
        *_engine(settings),
        *_folders(settings),
    ]


def _settings() -> Finding:
    """A misspelt path would otherwise look like settings that have no effect."""
    file = config_file().absolute()
    if file.is_file():
        return Finding("settings", True, str(file))
    text = f"no file {file}, so all but what the environment sets is as by default: start where config.toml is, or name it in MOODSTEM_CONFIG"
    return Finding("settings", False, text, needed=False)


async def _discord(settings: Settings) -> list[Finding]:

    try:
        answers = await ask(settings, read_token(settings.data))
    except UserError as error:
        answers = [("token", False, str(error))]
    return [Finding(name, ok, text, needed=False) for name, ok, text in answers]


def _disk(settings: Settings) -> list[Finding]:
    folder = settings.data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    writable = os.access(folder, os.W_OK)
    open_to_all = settings.data.exists() and bool(settings.data.stat().st_mode & 0o007)
    return [
        Finding(
            "data folder",
            writable,
            f"{settings.data.absolute()}{'' if writable else f': make it writable for {whoever()}'}",
        ),
        Finding(
            "privacy",
            not open_to_all,
            "every user of this machine can read the data folder: chmod o= it"
            if open_to_all
            else "the data folder is not open to other users of this machine",
            needed=False,
        ),
        Finding("disk", free >= FREE_GB, f"{free:.1f} GB free{'' if free >= FREE_GB else ': make room'}"),
    ]


def _storage(settings: Settings) -> Finding:

    kept, found = settings.retention, usage(settings.data)
    budget, total = kept.disk_gb + kept.backups_gb, sum(found.values()) / 1e9
    parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in found.items() if size)
    advice = (
        "" if total <= budget else ": raise disk_gb or backups_gb in [retention], or wait for the clean-up"
    )
    return Finding(
        "storage",
        total <= budget,
        f"{total:.2f} of {budget:g} GB{f' ({parts})' if parts else ''}{advice}",
        needed=False,
    )


async def _clock(settings: Settings, database: Database) -> list[Finding]:
    """When each task last ran; what is late runs as soon as the bot does."""

    if not settings.jobs.schedule:
        return [Finding("clock", False, "switched off by [jobs] schedule in config.toml", needed=False)]
    findings, states = [], await Schedule(Queue(database), plan(settings)).states()
    if not any(state["last_success"] or state["last_error"] for state in states):
        return [Finding("clock", False, "nothing has run yet: start `moodstem run`", needed=False)]
    for state in states:
        ran = f"ran {_moment(state['last_success'])}" if state["last_success"] else "has never run"
        if state["last_error"]:
            ran += f", failed {_moment(state['last_error_at'])} ({state['last_error']})"
        late = "it is late: start `moodstem run`" if state["missed"] else f"next {_moment(state['next_run'])}"
        fine = not state["last_error"] and not state["missed"]
        findings.append(Finding(f"clock: {state['name']}", fine, f"{ran}; {late}", needed=False))
    return findings


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


async def _database(settings: Settings) -> list[Finding]:

    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    findings = [
        Finding(
            "SQLite",
            version >= (3, 37),
            f"{sqlite3.sqlite_version}"
            + (
                ""
                if version >= (3, 51, 3)
                else " (older than 3.51.3, which mended a rare WAL fault: keep the backups)"
            ),
        )
    ]
    try:
        async with await open_database(settings.database) as database:
            check = await quick_check(database)
            tracks = await Library(database).counts()
            queue = Queue(database)
            jobs, runners = await queue.counts(), await queue.runners()
            clock = await _clock(settings, database)
    except UserError as error:
        return [*findings, Finding("database", False, str(error))]
    alive = [runner for runner in runners if runner["seen_at"] > time.time() - 60]
    return [
        *findings,
        Finding("database", check == "ok", f"{tracks['total']} tracks, integrity {check}"),
        Finding(
            "queue", True, f"{jobs['queued']} waiting, {jobs['running']} running, {jobs['failed']} failed"
        ),
        Finding(
            "workers",
            bool(alive),
            f"{len(alive)} alive" if alive else "none is running: start `moodstem run`",
            needed=False,
        ),
        *clock,
    ]


def decoder_child() -> Finding:
    """Decode a sample as an upload is decoded: in the sandboxed child."""
    import av
    import soundfile

    versions = f"libsndfile {soundfile.__libsndfile_version__}, PyAV {av.__version__}"
    try:
        decode(manifest()[0].path)
        lacks = sandbox_lacks()
    except (UserError, OSError) as error:
        return Finding(
            "decoder", False, f"{versions}; a sample cannot be decoded ({error}): install Moodstem anew"
        )
    if lacks:
        weaker = f"{versions}; this kernel has no {' and no '.join(lacks)}, so the decoder's sandbox is weaker: use Linux 5.13 or newer"
        return Finding("decoder", False, weaker, needed=False)
    return Finding("decoder", True, f"{versions}, in its sandbox")


def _separator(settings: Settings) -> Finding:

    try:
        loaded = separator_of(settings)
    except UserError as error:
        return Finding("separator", False, str(error))
    return Finding("separator", True, f"{loaded.name} {loaded.version}")


def _gpu(settings: Settings) -> Finding:

    name = gpu_name()
    if name is not None:
        return Finding("GPU", True, name)
    built = "" if torch_has_cuda() else " that this PyTorch could use (it is built for the CPU)"
    threads = settings.jobs.threads
    return Finding(
        "GPU",
        False,
        f"none{built}; separation runs on the CPU, each worker with [jobs] threads = {threads} of {_cores()} cores",
        needed=False,
    )


def _cores() -> int:
    """Those that this process may use: a container may be kept to some of the machine's."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _engine(settings: Settings) -> list[Finding]:
    """What the engine says of the machines that workers run on; takes seconds."""
    examine = installed()[settings.jobs.engine].examine
    return [Finding(*found) for found in examine(settings.jobs)]


def _folders(settings: Settings) -> list[Finding]:
    if not settings.library.folders:
        return [
            Finding(
                "folders", False, "no music folder under [library] in config.toml: samples only", needed=False
            )
        ]
    return [_folder(settings, folder) for folder in settings.library.folders]


def _folder(settings: Settings, folder: Path) -> Finding:
    advice = {
        "open": "",
        "closed": f": let {whoever()} read it",
        "inside a closed one": f": let {whoever()} into what it lies in",
        "missing": ": it is not there",
    }
    access = access_to(folder)
    return Finding("folder", access == "open", f"{folder}{_found_by(settings, folder)}{advice[access]}")


def _found_by(settings: Settings, folder: Path) -> str:
    """Of a folder that is not for all."""
    servers = settings.library.servers_of(folder)
    return f", only for the servers {', '.join(map(str, servers))}" if servers else ""


@click.command()
@JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check what Moodstem needs and say what to do."""
    findings = asyncio.run(examine(settings_of(ctx)))
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'LOOK'}  {finding.name}: {finding.text}")
    if not all(finding.ok for finding in findings if finding.needed):
        ctx.exit(1)
