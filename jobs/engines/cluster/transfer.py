"""Transfer a request's files to a worker on another machine, and back.

`[jobs] storage` chooses how. If it is empty, the bytes travel with the request (through Ray's object store). If it is a
folder that all machines mount at the same place, files in it are read there, and others are copied into it. If it is an
fsspec URL (s3://bucket/staging), they are copied there. Copies are removed after the request.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError

LARGEST = 200 * 1024 * 1024
"""The most bytes of one file, as in the decoder."""

STAGING = ".moodstem-staging"


class FileUnreachable(Exception):  # noqa: N818 - an outcome
    """A worker's machine cannot read a file that exists: the machine is at fault, not the file."""


@dataclass(frozen=True)
class StagedFile:
    """A file for a worker: `place` is the path or URL that it opens, None if the bytes come with the request."""

    suffix: str
    place: str | None = None
    copied: bool = False


def check_storage(storage: str) -> None:
    """Raise UserError if no file can be stored at `storage`."""
    if not storage:
        return
    folder = _folder(storage)
    if folder is not None and not folder.is_dir():
        raise UserError(
            f"[jobs] storage names {folder}, which is not there: mount it, or leave storage empty."
        )
    if folder is None:
        try:
            _filesystem(storage)
        except (ImportError, ValueError) as error:
            raise UserError(
                f"[jobs] storage is {storage}, which cannot be used ({error}): install what it needs, or leave it empty."
            ) from error


def stage_file(path: Path, storage: str) -> tuple[StagedFile, bytes | None]:
    """Make a file available to workers and return it, with its bytes if they travel with the request.

    Raises UserError if the file is missing or too large.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError("The file cannot be opened; check that it is there and may be read.") from error
    if size > LARGEST:
        raise UserError(
            f"The file has {size / 1e6:.0f} MB and {LARGEST / 1e6:.0f} MB are allowed; "
            "send it in a smaller format such as Ogg, Opus or MP3."
        )
    suffix = path.suffix
    if not storage:
        return StagedFile(suffix), path.read_bytes()
    folder = _folder(storage)
    if folder is not None:
        here = path.resolve()
        if here.is_relative_to(folder.resolve()):
            return StagedFile(suffix, str(here)), None
        target = folder / STAGING / f"{uuid.uuid4().hex}{suffix}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        return StagedFile(suffix, str(target), copied=True), None
    system, root = _filesystem(storage)
    url = f"{root.rstrip('/')}/{STAGING}/{uuid.uuid4().hex}{suffix}"
    system.makedirs(url.rpartition("/")[0], exist_ok=True)
    system.put_file(str(path), url)
    return StagedFile(suffix, f"{storage.partition('://')[0]}://{url}", copied=True), None


def fetch_file(file: StagedFile, content: bytes | None, folder: Path, name: str) -> Path:
    """Return the path where the worker reads the file. Raises FileUnreachable."""
    path = folder / f"{name}{file.suffix}"
    if file.place is None:
        path.write_bytes(content or b"")
        return path
    if "://" not in file.place:
        if not os.access(file.place, os.R_OK):
            raise FileUnreachable(f"cannot read {file.place}: mount the folder there as it is here")
        return Path(file.place)
    try:
        system, url = _filesystem(file.place)
        system.get_file(url, str(path))
    except Exception as error:  # each file system has its own
        raise FileUnreachable(f"cannot fetch {file.place} ({type(error).__name__}: {error})") from error
    return path


def discard_copy(file: StagedFile) -> None:
    """Remove the copy of a file, if one was made."""
    if not file.copied or file.place is None:
        return
    if "://" not in file.place:
        Path(file.place).unlink(missing_ok=True)
        return
    system, url = _filesystem(file.place)
    system.rm_file(url)


def write_back(files: Mapping[str, bytes], arguments: Mapping[str, Any]) -> None:
    """Write the files of the worker to the paths in the request's arguments."""
    for name, content in files.items():
        with Path(arguments[name]).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _folder(storage: str) -> Path | None:
    if "://" not in storage:
        return Path(storage)
    return Path(storage.removeprefix("file://")) if storage.startswith("file://") else None


def _filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path inside. Raises ImportError or ValueError for unknown ones."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, str(path)
