"""Download of the published weights of htdemucs_6s on first use, to the folder where demucs itself keeps them.

The file is checked by its SHA-256 and then read by the safe code of `checkpoint` like any other.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import IO

from core.errors import UserError

log = logging.getLogger(__name__)

URL = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/5c90dfd2-34c22ccb.th"
"""Where demucs' own list of models points; the name ends with the first digits of the file's SHA-256."""

LARGEST = 500_000_000  # bytes; the file has 55 MB
TIMEOUT_S = 15.0


def cache_folder() -> Path:
    """Return torch.hub's folder of checkpoints, which demucs uses, too."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("TORCH_HOME") or Path(base) / "torch"
    return Path(home) / "hub" / "checkpoints"


def fetch(folder: Path | None = None) -> Path:
    """Download the weights into `folder` with a progress bar on standard error and return the file.

    It gets its name only when it is complete and its checksum is right. Raises UserError when it cannot be downloaded.
    """
    folder = folder or cache_folder()
    target = folder / URL.rsplit("/", 1)[-1]
    checksum = target.stem.partition("-")[2]
    part: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part", target.stem, folder)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            digest = _copy(file)
        if not digest.startswith(checksum):
            raise UserError(
                f"The weights from {URL} are not what they should be (checksum): try again later."
            )
        part.replace(target)
    except (OSError, ValueError) as error:  # URLError is an OSError
        raise UserError(
            f"The weights of htdemucs_6s cannot be fetched ({getattr(error, 'reason', error)}): put the file "
            f"{target.name} into a folder and name it as jobs.weights."
        ) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    return target


def _copy(file: IO[bytes]) -> str:
    from tqdm import tqdm

    digest, done = hashlib.sha256(), 0
    with urllib.request.urlopen(URL, timeout=TIMEOUT_S) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        log.info("Fetching the weights of htdemucs_6s, %.0f MB, once.", total / 1e6)
        with tqdm(total=total or None, unit="B", unit_scale=True, desc="htdemucs_6s", leave=False) as shown:
            while block := answer.read(1 << 20):
                done += len(block)
                if done > LARGEST:
                    raise ValueError("the file is far too large")
                digest.update(block)
                file.write(block)
                shown.update(len(block))
    if total and done != total:
        raise ValueError(f"it broke off after {done} of {total} bytes")
    return digest.hexdigest()
