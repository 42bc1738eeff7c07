"""The card of one job, from its place in the queue to its result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.features.library.cards import estimate_note, overview
from bot.features.recommend.cards import similar_section
from bot.router import Press
from bot.theme import BAD, GOOD, NEUTRAL, STEM_EMOJI, bar, clock, plain, roughly
from bot.widgets import Card, Style, line, note_card, row, text
from bot.words.i18n import inside, percent, tr
from bot.words.named import word, words
from bot.words.names import key_name, stem_name
from bot.words.say import say
from core.library.tracks import Track
from core.recommend.similar import Similar
from core.separation.base import HEARD
from core.separation.registry import describe
from core.track_analysis import TrackAnalysis
from jobs.kinds import analyse, index, stems
from jobs.model import Job


def job_title(job: Job) -> str:
    """What the job is about, in somebody's words: the uploaded file's name or the folder's."""
    if job.kind == "index":
        return tr("Re-index of {folder}", folder=plain(Path(index.KIND.spec(job).folder).name))
    if job.kind == "renew":
        return tr("Uploads, heard again")
    if job.kind == "stems":
        return tr("Stems of {title}", title=plain(stems.KIND.spec(job).name, 90))
    return plain(analyse.KIND.spec(job).name, 100)


def end_notice(job: Job) -> str:
    """The message that tells somebody who has waited: an edited card rings no bell."""
    about = {"member": f"<@{job.user_id}>", "job": job_title(job)}
    if job.state == "done":
        return tr("{member} **{job}** is done.", **about)
    return tr("{member} **{job}** could not be finished; the card says why.", **about)


def always_button(always: bool) -> Press:
    """Whether the member is told of every job; pressing it changes that."""
    if always:
        return Press("tell_always", 0, label=tr("Only when I ask"), emoji="🔕")
    return Press("tell_always", 1, label=tr("Always tell me"), emoji="🔔")


def job_card(job: Job) -> Card:
    """A job that waits, runs, failed or was cancelled; `done` has cards of its own."""
    title = text(f"### {job_title(job)}")
    cancel = Press(
        "job_cancel", job.id, label=tr("Cancel"), style=Style.danger, disabled=job.cancel_requested
    )
    refresh = Press("job_refresh", job.id, label=tr("Refresh"))
    tell = Press("job_tell", job.id, label=tr("Tell me when it is done"), emoji="🔔")
    buttons = row(refresh, cancel, tell)
    left = tr(", {time} to go", time=roughly(job.eta_s)) if job.eta_s else ""
    match job.state:
        case "queued" if job.error:
            why = plain(say(job.error), 200)
            again = tr("{error} I'll try again in a moment{left}.", error=why, left=left)
            return Card(title, text(again), buttons)
        case "queued" if job.position == 1:
            return Card(title, text(f"⏳ {tr('Next in the queue')}{left}."), buttons)
        case "queued":
            place = tr("Number {place} in the queue", place=job.position)
            return Card(title, text(f"⏳ {place}{left}."), buttons)
        case "running":
            stage = tr("Stopping") if job.cancel_requested else plain(word("stages", job.stage))
            done = f"{bar(job.progress, 14)}  {percent(job.progress)}"
            return Card(title, text(done, f"{stage}{left}."), buttons)
        case "failed":
            return Card(title, text(f"⚠️ {plain(say(job.error) if job.error else '', 300)}"), colour=BAD)
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
        facts.append(key_name(analysis.key, analysis.mode))
    artist = f"-# {plain(track.artist)}" if track.artist else ""
    heard = sorted(
        (
            (facts_["activity"], stem)
            for stem, facts_ in analysis.instruments.items()
            if facts_["activity"] >= HEARD
        ),
        reverse=True,
    )
    stems = "  ".join(
        f"{STEM_EMOJI[stem]} {inside(stem_name(stem))} {percent(activity)}" for activity, stem in heard
    )
    note = estimate_note(analysis.separator)
    return Card(
        text(f"## {plain(track.title)}", artist, " · ".join(facts)),
        text(
            tr("-# Share of the time that each sounds:\n{stems}", stems=stems)
            if stems
            else tr("-# No instrument stands out.")
        ),
        text(note) if note else None,
        text(*(f"-# {plain(say(note), 200)}" for note in analysis.notes[:3])) if analysis.notes else None,
        overview(track) if picture else None,
        *([line(), text(tr("**Goes well with**")), *(similar_section(one) for one in near)] if near else []),
        row(
            Press("play", track.id, label=tr("Hear it"), emoji="▶️"),
            Press("stems", job.id, label=tr("Stems"), emoji="🎛️") if analysis.instruments else None,
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
    report = index.KIND.result(job)
    counts = [word("found", name, count=count) for name in words("found") if (count := getattr(report, name))]
    failed = report.failed
    lines = [f"-# {plain(path, 60)}: {plain(say(why), 120)}" for path, why in failed[:5]]
    more = [tr("-# … and {count} more", count=len(failed) - 5)] if len(failed) > 5 else []
    return Card(
        text(
            f"### {job_title(job)}",
            tr("Done: {counts}.", counts=", ".join(counts) or tr("no audio files found")),
        ),
        text(tr("⚠️ {count} could not be read:", count=len(failed)), *lines, *more) if failed else None,
        colour=GOOD,
    )


def jobs_card(jobs: Sequence[Job], always: bool = False) -> Card:
    """A member's latest jobs and how far they are; `always`: they are told of the end of each."""
    if not jobs:
        return note_card(tr("Nothing yet: give me a track with /upload."), always_button(always))
    told = (
        tr("-# I send you a direct message when one of your tracks is done.")
        if always
        else tr("-# I can send you a direct message when one of your tracks is done.")
    )
    return Card(
        text(
            tr("### Your latest jobs"),
            *(
                f"{place}\\. **{job_title(job)}**: {_state(job.state, job.eta_s)} · <t:{int(job.created_at)}:R>"
                for place, job in enumerate(jobs, 1)
            ),
        ),
        row(
            *(
                Press("job_show", job.id, label=tr("Show {place}", place=place))
                for place, job in enumerate(jobs, 1)
            )
        ),
        text(told),
        row(always_button(always)),
    )


def _state(state: str, eta_s: float | None) -> str:
    left = tr(", {time} to go", time=roughly(eta_s)) if eta_s else ""
    said = word("states", state)
    return f"{said}{left}" if state in ("queued", "running") else said


SOUNDS = 0.02
"""A stem that sounds for less of the time than this is offered as silent."""


def stems_card(job: Job, analysis: TrackAnalysis | None, until: float | None) -> Card:
    """A button for each stem that sounds, and one for all; `until` (Unix seconds) is when they go, None when they are
    gone."""
    spec = stems.KIND.spec(job)
    again = Press("stems", spec.of, label=tr("Make them again"), style=Style.primary)
    title = plain(spec.name)
    if until is None:
        return note_card(tr("The stems of **{title}** are no longer kept.", title=title), again)
    result = stems.KIND.result(job)
    activity = {stem: facts["activity"] for stem, facts in (analysis.instruments if analysis else {}).items()}
    loud = [stem for stem in result.sizes if activity.get(stem, 1.0) >= SOUNDS]
    silent = [inside(stem_name(stem)) for stem in result.sizes if stem not in loud]
    buttons = [
        Press("stem", job.id, stem, label=stem_name(stem), emoji=STEM_EMOJI.get(stem)) for stem in loud
    ]
    rows = [row(*buttons[first : first + 2]) for first in range(0, len(buttons), 2)]  # as a phone shows them
    separator = describe(result.separator)
    estimate = tr(
        "-# Separated by {separator}: expect traces of the others in each.", separator=tr(separator.label)
    )
    return Card(
        text(
            tr("## Stems of {title}", title=title),
            tr("Tap one to hear it and to take it along; only you see this."),
            estimate if separator.is_estimate else None,
            tr("-# Hardly to be heard: {stems}.", stems=", ".join(silent)) if silent else None,
        ),
        *rows,
        row(Press("stem_all", job.id, label=tr("All in one ZIP"), emoji="📦", disabled=not loud)),
        text(
            tr(
                "-# Here until {when}; they can be made again as long as the upload is kept.",
                when=f"<t:{int(until)}:f>",
            )
        ),
        colour=GOOD,
    )
