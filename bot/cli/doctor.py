"""`moodstem doctor`: what is needed, whether it is there, and what to do when it is not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import click

from bot.cli.doctor_discord import Finding, ask
from bot.cli.instance import is_held
from bot.cli.root import print_json, settings_of
from bot.cli.shared import JSON, separator_of
from bot.token import read_token
from core.audio.decode import decode
from core.audio.device import gpu_name, torch_has_cuda
from core.audio.sandbox import sandbox_lacks
from core.errors import UserError
from core.folders import advice_on, whoever, writable
from core.library.backup import quick_check
from core.library.database import Database
from core.library.samples import manifest
from core.library.schema import available_migrations, check_version, schema_version
from core.library.tracks import Library
from core.separation.registry import at_hand
from core.settings import Settings, config_file
from jobs.configure import plan
from jobs.disk import RESERVE_BYTES, usage
from jobs.engines.registry import installed
from jobs.queue import Queue
from jobs.schedule import Schedule

START_MB = 3.0
"""What a new database takes on the disk, its log included; one that is there needs a little to be opened."""


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is made, changed or fetched."""
    runs = is_held(settings)
    return [
        _settings(),
        *await _discord(settings),
        _bot(runs),
        *await _monitor(settings, runs),
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
    return Finding("settings", False, text)


async def _discord(settings: Settings) -> list[Finding]:
    try:
        return await ask(settings, read_token(settings.data))
    except UserError as error:
        return [Finding("token", False, str(error), needed=True)]


def _bot(runs: bool) -> Finding:
    text = (
        "runs on this data folder, so a second one is refused" if runs else "does not run on this data folder"
    )
    return Finding("bot", True, text)


async def _monitor(settings: Settings, runs: bool) -> list[Finding]:
    """Whether the port for /health and /metrics is free, by taking it for a moment."""
    host, port = settings.monitor.host, settings.monitor.port
    if port is None or runs:
        return []
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        text = f"{host}:{port} cannot be used ({error.strerror}): choose another port under [monitor]"
        return [Finding("monitor", False, text, needed=True)]
    server.close()
    return [Finding("monitor", True, f"{host}:{port} is free")]


def _disk(settings: Settings) -> list[Finding]:
    data = settings.data.absolute()
    folder = next(one for one in (data, *data.parents) if one.exists())
    files = [one for one in (data / "moodstem.lock", data / settings.database.name) if one.exists()]
    closed = [one for one in files if not os.access(one, os.R_OK | os.W_OK)]
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        closed.append(folder)
    advice = (
        f", but {closed[0]} is closed: {writable(data) if data.exists() else f'let {whoever()} write there'}"
        if closed
        else ""
    )
    open_to_all = data.exists() and bool(data.stat().st_mode & 0o007)
    free = shutil.disk_usage(folder).free
    taken = sum(one.stat().st_size for one in data.glob(f"{settings.database.name}*"))
    full = free < max(START_MB * 1e6 - taken, 1e5)
    few = free < RESERVE_BYTES
    return [
        Finding("data folder", not closed, f"{data}{advice}", needed=True),
        *_strangers(data),
        Finding(
            "privacy",
            not open_to_all,
            "every user of this machine can read the data folder: chmod o= it"
            if open_to_all
            else "the data folder is not open to other users of this machine",
        ),
        Finding("disk", not few, f"{free / 1e9:.1f} GB free{': make room' if few else ''}", needed=full),
    ]


def _strangers(data: Path) -> list[Finding]:
    """Files of the data folder that another user owns: a bot that was once run by somebody else leaves them."""
    ours = os.geteuid()
    others = []
    for folder, _, names in os.walk(data):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(OSError):  # just removed
                if (owner := path.lstat().st_uid) != ours:
                    others.append((path, owner))
    if not others:
        return []
    path, owner = others[0]
    text = f"{len(others)} files and folders are not {whoever()}'s, such as {path} (user {owner}): let one user run everything, and `chown -R` what others left"
    return [Finding("owners", False, text)]


def _storage(settings: Settings) -> Finding:

    kept, found = settings.retention, usage(settings.data)
    budget, total = kept.disk_gb + kept.backups_gb, sum(found.values()) / 1e9
    parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in found.items() if size)
    advice = "" if total <= budget else ": raise disk_gb or backups_gb in [retention], or wait"
    text = f"{total:.2f} of {budget:g} GB{f' ({parts})' if parts else ''}{advice}"
    return Finding("storage", total <= budget, text)


async def _schedule(settings: Settings, database: Database) -> list[Finding]:
    """When each task last ran; what is late runs as soon as the bot does."""
    if not settings.jobs.schedule:
        return [Finding("schedule", False, "switched off by [jobs] schedule in config.toml")]
    findings, states = [], await Schedule(Queue(database), plan(settings)).states()
    if not any(state["last_success"] or state["last_error"] for state in states):
        return [Finding("schedule", False, "nothing has run yet: start `moodstem run`")]
    for state in states:
        ran = f"ran {_moment(state['last_success'])}" if state["last_success"] else "has never run"
        if state["last_error"]:
            ran += f", failed {_moment(state['last_error_at'])} ({state['last_error']})"
        late = "it is late: start `moodstem run`" if state["missed"] else f"next {_moment(state['next_run'])}"
        fine = not state["last_error"] and not state["missed"]
        findings.append(Finding(f"schedule: {state['name']}", fine, f"{ran}; {late}"))
    return findings


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


async def _database(settings: Settings) -> list[Finding]:
    version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
    old = (
        " (older than 3.51.3, which mended a rare fault of its log: keep the nightly backups)"
        if version < (3, 51, 3)
        else ""
    )
    findings = [Finding("SQLite", version >= (3, 37), f"{sqlite3.sqlite_version}{old}", needed=True)]
    path = settings.database
    if not path.exists():
        return [*findings, Finding("database", True, "none yet: the first start makes it")]
    try:
        async with await Database.connect(path, readonly=True) as database:
            check, schema = await quick_check(database), await schema_version(database)
            check_version(path, schema)
            if schema < max(available_migrations()):
                text = f"integrity {check}, of an older Moodstem (schema {schema}): the next start brings it up to date"
                return [*findings, Finding("database", check == "ok", text, needed=True)]
            tracks = await Library(database).counts()
            queue = Queue(database)
            jobs, runners = await queue.counts(), await queue.runners()
            schedule = await _schedule(settings, database)
    except UserError as error:
        return [*findings, Finding("database", False, str(error), needed=True)]
    except sqlite3.Error as error:
        return [
            *findings,
            Finding("database", False, f"{path} cannot be read ({error}): restore a backup", needed=True),
        ]
    alive = sum(runner["seen_at"] > time.time() - 60 for runner in runners)
    return [
        *findings,
        Finding("database", check == "ok", f"{tracks['total']} tracks, integrity {check}", needed=True),
        Finding(
            "queue", True, f"{jobs['queued']} waiting, {jobs['running']} running, {jobs['failed']} failed"
        ),
        Finding(
            "workers", bool(alive), f"{alive} alive" if alive else "none is running: start `moodstem run`"
        ),
        *schedule,
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
        return Finding("decoder", False, weaker)
    return Finding("decoder", True, f"{versions}, in its sandbox")


def _separator(settings: Settings) -> Finding:
    """Load it, but fetch nothing."""
    name, weights = settings.jobs.separator, settings.jobs.weights
    if name not in ("auto", at_hand(name, weights_dir=weights)):
        return Finding("separator", True, f"{name}, whose weights the first worker fetches")
    try:
        loaded = separator_of(settings)
    except UserError as error:
        return Finding("separator", False, f"no upload can be analysed: {error}")
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
        return [Finding("folders", False, "no music folder under [library] in config.toml: samples only")]
    return [_folder(settings, folder) for folder in settings.library.folders]


def _folder(settings: Settings, folder: Path) -> Finding:
    advice = advice_on(folder)
    return Finding("folder", not advice, f"{folder}{_found_by(settings, folder)}{advice and f': {advice}'}")


def _found_by(settings: Settings, folder: Path) -> str:
    """Of a folder that is not for all."""
    servers = settings.library.servers_of(folder)
    return f", only for the servers {', '.join(map(str, servers))}" if servers else ""


@click.command()
@JSON
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check what Moodstem needs and say what to do.

    It changes nothing, and exits with 1 exactly where `moodstem run` would not start.
    """
    try:
        findings = asyncio.run(examine(settings_of(ctx)))
    except UserError as error:  # of the settings
        findings = [Finding("settings", False, str(error), needed=True)]
    stops = sum(finding.needed and not finding.ok for finding in findings)
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            mark = "ok" if finding.ok else "FAIL" if finding.needed else "note"
            click.echo(f"{mark:4}  {finding.name}: {finding.text}")
        click.echo(
            {0: "Nothing stops the bot.", 1: "1 thing stops the bot."}.get(
                stops, f"{stops} things stop the bot."
            )
        )
    if stops:
        ctx.exit(1)
