"""What a test may need from the machine and `pip install` cannot bring; .ci/run installs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
CONFINED = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-sys_ptrace"]
"""What to write before a command so that it is refused files and other processes as a user is, also where the tests run as root."""


def needs(present: object, otherwise: str) -> pytest.MarkDecorator:
    """Skip where it is not present, but for continuous integration, which has installed it."""
    return pytest.mark.skipif(
        not present and os.environ.get("MOODSTEM_TESTS") != "complete", reason=otherwise
    )


needs_chromium = needs(CHROMIUM, "There is no browser: install Debian's package chromium.")
needs_fluidsynth = needs(
    shutil.which("fluidsynth") and SOUNDFONT.exists(),
    "There is no synthesiser: install Debian's packages fluidsynth and timgm6mb-soundfont.",
)
needs_refusals = needs(
    not CONFINED or shutil.which("setpriv"), "Root is refused nothing, and there is no setpriv (util-linux)."
)
needs_systemd = needs(
    shutil.which("systemd-analyze"), "There is no systemd-analyze: install Debian's package systemd."
)
