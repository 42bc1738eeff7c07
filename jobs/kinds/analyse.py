"""Analyse one uploaded track: stems, descriptors and a picture; the same content is analysed once.

It becomes a track of the server's library where the job comes from, of nobody's when it was a direct message; what was
measured of the same bytes elsewhere is taken from there, what they are called there is not.

spec:   {"path": name of the file in the uploads folder, "name": the user's file name, only ever shown,
         "kept_back"?: others do not find the track until its uploader adds it to the library,
         "language"?: of the words in the picture}
result: {"track_id", "title", "artist", "duration_s", "picture": path in the data folder, "known": bool}
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.i18n import speaking
from core.library.database import Transaction
from core.library.tracks import (
    copy_latents,
    find_upload,
    known_analysis,
    picture_name,
    put_analysis,
    put_track,
    set_upload_guild,
)
from jobs.engines.base import Request
from jobs.kinds.base import Context, Done, TaskKind, TaskSettings, Work

if TYPE_CHECKING:
    from core.analysis import TrackAnalysis
    from core.separation.base import Separator


async def run(work: Work) -> Done:
    """The runner's side: look in the store first, let the engine compute what is missing."""
    from core.analysis import ANALYSER_VERSION, TrackAnalysis, content_hash

    source = upload_path(work.settings, work.claimed.spec)
    work.report("decode", 0.0)
    try:
        digest = await asyncio.to_thread(content_hash, source)
    except OSError as error:
        raise UserError("The uploaded file is no longer here: please upload it again.") from error
    facts = await work.engine.start()
    place = digest, work.claimed.guild_id, work.claimed.user_id
    track, name = await find_upload(work.database.fetch, *place)
    source_id, known = await known_analysis(work.database, digest, facts["separator"]) or (None, None)
    if known is not None and made_by(known) != (
        facts["separator"],
        facts["separator_version"],
        ANALYSER_VERSION,
    ):
        known = None
    language = work.claimed.spec.get("language", "en")
    picture = work.settings.pictures / picture_name(name, facts["separator"], language)
    drawing = picture.with_name(f".part-{work.claimed.id}-{work.claimed.token}.png")
    answer: dict[str, Any] = {}
    if track is None or known is None or not picture.is_file():
        picture.parent.mkdir(parents=True, exist_ok=True)
        request = Request(
            "analyse",
            {
                "path": str(source),
                "name": work.claimed.spec.get("name"),
                "title": track.title if track else None,
                "picture": str(drawing),
                "max_seconds": work.settings.upload_seconds,
                "analysis": known.to_json() if known else None,
                "language": language,
            },
            reads=("path",),
            writes=("picture",),
        )
        try:
            answer = await work.engine.run(request, work.report, work.should_stop)
            drawing.replace(picture)
        finally:
            drawing.unlink(missing_ok=True)
    analysis = known or TrackAnalysis.from_json(answer["analysis"])

    here = source.relative_to(work.settings.data).as_posix()
    kept = True

    async def store(transaction: Transaction) -> dict[str, Any]:
        nonlocal kept
        known_here, now_named = await find_upload(transaction.run, *place)
        if known_here:
            track_id, title, artist = known_here.id, known_here.title, known_here.artist
            # The track's own file is kept, not a second copy, unless that file is gone.
            kept = known_here.path == here or not (work.settings.data / known_here.path).is_file()
            if kept:
                await transaction.run(
                    "UPDATE track SET path = ? WHERE id = ? AND origin = 'upload'", [here, track_id]
                )
        else:
            tags = answer.get("tags") or (asdict(track) if track else {})  # it was removed since we looked
            title, artist = tags["title"], tags["artist"]
            track_id = await put_track(
                transaction,
                now_named,
                here,
                "upload",
                title,
                artist,
                tags["genre"],
                analysis.duration_s,
                tags.get("album"),
            )
            await set_upload_guild(transaction, track_id, work.claimed.guild_id, digest)
            if work.claimed.spec.get("kept_back"):
                await transaction.run("UPDATE track SET listed = 0 WHERE id = ?", [track_id])
        if known is None or track_id != source_id:
            await put_analysis(transaction, track_id, analysis)
        if known is not None and source_id is not None and track_id != source_id:
            await copy_latents(transaction, track_id, source_id)
        return {"track_id": track_id, "title": title, "artist": artist}

    return Done(
        {
            "picture": picture.relative_to(work.settings.data).as_posix(),
            "duration_s": analysis.duration_s,
            "known": known is not None,
        },
        store,
        measured=known is None,
        tidy=lambda: None if kept else source.unlink(missing_ok=True),
    )


def made_by(analysis: TrackAnalysis) -> tuple[str, str, int]:
    """What made the analysis; another value than the present one means that it is stale."""
    return analysis.separator, analysis.separator_version, analysis.analyser_version


def upload_path(settings: TaskSettings, spec: dict[str, Any]) -> Path:
    """The uploaded file; a name that would leave the uploads folder is refused."""
    name = str(spec["path"])
    if Path(name).name != name or name in ("", ".", ".."):
        raise UserError("The upload has no proper name of ours: please upload it again.")
    return settings.uploads / name


def clean(spec: dict[str, Any], settings: TaskSettings) -> None:
    """Remove the audio of a job that ended without a track of its own."""
    with contextlib.suppress(UserError, OSError):
        upload_path(settings, spec).unlink(missing_ok=True)


def compute(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """The worker's side: {"path", "name", "picture", "max_seconds", "analysis"?, "language"?} -> {"analysis", "tags"}."""
    from core.analysis import DECODED, SEPARATED, TrackAnalysis, analyse
    from core.audio.decode import DecodeLimits, decode
    from core.library.tags import read_tags

    def progress(share: float) -> None:
        stage = "decode" if share < DECODED else "separate" if share < SEPARATED else "describe"
        context.report(stage, share * 0.97)

    path = Path(arguments["path"])
    limits = DecodeLimits(max_seconds=arguments["max_seconds"])
    tags = read_tags(path, arguments.get("name"))
    if arguments.get("analysis"):
        analysis = TrackAnalysis.from_json(arguments["analysis"])
    else:
        analysis = analyse(path, context.separator, progress, limits)
    if arguments.get("picture"):
        from core.pictures.analysis import analysis_picture

        context.report("picture", 0.97)
        audio = decode(path, limits)
        title = arguments.get("title") or tags.title
        with speaking(arguments.get("language", "en")):
            picture = analysis_picture(audio.samples, analysis, title, audio.rate)
        _write(Path(arguments["picture"]), picture)
    return {
        "analysis": analysis.to_json(),
        "tags": {"title": tags.title, "artist": tags.artist, "album": tags.album, "genre": tags.genre},
    }


def warm(separator: Separator) -> None:
    """Analyse two seconds of noise: the first analysis of a process loads libraries and compiles for seconds,
    which nobody should wait for who uploads the first track."""
    import tempfile

    import numpy as np
    import soundfile

    with tempfile.TemporaryDirectory(prefix="moodstem-") as folder:
        path = Path(folder) / "noise.wav"
        soundfile.write(path, np.random.default_rng(1).uniform(-0.1, 0.1, (88_200, 2)), 44_100)
        arguments = {"path": str(path), "picture": str(path.with_suffix(".png")), "max_seconds": 10.0}
        compute(arguments, Context(separator, lambda stage, share: None))


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


KIND = TaskKind(run, clean)
