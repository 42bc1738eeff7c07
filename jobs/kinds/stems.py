"""Export the stems of one track as files.

The analysis does not keep them, since few members ask and six lossless stems take twelve times the space of the song. The
same file and separator give the same stems again. The archive is one uncompressed ZIP with `<stem>.flac` and
`<stem>.ogg`.
"""

from __future__ import annotations

import asyncio
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Refusal
from core.folders import DataFolder
from core.library.tracks import Library
from jobs.engines.base import Request
from jobs.kinds.base import Context, Done, Kind, Work

FORMS = ("flac", "ogg")


SEPARATED = 0.8
"""The progress once the stems are separated; the rest is encoding."""


@dataclass(frozen=True)
class Spec:
    """A track whose stems a user asks for."""

    track_id: int
    name: str
    """The track's title, which is only ever shown."""
    of: int
    """The job that analysed the track."""


@dataclass(frozen=True)
class Result:
    """The archive of a track's stems."""

    track_id: int
    of: int
    """The job that analysed the track."""
    archive: str
    """Path in the data folder."""
    separator: str
    sizes: dict[str, dict[str, int]]
    """{stem: {form: bytes}}."""


async def run(work: Work[Spec]) -> Done[Result]:
    """Have the archive made, unless another user's job has made the same one."""
    spec = work.spec
    track = await Library(work.database).get(spec.track_id)
    source = work.settings.data / track.path if track else None
    if track is None or source is None or not await asyncio.to_thread(source.is_file):
        raise Refusal("stems-gone")
    facts = await work.engine.start()
    archive = work.settings.stems / archive_name(track.content_hash, facts["separator"])

    async def result() -> Result:
        sizes = await asyncio.to_thread(archive_sizes, archive)
        path = archive.relative_to(work.settings.data).as_posix()
        return Result(track.id, spec.of, path, facts["separator"], sizes)

    if await asyncio.to_thread(archive.is_file):
        await asyncio.to_thread(archive.touch)  # its time begins anew
        return Done(await result(), measured=False)
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f".part-{work.claimed.id}-{work.claimed.token}.zip")
    request = Request(
        "stems",
        {
            "path": str(source),
            "archive": str(part),
            "max_seconds": max(work.settings.upload_seconds, work.settings.folder_seconds),
        },
        reads=("path",),
        writes=("archive",),
    )
    try:
        await work.engine.run(request, work.report, work.should_stop)
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    return Done(await result())


def outputs(result: Result, folder: DataFolder) -> Sequence[Path]:
    """Return the archive. Another user who shares it can have it made again."""
    return [folder.data / result.archive]


def archive_name(content_hash: str, separator: str) -> str:
    """Return the file name in the folder of stems, one for each recording and separator."""
    return f"{content_hash[:32]}-{separator}.zip"


def archive_sizes(archive: Path) -> dict[str, dict[str, int]]:
    """Return {stem: {form: bytes}} of an archive. Raises OSError or zipfile.BadZipFile when it cannot be read."""
    sizes: dict[str, dict[str, int]] = {}
    with zipfile.ZipFile(archive) as kept:
        for entry in kept.infolist():
            stem, _, form = entry.filename.partition(".")
            sizes.setdefault(stem, {})[form] = entry.file_size
    return sizes


def read_stem(archive: Path, stem: str, form: str) -> bytes:
    """Return one stem's file. Raises KeyError if the archive has none of that name, OSError if there is no archive."""
    with zipfile.ZipFile(archive) as kept:
        return kept.read(f"{stem}.{form}")


def compute(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Separate a file into an archive: {"path", "archive": where to write it, "max_seconds"} -> {"gain_db"}."""
    import numpy as np

    from core.audio.decode import DecodeLimits, decode
    from core.audio.encode import flac, vorbis
    from core.audio.spectrum import resample

    context.report("decode", 0.0)
    audio = decode(Path(arguments["path"]), DecodeLimits(max_seconds=arguments["max_seconds"]))
    separator = context.separator
    mix = resample(audio.samples, audio.rate, separator.rate)
    stems = separator.separate(mix, lambda share: context.report("separate", SEPARATED * share))
    if not stems:
        raise Refusal("no-stems-without-separator")
    # One factor for all, so that together they still make the mix.
    peak = max(float(np.abs(samples).max()) for samples in stems.values())
    gain = 1.0 if peak <= 1.0 else 1.0 / peak
    with zipfile.ZipFile(arguments["archive"], "w", zipfile.ZIP_STORED) as kept:
        for done, (stem, samples) in enumerate(stems.items()):
            for form, encode in zip(FORMS, (flac, vorbis), strict=True):
                context.report("encode", SEPARATED + (1 - SEPARATED) * done / len(stems))
                kept.writestr(f"{stem}.{form}", encode(samples * np.float32(gain), separator.rate))
    return {"gain_db": 20 * math.log10(gain)}


KIND = Kind("stems", Spec, Result, run, compute, outputs=outputs)
