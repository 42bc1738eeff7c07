"""One bot on a data folder for each of Discord's connections: a lock of the kernel's, which ends with its process."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from core.errors import UserError
from core.folders import make_folder, writable
from core.settings import Settings


def hold(settings: Settings) -> IO[bytes]:
    """Lock this process's connections on the data folder for as long as the returned file is open.

    Raises UserError when another process has one of them, or the folder cannot be written.
    """
    make_folder(settings.data)
    file = _lock_file(settings)
    try:
        opened = file.open("ab")
    except OSError as error:
        raise UserError(
            f"The data folder {settings.data} cannot be written ({error.strerror}): {writable(settings.data)}."
        ) from error
    if not _locked(settings, opened, fcntl.LOCK_EX):
        raise UserError(
            f"Another `moodstem run` or `moodstem try` uses the data folder {settings.data}: stop it first, or give this one"
            " a folder of its own by --data."
        )
    return opened


def is_held(settings: Settings) -> bool:
    """Return whether a bot runs on the data folder with one of these connections. Changes nothing."""
    try:
        with _lock_file(settings).open("rb") as opened:
            return not _locked(settings, opened, fcntl.LOCK_SH)
    except OSError:
        return False


def _lock_file(settings: Settings) -> Path:
    return settings.data / "moodstem.lock"


def _locked(settings: Settings, file: IO[bytes], kind: int) -> bool:
    """Lock a byte for each connection (all of them where the settings name none), without waiting."""
    ids = settings.discord.shard_ids
    try:
        for start, length in [(0, 0)] if ids is None else [(one, 1) for one in ids]:
            fcntl.lockf(file, kind | fcntl.LOCK_NB, length, start)
    except (BlockingIOError, PermissionError):
        return False
    return True
