"""Estimate when a job will be done from the measured speed of earlier ones."""

from __future__ import annotations

from core.library.connection import Row
from core.library.database import Database
from jobs.model import Job


async def forecast(database: Database, row: Row, now: float) -> Job:
    """Return the job of this row with its position in the queue and the seconds until it is done."""
    if row["state"] not in ("queued", "running"):
        return Job.from_row(row)
    speed = {
        found["kind"]: found["seconds_per_cost"]
        for found in await database.fetch("SELECT kind, seconds_per_cost FROM job_speed")
    }
    if row["state"] == "running":
        return Job.from_row(row, eta_s=_left(row, speed, now))
    [ahead] = await database.fetch(
        "SELECT count(*) FROM job INDEXED BY job_ready WHERE state = 'queued' AND (priority > :priority"
        " OR (priority = :priority AND (virtual_start, id) < (:start, :id)))",
        {"priority": row["priority"], "start": row["virtual_start"], "id": row["id"]},
    )
    return Job.from_row(row, position=ahead[0] + 1, eta_s=await _until_done(database, row, speed, now))


def _left(row: Row, speed: dict[str, float], now: float) -> float | None:
    """Return the seconds that a running job still needs, by its own pace from a fifth on, by that of earlier jobs before."""
    elapsed = max(now - row["started_at"], 0.0)
    if row["progress"] >= 0.2:
        return float(elapsed / row["progress"] * (1 - row["progress"]))
    if row["kind"] not in speed:
        return None
    return float(max(speed[row["kind"]] * row["cost"] - elapsed, 1.0))


async def _until_done(database: Database, row: Row, speed: dict[str, float], now: float) -> float | None:
    """Return the seconds until a queued job is done: the work before it, shared by the live runners, and its own."""
    if row["kind"] not in speed:
        return None
    running = await database.fetch(
        "SELECT * FROM job WHERE state = 'running' AND priority >= ?", [row["priority"]]
    )
    waiting = await database.fetch(
        "SELECT kind, sum(cost) AS cost FROM job INDEXED BY job_ready WHERE state = 'queued' AND (priority > :priority"
        " OR (priority = :priority AND (virtual_start, id) < (:start, :id))) GROUP BY kind",
        {"priority": row["priority"], "start": row["virtual_start"], "id": row["id"]},
    )
    [runners] = await database.fetch("SELECT count(*) FROM runner WHERE seen_at > ?", [now - 60])
    before = sum(_left(other, speed, now) or 0.0 for other in running)
    before += sum(speed.get(other["kind"], 0.0) * other["cost"] for other in waiting)
    wait = max(row["run_at"] - now, 0.0)
    return float(max(before / max(runners[0], 1), wait) + speed[row["kind"]] * row["cost"])
