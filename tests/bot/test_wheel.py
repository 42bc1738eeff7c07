"""The wheel holds all that the program reads: installed outside the checkout, it answers as the checkout does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "bot", "core", "jobs"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("this is not a git checkout")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = {line for line in tracked.stdout.splitlines() if (ROOT / line).exists()}
    assert files - inside == set()
    assert {name.partition("/")[0] for name in inside if ".dist-info/" not in name} == {"bot", "core", "jobs"}
    assert {".py", ".sql", ".toml", ".ogg", ".safetensors"} <= {Path(name).suffix for name in files}


def test_it_answers_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Migrations, rules, sample library and weights are found where the wheel puts them."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    away = tmp_path / "away"
    away.mkdir()

    def moodstem(*arguments: str) -> str:
        program = "import sys, bot; assert bot.__file__.startswith(sys.argv.pop(1)); from bot.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, str(site), "--data", str(tmp_path / "data"), *arguments],
            cwd=away,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = json.loads(moodstem("recommend", "--mood", "peacefulness=1", "-n", "3", "--json"))
    assert len(found["tracks"]) == 3 and all(track["reasons"] for track in found["tracks"])
    sample = next((site / "core/library/samples").rglob("*.ogg"))
    (analysis,) = json.loads(moodstem("analyze", str(sample), "--separator", "unet", "--json"))
    assert analysis["separator"] == "unet" and analysis["instruments"]["drums"]["activity"] >= 0


def test_the_laboratory_is_named_where_it_is_not_installed(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "every = metadata.distributions\n"
        "metadata.distributions = lambda **wanted: (one for one in every(**wanted) if one.name != 'moodstem-research')\n"
    )

    def moodstem(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = "from bot.cli import main; main()"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    offered = moodstem("--help").stdout
    for name in ("eval", "bench", "train", "calibrate"):
        assert name in offered
        refused = moodstem(name, "--anything", "else")
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert f"`moodstem {name}`" in refused.stderr and "pip install" in refused.stderr
