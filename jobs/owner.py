"""Identify the process that holds a lease, uniquely across machines and reboots."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_owner() -> str:
    """Return 'host|boot|pid|start' of this process."""
    return f"{socket.gethostname()}|{_boot()}|{os.getpid()}|{_started(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Return whether the process has certainly ended; always False for another machine, whose leases expire."""
    host, boot, pid, started = owner.split("|")
    if host != socket.gethostname():
        return False
    if boot != _boot():
        return True
    if started:
        return _started(int(pid)) != started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return the process's start in clock ticks since boot; empty if it has ended, is a zombie or /proc is missing."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
