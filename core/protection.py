"""What the bot's and the workers' processes do against other programs of the same machine."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_DUMPABLE = 4


def protect_process() -> None:
    """Give new files to their owner alone, and on Linux let no other process of this user read our memory.

    Without it, a decoder that a file took over could read the bot's token out of the bot's memory; a process that is
    not dumpable can only be traced with root's rights (man 2 prctl, PR_SET_DUMPABLE).
    """
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
