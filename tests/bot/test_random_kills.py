"""Bot, runners and workers, killed at random: every confirmed upload ends, takes effect once, and leaves no orphan.

The short form runs with the suite; `make faults` runs the long one: 1,000 uploads, a SIGKILL every few hundred
milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.library.database import Database
from core.library.schema import open_database
from core.library.sources.samples import ensure_samples
from core.library.tracks import Library
from jobs.queue import Queue
from jobs.retention import Retention, clean_up
from tests.conftest import ROOT
from tests.jobs.helpers import is_running
from tests.jobs.test_kill import children

pytestmark = pytest.mark.slow

UPLOADS = int(os.environ.get("MOODSTEM_TEST_UPLOADS", "24"))
WEIGHTS = {"worker": 6, "runner": 3, "bot": 1}
"""The bot takes longest to come back."""

# No unique key on purpose: what happened twice is there twice.
WITNESS = (
    "CREATE TABLE witness (what TEXT NOT NULL, id INTEGER NOT NULL)",
    "CREATE TRIGGER saw_done AFTER UPDATE OF state ON job WHEN new.state = 'done'"
    " BEGIN INSERT INTO witness VALUES ('done', new.id); END",
    "CREATE TRIGGER saw_analysis AFTER INSERT ON analysis BEGIN INSERT INTO witness VALUES ('analysed', new.track_id); END",
    "CREATE TRIGGER saw_again AFTER UPDATE OF data ON analysis BEGIN INSERT INTO witness VALUES ('analysed', new.track_id); END",
)


class Crowd:
    """The processes, and what the bot has confirmed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.confirmed: dict[int, int] = {}
        self.kills: Counter[str] = Counter()
        self.runners = [self.start("runner"), self.start("runner")]
        self.bot: subprocess.Popen[str] | None = None
        self.bot_since = 0
        self.everybody: list[int] = []

    def start(self, part: str, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.bot.fault_host", part, str(self.data), *more]
        quiet = subprocess.DEVNULL if UPLOADS < 100 else None
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=quiet, text=True)

    def start_bot(self) -> None:
        self.bot = self.start("bot", str(len(self.confirmed)), str(UPLOADS))
        self.bot_since = len(self.confirmed)
        threading.Thread(target=self.listen, args=[self.bot], daemon=True).start()

    def listen(self, bot: subprocess.Popen[str]) -> None:
        assert bot.stdout is not None
        for line in bot.stdout:
            if line.endswith("\n"):
                word, number, job = line.split()
                assert word == "confirmed"
                self.confirmed[int(number)] = int(job)

    @property
    def uploading(self) -> bool:
        return len(self.confirmed) < UPLOADS

    def kill_somebody(self, dice: random.Random) -> None:
        spared = [name for name in WEIGHTS if not self.kills[name]]
        [victim] = spared[-1:] or dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if victim == "bot" and len(self.confirmed) == self.bot_since and dice.random() < 0.8:
            return  # let it come back most of the time
        place = dice.randrange(2)
        if victim == "worker":
            for worker in children(self.runners[place].pid)[:1]:
                os.kill(worker, signal.SIGKILL)
                self.kills[victim] += 1
        elif victim == "runner":
            self.end(self.runners[place])
            self.kills[victim] += 1
            self.runners[place] = self.start("runner")
        elif self.bot is not None:
            self.end(self.bot)
            self.kills[victim] += 1
            self.bot = None

    def keep_up(self) -> None:
        """Start again what is gone, and stop the bot when everything is uploaded."""
        if self.bot is not None and (not self.uploading or self.bot.poll() is not None):
            self.end(self.bot)
            self.bot = None
        elif self.bot is None and self.uploading:
            self.start_bot()

    def end(self, process: subprocess.Popen[str]) -> None:
        self.everybody += [process.pid, *children(process.pid)]
        process.kill()
        process.wait()
        if process.stdout is not None and process is not self.bot:
            process.stdout.close()

    def stop(self) -> None:
        for process in [*self.runners, *([self.bot] if self.bot else [])]:
            self.end(process)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
async def crowd(data: Path) -> AsyncIterator[Crowd]:
    async with await open_database(data / "moodstem.db") as database:
        await ensure_samples(Library(database))
        for statement in WITNESS:
            await database.write(statement)
        [row] = await database.fetch("SELECT data FROM analysis LIMIT 1")
    template = json.loads(row["data"]) | {"separator": "none", "separator_version": "1"}
    (data / "template.json").write_text(json.dumps(template))
    crowd = Crowd(data)
    yield crowd
    crowd.stop()


async def test_killed_at_random(crowd: Crowd, data: Path) -> None:
    dice, begun = random.Random(11), time.monotonic()
    crowd.start_bot()
    async with await open_database(data / "moodstem.db") as database:
        queue = Queue(database)
        calm_at, got_to = 0.0, 0
        while crowd.uploading or crowd.bot is not None or await active(queue):
            assert time.monotonic() - begun < 120 + 3 * UPLOADS, "it never ended"
            # Every few hundred milliseconds, but on a busy machine not before somebody got somewhere.
            now, here = time.monotonic(), (await queue.counts())["done"] + len(crowd.confirmed)
            if crowd.confirmed and now >= calm_at and (here > got_to or dice.random() < 0.005):
                calm_at, got_to = now + dice.uniform(0.1, 0.6), here
                crowd.kill_somebody(dice)
            crowd.keep_up()
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - begun
        crowd.stop()
        while any(map(is_running, crowd.everybody)):
            await asyncio.sleep(0.01)

        orphans = len(files_in(data)) - len(await expected_files(database))
        removed = await clean_up(database, data, Retention(), now=time.time() + 7200)
        jobs = {job.id: job for job in await queue.jobs(limit=10 * UPLOADS)}
        print(f"\n{UPLOADS} uploads confirmed, {len(jobs)} jobs, {seconds:.0f} s; SIGKILL {dict(crowd.kills)};"
              f" attempts {sum(job.attempt for job in jobs.values())}; files that a kill left {orphans},"
              f" removed by the clean-up {sum(removed.values())}")  # fmt: skip

        assert len(crowd.confirmed) == UPLOADS and all(crowd.kills[name] for name in WEIGHTS)
        assert {jobs[job_id].state for job_id in crowd.confirmed.values()} == {"done"}
        assert len(set(crowd.confirmed.values())) == UPLOADS, "one job for each upload"
        assert {job.state for job in jobs.values()} == {"done"}
        seen = Counter((row["what"], row["id"]) for row in await database.fetch("SELECT * FROM witness"))
        assert set(seen.values()) == {1}, "done once, analysed once"
        assert {number for what, number in seen if what == "done"} == set(jobs)
        tracks = await database.fetch("SELECT id FROM track WHERE origin = 'upload'")
        assert {number for what, number in seen if what == "analysed"} >= {row["id"] for row in tracks}
        assert len(tracks) == len({number - number % 3 // 2 for number in range(UPLOADS)})
        assert files_in(data) == await expected_files(database), "no orphans, nothing missing"
        assert (await database.fetch("PRAGMA integrity_check"))[0][0] == "ok"
        assert await database.fetch("PRAGMA foreign_key_check") == []


async def active(queue: Queue) -> int:
    counts = await queue.counts()
    return counts["queued"] + counts["running"]


async def expected_files(database: Database) -> set[str]:
    """What the database knows of: the audio of each track, the picture of each job."""
    rows = await database.fetch(
        "SELECT path FROM track WHERE origin = 'upload'"
        " UNION SELECT json_extract(result, '$.picture') FROM job WHERE state = 'done'"
    )
    return {row[0] for row in rows}


def files_in(data: Path) -> set[str]:
    return {
        path.relative_to(data).as_posix()
        for folder in ("uploads", "pictures")
        for path in (data / folder).iterdir()
    }
