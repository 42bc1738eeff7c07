"""Container and service files: what can be checked without an engine that runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core.settings import Settings
from tests.conftest import ROOT
from tests.machine import needs_systemd

DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT = ROOT / "deploy" / "moodstem.service"


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def test_the_image_runs_as_a_numbered_user_and_holds_no_secret() -> None:
    last = re.split(r"^FROM ", DOCKERFILE, flags=re.M)[-1]
    [user] = re.findall(r"^USER (\d+)", last, re.M)
    assert int(user) >= 1000
    assert "TOKEN" not in DOCKERFILE


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.M)
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M) for name in line.split()
    ]
    assert set(copied) == set(kept)
    assert all((ROOT / name).exists() for name in copied)


def pins(name: str) -> dict[str, str]:
    """The versions of a file of requirements, each with a hash."""
    lines = (ROOT / "deploy" / name).read_text().replace("\\\n", "").splitlines()
    found = [line.split() for line in lines if not line.startswith("#")]
    assert all(parts[1:] and all(one.startswith("--hash=sha256:") for one in parts[1:]) for parts in found)
    return dict(parts[0].split("==") for parts in found)


def test_all_that_the_image_installs_is_named_with_its_hash() -> None:
    for installed in re.findall(r"^RUN .*?(?<!\\)$", DOCKERFILE, re.M | re.S):
        for call in re.findall(r"pip [^&;]*install [^&;]*", installed):
            assert "--require-hashes" in call or "/wheels/*.whl" in call, call
    assert re.findall(r"^FROM (?!base)(\S+)", DOCKERFILE, re.M) == re.findall(
        r"^FROM (python:3\.11-slim-\w+@sha256:[0-9a-f]{64})", DOCKERFILE, re.M
    )
    known = {
        canonicalize_name(name): version
        for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    }
    image, build = pins("image.txt"), pins("build.txt")
    assert pins("torch-cpu.txt") == {"torch": known["torch"] + "+cpu"}
    assert pins("torch-gpu.txt")["torch"] == known["torch"]
    stale = {
        f"{name}=={version}"
        for name, version in (image | build).items()
        if known.get(name, version) != version
    }
    assert not stale, "run `make lock`"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    assert asked - {"torch"} <= set(image), "run `make lock`"


def test_what_the_product_imports_is_declared_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    source = "\n".join(
        path.read_text() for package in ("bot", "core", "jobs") for path in (ROOT / package).rglob("*.py")
    )
    imported = set(re.findall(r"^ *(?:from|import) ([a-zA-Z_]\w*)(?:[ .,]|$)", source, re.M))
    providers = packages_distributions()
    used = {
        canonicalize_name(name)
        for module in imported - set(sys.stdlib_module_names) - {"bot", "core", "jobs"}
        for name in providers.get(module, [])
    }
    elsewhere = {"simcord", "ray", "fsspec", "pydantic-core"}  # extras, and a part of pydantic
    assert used - elsewhere <= declared, "imported, not declared"
    assert declared - used == {"orjson"}, "which discord.py takes where it is there; declared, not imported"


@pytest.mark.parametrize("name", ["moodstem", "moodstem-gpu"])
def test_the_compose_services_are_confined(name: str) -> None:
    service = compose()[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["init"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), "metrics have no password"
    assert service["environment"]["DISCORD_TOKEN"] == "${DISCORD_TOKEN-}", "the token's file is another way"
    assert (
        service["secrets"] == ["token"] and "memory" not in service.get("deploy", {}) and service["mem_limit"]
    )
    assert all("size=" in one for one in service["tmpfs"]), "it takes memory"
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_the_gpu_is_asked_for_in_its_own_profile_only() -> None:
    services = compose()
    assert services["moodstem"]["profiles"] == ["cpu"] and "deploy" not in services["moodstem"]
    gpu = services["moodstem-gpu"]
    assert gpu["profiles"] == ["gpu"] and gpu["build"]["args"] == {"GPU": "1"}
    [device] = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_every_setting_in_the_environment_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelled variable would be ignored in silence."""
    names = set(
        re.findall(r"MOODSTEM_\w+", DOCKERFILE + (ROOT / "compose.yaml").read_text() + UNIT.read_text())
    )
    monkeypatch.chdir(tmp_path)  # where there is no config.toml
    for name in names - {"MOODSTEM_CONFIG"}:
        area, _, entry = name.removeprefix("MOODSTEM_").lower().partition("__")
        value = getattr(Settings(), area)
        assert not entry or hasattr(value, entry), name


def test_the_container_asks_for_its_health_where_it_is_served(unused_tcp_port: int) -> None:
    """By the image's own command: it follows the port that the environment sets."""
    found = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.+\])$", DOCKERFILE, re.M)
    assert found is not None
    answers = [200, 503]

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.pop(0) if self.path == "/health" else 404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", unused_tcp_port), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = {"MOODSTEM_MONITOR__PORT": str(unused_tcp_port)}
        asked = [
            subprocess.run(
                [sys.executable, *json.loads(found[1])[1:]], env=os.environ | ports, capture_output=True
            )
            for _ in range(2)
        ]
        server.shutdown()
    assert [one.returncode for one in asked] == [0, 1]
    service = compose()["moodstem"]
    port = service["environment"]["MOODSTEM_MONITOR__PORT"]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


@needs_systemd
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "moodstem.service"
    unit.write_text(UNIT.read_text().replace("/opt/moodstem/bin/moodstem", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and not said.stderr.strip(), said.stderr
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, timeout=60
    )
    level = re.search(r"exposure level for \S+: ([\d.]+)", said.stdout)
    assert level is None or float(level[1]) < 2.0, said.stdout[-500:]  # older ones cannot look offline
