"""Find the files of the data folder that jobs need or have made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from core.folders import DataFolder
from core.library.database import Database
from jobs.kinds import kinds
from jobs.model import Job
from jobs.queue import Queue


async def files_in_use(database: Database, folder: DataFolder) -> set[Path]:
    """Return the files that waiting and running jobs need, including the audio of the track that a job is about."""
    rows = await database.fetch(
        "SELECT job.*, track.path FROM job LEFT JOIN track ON track.id = json_extract(spec, '$.track_id')"
        " WHERE state IN ('queued', 'running')"
    )
    used = {folder.data / row["path"] for row in rows if row["path"]}
    return used.union(*(_inputs(Job.from_row(row), folder) for row in rows))


async def files_of(database: Database, folder: DataFolder, user_id: int) -> list[Path]:
    """Return the files that a user's jobs made for the user alone, and the inputs of their unfinished jobs."""
    rows = await database.fetch("SELECT * FROM job WHERE user_id = ?", [user_id])
    return [
        path
        for row in rows
        for path in (*_inputs(Job.from_row(row), folder), *_outputs(Job.from_row(row), folder))
    ]


async def cancel(queue: Queue, folder: DataFolder, job_id: int) -> bool:
    """Cancel a job, and remove the input files of one that was waiting. Return whether it took effect.

    A running job removes its own files when it stops.
    """
    done = await queue.cancel(job_id)
    job = await queue.get(job_id)
    if job is not None and job.state == "cancelled":
        for path in _inputs(job, folder):
            await asyncio.to_thread(path.unlink, missing_ok=True)
    return done


def _inputs(job: Job, folder: DataFolder) -> Sequence[Path]:
    """Return the input files of a job that is not done; of one that is, they belong to its track."""
    kind = kinds().get(job.kind)
    if kind is None or job.state == "done":
        return ()
    with contextlib.suppress(TypeError):  # another version of Moodstem wrote it
        return kind.inputs(kind.spec(job), folder)
    return ()


def _outputs(job: Job, folder: DataFolder) -> Sequence[Path]:
    kind = kinds().get(job.kind)
    if kind is None or job.state != "done":
        return ()
    with contextlib.suppress(TypeError):
        return kind.outputs(kind.result(job), folder)
    return ()
