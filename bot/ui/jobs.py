"""The card of one job, from its place in the queue to its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from discord import MediaGalleryItem, ui

from bot.i18n import mark, tr
from bot.ui.buttons import Press
from bot.ui.cards import Card, Style, line, row, text
from bot.ui.picks import similar_section
from bot.ui.theme import BAD, GOOD, NEUTRAL, STEM_EMOJI, bar, clock, plain, roughly

if TYPE_CHECKING:
    from core.analysis import TrackAnalysis
    from core.library.tracks import Track
    from core.recommend.similarity import Similar
    from jobs.model import Job

PICTURE = "analysis.png"

STAGES = {
    "": "Starting",
    "decode": mark("Reading the file"),
    "separate": mark("Separating the instruments"),
    "describe": mark("Measuring each instrument"),
    "picture": mark("Drawing the picture"),
    "encode": mark("Writing the stems"),
    "index": mark("Going through the files"),
}


def job_title(job: Job) -> str:
    """What the job is about, in somebody's words: the uploaded file's name or the folder's."""
    if job.kind == "index":
        return tr(
            "Re-index of {rsplit}",
            rsplit=plain(str(job.spec.get("folder", "")).rstrip("/").rsplit("/", 1)[-1]),
        )
    if job.kind == "renew":
        return tr("Uploads, heard again")
    if job.kind == "stems":
        return tr("Stems of {get}", get=plain(job.spec.get("name"), 90))
    return plain(job.spec.get("name"), 100)


def end_notice(job: Job) -> str:
    """The message that tells somebody who has waited: an edited card rings no bell."""
    verdict = tr("is done") if job.state == "done" else tr("could not be finished; the card says why")
    return f"<@{job.user_id}> **{job_title(job)}** {verdict}."


def job_card(job: Job) -> Card:
    """A job that waits, runs, failed or was cancelled; `done` has cards of its own."""
    title = text(f"### {job_title(job)}")
    cancel = Press(
        "job_cancel", job.id, label=tr("Cancel"), style=Style.danger, disabled=job.cancel_requested
    )
    refresh = Press("job_refresh", job.id, label=tr("Refresh"))
    tell = Press("job_tell", job.id, label=tr("Tell me when it is done"), emoji="🔔")
    left = tr(", {roughly} to go", roughly=roughly(job.eta_s)) if job.eta_s else ""
    match job.state:
        case "queued" if job.error:
            return Card(
                title,
                text(tr("{error} I'll try again in a moment{left}.", error=plain(job.error, 200), left=left)),
                row(refresh, tell, cancel),
            )
        case "queued":
            place = (
                tr("Next in the queue")
                if job.position == 1
                else tr("Number {position} in the queue", position=job.position)
            )
            return Card(title, text(f"⏳ {place}{left}."), row(refresh, tell, cancel))
        case "running":
            stage = "Stopping" if job.cancel_requested else STAGES.get(job.stage, plain(job.stage))
            return Card(
                title,
                text(f"{bar(job.progress, 14)}  {job.progress:.0%}", f"{stage}{left}."),
                row(refresh, tell, cancel),
            )
        case "failed":
            return Card(title, text(f"⚠️ {plain(job.error, 300)}"), colour=BAD)
        case "cancelled":
            return Card(title, text(tr("Cancelled; nothing was kept.")), colour=NEUTRAL)
        case _:
            return Card(title, text(tr("Done.")), colour=GOOD)


def result_card(
    job: Job,
    track: Track,
    analysis: TrackAnalysis,
    near: Sequence[Similar],
    *,
    picture: bool,
    listed: bool | None = None,
) -> Card:
    """What an uploaded track sounds like and what goes with it.

    `listed`: whether others find it in the library; None when that is not the uploader's choice.
    """
    facts = [clock(analysis.duration_s)]
    if analysis.tempo_bpm is not None:
        facts.append(f"{analysis.tempo_bpm:.0f} BPM")
    if analysis.key and analysis.mode:
        facts.append(f"{analysis.key} {analysis.mode}")
    artist = f"-# {plain(track.artist)}" if track.artist else ""
    heard = sorted(
        (
            (facts_["activity"], stem)
            for stem, facts_ in analysis.instruments.items()
            if facts_["activity"] >= 0.05
        ),
        reverse=True,
    )
    stems = "  ".join(f"{STEM_EMOJI[stem]} {stem} {activity:.0%}" for activity, stem in heard)
    spoke = text(
        tr("-# Separated by {separator}: take the instruments as an estimate.", separator=analysis.separator)
    )
    return Card(
        text(f"## {plain(track.title)}", *([artist] if artist else []), " · ".join(facts)),
        text(
            tr("-# Share of the time that each sounds:\n{stems}", stems=stems)
            if stems
            else tr("-# No instrument stands out.")
        ),
        *([spoke] if analysis.separator == "unet" else []),
        *([text(*(f"-# {plain(note, 200)}" for note in analysis.notes[:3]))] if analysis.notes else []),
        *(
            [
                ui.MediaGallery(
                    MediaGalleryItem(
                        f"attachment://{PICTURE}",
                        description=f"Spectrogram of {plain(track.title)} and the activity of each stem over time",
                    )
                )
            ]
            if picture
            else []
        ),
        *([line(), text(tr("**Goes well with**")), *(similar_section(one) for one in near)] if near else []),
        row(
            Press("play", track.id, label=tr("Hear it"), emoji="▶️"),
            *([Press("stems", job.id, label=tr("Stems"), emoji="🎛️")] if analysis.instruments else []),
            Press("like_this", track.id, label=tr("More like this")),
            Press("details", track.id, label=tr("Details"), emoji="🔍"),
        ),
        row(
            *(
                [
                    Press("upload_list", job.id, 0, label=tr("Take out of the library"), emoji="📤")
                    if listed
                    else Press("upload_list", job.id, 1, label=tr("Add to library"), emoji="📥")
                ]
                if listed is not None
                else []
            ),
            Press("upload_remove", job.id, label=tr("Remove it"), style=Style.danger),
        ),
        colour=GOOD,
    )


def index_card(job: Job) -> Card:
    """What a re-index found."""
    result = job.result or {}
    counts = [
        f"{result[name]} {name}"
        for name in ("added", "updated", "renewed", "moved", "removed", "duplicates", "unchanged")
        if result.get(name)
    ]
    failed = result.get("failed") or []
    lines = [f"-# {plain(path, 60)}: {plain(sentence, 120)}" for path, sentence in failed[:5]]
    more = [tr("-# … and {count} more", count=len(failed) - 5)] if len(failed) > 5 else []
    return Card(
        text(
            f"### {job_title(job)}", tr("Done: {value1}.", value1=", ".join(counts) or "no audio files found")
        ),
        *([text(tr("⚠️ {count} could not be read:", count=len(failed)), *lines, *more)] if failed else []),
        colour=GOOD,
    )
