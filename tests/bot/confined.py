"""Commands that are refused files as a user is, also where the tests run as root."""

from __future__ import annotations

import os
import shutil

import pytest

CONFINED = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""What to write before such a command."""

needs_refusals = pytest.mark.skipif(
    bool(CONFINED) and shutil.which("setpriv") is None,
    reason="root is refused nothing, and there is no setpriv",
)
