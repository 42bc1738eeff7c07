"""`make lock`: what the container image installs, each file by its SHA-256, for `pip install --no-deps --require-hashes`.

Versions are those of constraints.txt. deploy/image.txt has what every image installs beside PyTorch, deploy/torch-gpu.txt
PyTorch with CUDA, deploy/build.txt what makes the wheel. deploy/torch-cpu.txt is kept by hand, from the list of https://download.pytorch.org/whl/cpu/torch/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

UNUSED = {"huggingface-hub", "lameenc", "sphn"}
"""With these demucs reads, writes and fetches files, which core.separation does itself: 110 MB with what they need."""

LINUX = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "python_version": "3.11",
}


def resolved(machine: str, *asked: str) -> dict[str, Any]:
    """Return {name: pip's report of it} for Python 3.11 on Linux. Raises CalledProcessError when pip finds no solution."""
    glibc = [f"manylinux_2_{version}_{machine}" for version in range(17, 37)]
    options = [
        *("--dry-run", "--ignore-installed", "--quiet", "--report", "-", "--target", "unused"),
        *("--only-binary", ":all:", "--python-version", "3.11", "--constraint", "constraints.txt"),
        *(f"--platform={platform}" for platform in (f"manylinux2014_{machine}", *glibc)),
    ]
    said = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, *asked],
        stdout=subprocess.PIPE, check=True, cwd=ROOT, env=os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},
    ).stdout  # fmt: skip
    return {canonicalize_name(one["metadata"]["name"]): one for one in json.loads(said)["install"]}


def needed(found: dict[str, Any], asked: Iterable[str]) -> set[str]:
    """Return the names of all that these requirements need, but for UNUSED."""
    reached: set[tuple[str, str]] = set()
    waiting = [(Requirement(one), "") for one in asked]
    while waiting:
        one, extra = waiting.pop()
        name = canonicalize_name(one.name)
        if name in UNUSED or (one.marker and not one.marker.evaluate(LINUX | {"extra": extra})):
            continue
        for new in {(name, extra) for extra in ("", *one.extras)} - reached:
            reached.add(new)
            lines = found[name]["metadata"].get("requires_dist", [])
            waiting += [(Requirement(line), new[1]) for line in lines]
    return {name for name, _ in reached}


def write(name: str, pins: list[str], *found: dict[str, Any]) -> None:
    """Write a file of requirements, with the SHA-256 of the file that each platform takes."""
    text = "# Written by `make lock`.\n"
    for pin in sorted(pins):
        files = [one[pin.partition("==")[0]]["download_info"]["archive_info"] for one in found]
        text += (
            " \\\n    ".join([pin, *sorted({f"--hash=sha256:{file['hashes']['sha256']}" for file in files})])
            + "\n"
        )
    (ROOT / "deploy" / name).write_text(text)


def main() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = resolved("x86_64", *asked)
    pins = {name: f"{name}=={found[name]['metadata']['version']}" for name in needed(found, asked)}
    torch = {name for name in pins if name.startswith(("cuda-", "nvidia-", "torch", "triton"))}
    image = [pin for name, pin in pins.items() if name not in torch]
    write("torch-gpu.txt", [pins[name] for name in torch], found)
    tools = resolved("x86_64", "hatchling")
    write("build.txt", [f"{name}=={one['metadata']['version']}" for name, one in tools.items()], tools)
    write("image.txt", image, found, resolved("aarch64", "--no-deps", *image))


if __name__ == "__main__":
    main()
