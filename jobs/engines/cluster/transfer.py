"""How a request's files get to a worker on another machine, and back.

Three ways, by `[jobs] storage`: empty, and the bytes travel with the request (through Ray's object store); a folder
that every machine has at the same place (a network mount), and files in it are read where they are; any other folder
or fsspec URL (s3://bucket/staging), and files are copied there for as long as the request takes.
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
"""Bytes of one file; the decoder takes no larger one either."""

STAGING = ".moodstem-staging"


class Astray(Exception):  # noqa: N818 - an outcome
    """A worker's machine cannot get at a file that is there: the machine is at fault, not the file."""


@dataclass(frozen=True)
class Parcel:
    """A file on its way: `place` is a path or URL that the worker opens; None when the bytes come with the request."""

    suffix: str
    place: str | None = None
    copied: bool = False


def check_storage(storage: str) -> None:
    """Raises UserError when nothing can be kept at `storage`."""
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


def pack(path: Path, storage: str) -> tuple[Parcel, bytes | None]:
    """Make a file ready for the way; the bytes, if any, go with the parcel.

    Raises UserError when the file is gone or too large.
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
        return Parcel(suffix), path.read_bytes()
    folder = _folder(storage)
    if folder is not None:
        here = path.resolve()
        if here.is_relative_to(folder.resolve()):
            return Parcel(suffix, str(here)), None
        target = folder / STAGING / f"{uuid.uuid4().hex}{suffix}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        return Parcel(suffix, str(target), copied=True), None
    system, root = _filesystem(storage)
    url = f"{root.rstrip('/')}/{STAGING}/{uuid.uuid4().hex}{suffix}"
    system.makedirs(url.rpartition("/")[0], exist_ok=True)
    system.put_file(str(path), url)
    return Parcel(suffix, f"{storage.partition('://')[0]}://{url}", copied=True), None


def unpack(parcel: Parcel, content: bytes | None, folder: Path, name: str) -> Path:
    """The worker's side: a path to read the file from. Raises Astray."""
    path = folder / f"{name}{parcel.suffix}"
    if parcel.place is None:
        path.write_bytes(content or b"")
        return path
    if "://" not in parcel.place:
        if not os.access(parcel.place, os.R_OK):
            raise Astray(f"cannot read {parcel.place}: mount the folder there as it is here")
        return Path(parcel.place)
    try:
        system, url = _filesystem(parcel.place)
        system.get_file(url, str(path))
    except Exception as error:  # each file system has its own
        raise Astray(f"cannot fetch {parcel.place} ({type(error).__name__}: {error})") from error
    return path


def discard(parcel: Parcel) -> None:
    """Remove the copy that was made for the way."""
    if not parcel.copied or parcel.place is None:
        return
    if "://" not in parcel.place:
        Path(parcel.place).unlink(missing_ok=True)
        return
    system, url = _filesystem(parcel.place)
    system.rm_file(url)


def write_back(files: Mapping[str, bytes], arguments: Mapping[str, Any]) -> None:
    """What the worker wrote, to where the request wants it."""
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
    """fsspec's file system for a URL, and the path inside. Raises ImportError or ValueError for unknown ones."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, str(path)
