"""`moodstem doctor` as an operator reads it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from bot.doctor import Finding, examine
from core.library.store import Database
from core.settings import JobSettings, RetentionSettings, Settings


async def lines(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in await examine(settings)}


async def ran(settings: Settings, name: str, ago_s: float, error: str | None = None) -> None:
    async with await Database.open(settings.database) as database:
        await database.write(
            "INSERT INTO schedule_state (name, last_success, last_error, last_error_at) VALUES (?, ?, ?, ?)",
            [name, time.time() - ago_s, error, time.time() - 60 if error else None],
        )


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MOODSTEM_CONFIG", str(tmp_path / "none.toml"))
    return Settings(
        data=tmp_path / "data", retention=RetentionSettings(disk_gb=0.001), jobs=JobSettings(separator="none")
    )


async def test_the_clock_is_shown(settings: Settings) -> None:
    assert "nothing has run yet" in (await lines(settings))["clock"].text
    await ran(settings, "retention", 60)
    await ran(settings, "backup", 3 * 86400)
    await ran(settings, "upkeep", 60, "OSError: no space")
    found = await lines(settings)
    assert found["clock: retention"].ok or "late" in found["clock: retention"].text  # at ten past the hour
    assert "next 20" in found["clock: retention"].text or "late" in found["clock: retention"].text
    assert not found["clock: backup"].ok and "late: start `moodstem run`" in found["clock: backup"].text
    assert not found["clock: upkeep"].ok and "OSError: no space" in found["clock: upkeep"].text
    assert "has never run" in found["clock: disk"].text
    assert not any(finding.needed for name, finding in found.items() if name.startswith("clock"))


async def test_room_is_shown(settings: Settings) -> None:
    assert (await lines(settings))["storage"].ok
    (settings.uploads).mkdir(parents=True)
    (settings.uploads / "x").write_bytes(bytes(2_000_000))
    storage = (await lines(settings))["storage"]
    assert not storage.ok and storage.text.startswith("0.00 of 0.001 GB (uploads 0.00)")


async def test_a_cluster_is_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real cluster is in tests/jobs/test_ray_engine.py."""
    assert "Ray cluster" not in await lines(settings)
    jobs = {"separator": "none", "engine": "ray"}

    async def cluster(**given: str) -> Finding:
        changed = settings.model_copy(update={"jobs": JobSettings.model_validate(jobs | given)})
        return (await lines(changed))["Ray cluster"]

    nobody = await cluster(ray_address="127.0.0.1:1")
    assert not nobody.ok
    assert nobody.text.startswith("No Ray cluster answers at 127.0.0.1:1: start one")
    assert "is not there: mount it" in (await cluster(storage="/no/such/mount")).text
    monkeypatch.setitem(sys.modules, "ray", None)
    assert (await cluster()).text == "The engine 'ray' is not installed: pip install 'moodstem[ray]'."
