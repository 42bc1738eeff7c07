"""SQL statements that add a job to the fair order and claim the first one that may run, and the charge once it has run."""

from __future__ import annotations

from core.library.database import Transaction
from jobs.model import NOBODY

LONGEST_BACKOFF_S = 600.0

# If a job had to wait longer than the longest backoff, the clock was set back after it was queued: it is due.
_DUE = f"state = 'queued' AND (run_at <= :now OR run_at > :now + {LONGEST_BACKOFF_S})"

READY = f"""{_DUE} AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))
    AND (:cap IS NULL OR user_id = {NOBODY} OR (user_id, priority) NOT IN (
        SELECT user_id, priority FROM job INDEXED BY job_running WHERE state = 'running'
        GROUP BY user_id, priority HAVING count(*) >= :cap))
    AND (subject IS NULL OR subject NOT IN (
        SELECT subject FROM job INDEXED BY job_running WHERE state = 'running' AND subject IS NOT NULL))"""
"""Selects jobs that a runner may take now: due, of a kind that it knows, of a user with fewer than :cap running jobs, and
with a subject that no running job has. The lists of running jobs are as short as the list of runners."""

ANY_READY = f"SELECT 1 FROM job INDEXED BY job_ready WHERE {READY} LIMIT 1"

MORE_URGENT = f"SELECT 1 FROM job INDEXED BY job_ready WHERE priority > :priority AND {READY} LIMIT 1"

CLAIM = f"""
UPDATE job SET state = 'running', attempt = attempt + 1, token = token + 1, owner = :owner,
    lease_until = :now + :lease, started_at = :now, stage = '', progress = 0, error = NULL, error_code = NULL
WHERE id = (
    SELECT id FROM job INDEXED BY job_ready WHERE {READY} ORDER BY priority DESC, virtual_start, id LIMIT 1
)
RETURNING id, token, kind, spec, user_id, guild_id, priority, attempt
"""

# Start-time fair queueing: in virtual time, a job starts when the same user's last one ends, but not before now.
ADD = """
INSERT INTO job (kind, spec, user_id, guild_id, priority, cost, virtual_start, dedup, subject, run_at, created_at)
VALUES (:kind, :spec, :user, :guild, :priority, :cost, max(
    coalesce((SELECT now FROM virtual_clock WHERE priority = :priority), 0),
    coalesce((SELECT virtual_start + cost FROM job WHERE user_id = :user AND priority = :priority
        AND (state <> 'cancelled' OR attempt > 0) ORDER BY id DESC LIMIT 1), 0)
), :dedup, :subject, 0, :now) RETURNING id
"""


_CHARGED = """
SELECT job.*, coalesce((SELECT now FROM virtual_clock WHERE virtual_clock.priority = job.priority), 0) AS clock
FROM job WHERE id = ?
"""

_LATER = """
SELECT id, virtual_start, cost FROM job WHERE user_id = ? AND priority = ? AND id > ?
    AND (state <> 'cancelled' OR attempt > 0) ORDER BY id
"""


async def charge(transaction: Transaction, job_id: int, now: float) -> None:
    """Charge a job that has just stopped running for the seconds that it took, whatever it was expected to cost: the
    sender of a file chooses what its header claims. The user's later jobs start behind that, in virtual time.

    What ended costs those seconds; what is tried again starts so much later.
    """
    [job] = await transaction.run(_CHARGED, [job_id])
    used = max(now - job["started_at"], 0.01)
    start, cost = job["virtual_start"], used
    if job["state"] == "queued":
        start, cost = start + used, job["cost"]
    await transaction.run("UPDATE job SET virtual_start = ?, cost = ? WHERE id = ?", [start, cost, job_id])
    for later in await transaction.run(_LATER, [job["user_id"], job["priority"], job_id]):
        start = max(start + cost, min(later["virtual_start"], job["clock"]))
        cost = later["cost"]
        await transaction.run("UPDATE job SET virtual_start = ? WHERE id = ?", [start, later["id"]])
