"""Analyse one uploaded track: stems, descriptors and a picture; the same content is analysed once.

The track joins the library of the server where it was uploaded, or nobody's when it came in a direct message. An
analysis of the same bytes is reused wherever they were uploaded; the title and artist that they have there are not.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.audio.decode import DecodeLimits, decode
from core.errors import Refusal, UserError
from core.folders import DataFolder
from core.library.database import Transaction
from core.library.sources.upload import SOURCE
from core.library.tags import read_tags
from core.library.tracks import (
    copy_latents,
    find_upload,
    known_analysis,
    picture_name,
    put_analysis,
    put_track,
    set_upload_guild,
)
from core.library.uploads import claim
from core.track_analysis import ANALYSER_VERSION, TrackAnalysis, content_hash
from jobs.engines.base import Request
from jobs.kinds.base import Context, Done, Kind, Work

if TYPE_CHECKING:
    from core.separation.base import Separator


@dataclass(frozen=True)
class Spec:
    """An uploaded file to analyse."""

    path: str
    """Name of the file in the uploads folder."""
    name: str | None = None
    """The user's name for the file, which is only ever shown."""
    kept_back: bool = False
    """Whether others do not find the track until its uploader adds it to the library."""
    language: str = "en"
    """The language of the picture."""
    words: dict[str, str] = field(default_factory=dict)
    """The words of the picture (bot.words.pictures.analysis_words)."""


@dataclass(frozen=True)
class Result:
    """The track that the upload has become."""

    track_id: int
    title: str
    artist: str | None
    duration_s: float
    picture: str
    """Path in the data folder."""
    known: bool
    """Whether these bytes had been analysed before."""


async def run(work: Work[Spec]) -> Done[Result]:
    """Reuse what the database has, and have the engine compute the rest."""
    spec = work.spec
    source = upload_path(work.settings, spec)
    work.report("decode", 0.0)
    try:
        digest = await asyncio.to_thread(content_hash, source)
    except OSError as error:
        raise Refusal("upload-gone") from error
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
    picture = work.settings.pictures / picture_name(name, facts["separator"], spec.language)
    drawing = picture.with_name(f".part-{work.claimed.id}-{work.claimed.token}.png")
    answer: dict[str, Any] = {}
    if track is None or known is None or not picture.is_file():
        picture.parent.mkdir(parents=True, exist_ok=True)
        request = Request(
            "analyse",
            {
                "path": str(source),
                "name": spec.name,
                "title": track.title if track else None,
                "picture": str(drawing),
                "max_seconds": work.settings.upload_seconds,
                "analysis": known.to_json() if known else None,
                "words": spec.words,
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

    async def store(transaction: Transaction) -> Result:
        nonlocal kept
        known_here, now_named = await find_upload(transaction.run, *place)
        if known_here:
            track_id, title, artist = known_here.id, known_here.title, known_here.artist
            # The track's own file is kept, not a second copy, unless that file is gone.
            kept = known_here.path == here or not (work.settings.data / known_here.path).is_file()
            if kept and known_here.source.member_owned:
                await transaction.run("UPDATE track SET path = ? WHERE id = ?", [here, track_id])
        else:
            tags = answer.get("tags") or (asdict(track) if track else {})  # it was removed since we looked
            title, artist = tags["title"], tags["artist"]
            track_id = await put_track(
                transaction,
                now_named,
                here,
                SOURCE.origin,
                title,
                artist,
                tags["genre"],
                analysis.duration_s,
                tags.get("album"),
            )
            await set_upload_guild(transaction, track_id, work.claimed.guild_id, digest)
            if spec.kept_back:
                await transaction.run("UPDATE track SET listed = 0 WHERE id = ?", [track_id])
        await claim(transaction.run, track_id, work.claimed.user_id, spec.name)
        if known is None or track_id != source_id:
            await put_analysis(transaction, track_id, analysis)
        if known is not None and source_id is not None and track_id != source_id:
            await copy_latents(transaction, track_id, source_id)
        shown = picture.relative_to(work.settings.data).as_posix()
        return Result(track_id, title, artist, analysis.duration_s, shown, known is not None)

    return Done(
        effect=store, measured=known is None, tidy=lambda: None if kept else source.unlink(missing_ok=True)
    )


def made_by(analysis: TrackAnalysis) -> tuple[str, str, int]:
    """Return what made the analysis; if the current versions differ, it is stale."""
    return analysis.separator, analysis.separator_version, analysis.analyser_version


def upload_path(folder: DataFolder, spec: Spec) -> Path:
    """Return the uploaded file. Raises UserError for a name that would leave the uploads folder."""
    name = spec.path
    if Path(name).name != name or name in ("", ".", ".."):
        raise Refusal("upload-misnamed")
    return folder.uploads / name


def inputs(spec: Spec, folder: DataFolder) -> Sequence[Path]:
    """Return the uploaded audio; nothing for a name that would leave the uploads folder."""
    try:
        return [upload_path(folder, spec)]
    except UserError:
        return []


def compute(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Analyse a file: {"path", "name"?, "max_seconds", "analysis"?: one that is still valid, "picture"?: where to write it,
    with "title"? and its "words"} -> {"analysis", "tags": {"title", "artist", "album", "genre"}}."""
    from core.analysis import DECODED, SEPARATED, analyse  # loads torch, which the bot must not

    def progress(share: float) -> None:
        stage = "decode" if share < DECODED else "separate" if share < SEPARATED else "describe"
        context.report(stage, share * 0.97)

    path = Path(arguments["path"])
    limits = DecodeLimits(max_seconds=arguments["max_seconds"])
    tags = read_tags(path, arguments.get("name"))
    if arguments.get("analysis"):
        analysis = TrackAnalysis.from_json(arguments["analysis"])
    else:
        analysis = analyse(path, context.separator, progress, limits, genre_model=context.genre_model)
    if arguments.get("picture"):
        from core.pictures.spectrograms import analysis_picture

        context.report("picture", 0.97)
        audio = decode(path, limits)
        title = arguments.get("title") or tags.title
        picture = analysis_picture(audio, analysis, title, arguments["words"])
        _write(Path(arguments["picture"]), picture)
    return {
        "analysis": analysis.to_json(),
        "tags": {"title": tags.title, "artist": tags.artist, "album": tags.album, "genre": tags.genre},
    }


def warm(separator: Separator) -> None:
    """Analyse two seconds of noise, since the first analysis of a process loads libraries and compiles for seconds."""
    import tempfile

    import numpy as np
    import soundfile

    with tempfile.TemporaryDirectory(prefix="moodstem-") as folder:
        path = Path(folder) / "noise.wav"
        soundfile.write(path, np.random.default_rng(1).uniform(-0.1, 0.1, (88_200, 2)), 44_100)
        picture = {"picture": str(path.with_suffix(".png")), "words": defaultdict(str)}
        compute(
            {"path": str(path), "max_seconds": 10.0, **picture},
            Context(separator, None, lambda stage, share: None),
        )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


KIND = Kind("analyse", Spec, Result, run, compute, inputs)
