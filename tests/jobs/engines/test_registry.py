"""An engine of another package is used without a line of ours; each engine's own settings stand under `[jobs]`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main as cli
from core.errors import UserError
from core.library.database import Database
from core.settings import Settings, load_settings
from jobs.engines.cluster.engine import RaySettings
from jobs.engines.registry import installed, job_settings
from jobs.process import RunnerProcess
from jobs.queue import Queue
from tests.fakes.package import installed_package, write_package
from tests.jobs.helpers import until
from tests.make import WORDS, write_tone

MODULE = '''
from pathlib import Path

from core.settings import JobSettings
from jobs.engines.base import EngineInfo
from jobs.engines.local import LocalEngine


class Settings(JobSettings):
    logbook: Path = Path("logbook")
    logbook_tags: list[str] = []


class Engine(LocalEngine):
    """Notes what it does."""

    def __init__(self, settings, options):
        super().__init__(options)
        self.settings = settings

    async def run(self, request, on_progress=None, should_stop=None):
        answer = await super().run(request, on_progress, should_stop)
        with self.settings.logbook.open("a") as book:
            print(request.task, answer["analysis"]["separator"], *self.settings.logbook_tags, file=book)
        return answer


def examine(settings):
    yield "logbook", settings.logbook.is_file(), f"{settings.logbook} is written by the first job", False


INFO = EngineInfo("logbook", Engine, Settings, examine)
'''


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "config.toml"
    monkeypatch.setenv("MOODSTEM_CONFIG", str(file))
    file.write_text("")
    return file


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    site = write_package(
        tmp_path / "site", "moodstem_logbook", MODULE, "moodstem.engines", "logbook = moodstem_logbook:INFO"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    with installed_package(site, "moodstem_logbook", installed, job_settings):
        yield site


def settings() -> Settings:
    return load_settings(jobs=job_settings())


def refused() -> str:
    with pytest.raises(UserError) as told:
        settings()
    return str(told.value)


async def test_a_package_brings_an_engine(
    plugin: Path, config: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings, what it says to `moodstem doctor`, and a job that a runner process has it do."""
    data, book = database.path.parent, tmp_path / "book"
    config.write_text(f'[jobs]\nengine = "logbook"\nseparator = "none"\nlogbook = "{book}"\n')
    monkeypatch.setenv("MOODSTEM_JOBS__LOGBOOK_TAGS", '["a", "b"]')
    said = await asyncio.to_thread(CliRunner().invoke, cli, ["--data", str(data), "doctor"])
    assert f"note  logbook: {book} is written by the first job\n" in said.output

    queue = Queue(database)
    write_tone(data / "uploads" / "abc")
    job = await queue.enqueue("analyse", {"path": "abc", "name": "Tone.ogg", "words": WORDS}, user_id=1)
    runner = RunnerProcess(load_settings(data, job_settings()))
    try:

        async def ended() -> bool:
            return not {"queued", "running"} & {job.state for job in await queue.jobs()}

        await until(ended)
    finally:
        runner.terminate()
    seen = await queue.get(job.id)
    assert seen is not None and seen.state == "done", seen
    assert book.read_text() == "analyse none a b\n"


def test_what_is_wrong_with_its_settings_is_named(
    plugin: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('[jobs]\nengine = "logbok"\nlogbok = "x"\nlogbook = 3\n')
    said = refused()
    assert all(f"jobs.{name}" in said for name in ("engine", "logbok", "logbook")) and "'logbook'" in said
    monkeypatch.setenv("MOODSTEM_JOBS__LOGBOK", "x")
    assert refused().startswith("MOODSTEM_JOBS__LOGBOK sets nothing: MOODSTEM_JOBS__LOGBOOK would;")


@pytest.mark.parametrize(
    "module", ["raise OSError('no licence')", "INFO = 7", "", "from jobs.engines.local import INFO"]
)
def test_a_package_that_brings_none_is_left_out(
    tmp_path: Path, module: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = write_package(
        tmp_path, "moodstem_logbook", module, "moodstem.engines", "logbook = moodstem_logbook:INFO"
    )
    with installed_package(site, "moodstem_logbook", installed, job_settings):
        assert set(installed()) == {"local", "ray"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_keys_of_ray(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(
        '[jobs]\nengine = "ray"\nray_address = "local"\ngpu_share = 0.25\nstorage = "/srv/music"\n'
    )
    monkeypatch.setenv("MOODSTEM_JOBS__GPU_SHARE", "0.5")
    jobs = settings().jobs
    assert isinstance(jobs, RaySettings)
    assert (jobs.engine, jobs.ray_address, jobs.gpu_share, jobs.storage) == (
        "ray",
        "local",
        0.5,
        "/srv/music",
    )
    monkeypatch.setenv("MOODSTEM_JOBS__GPU_SHARE", "2")
    assert "jobs.gpu_share" in refused()
    monkeypatch.delenv("MOODSTEM_JOBS__GPU_SHARE")
    config.write_text('[jobs]\nray_adress = "local"\n')
    assert "There is no setting jobs.ray_adress" in refused()
