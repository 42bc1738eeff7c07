"""A job queue in a SQLite table, with leases, fencing tokens, fair order and quotas.

Its guarantees, which tests/bot/test_random_kills.py checks with kill -9 in a loop:

- A job that `enqueue` returned is on disk (WAL, synchronous=FULL) and survives kill -9 and a power cut.
- Every job ends as done, failed or cancelled, whatever is killed; a full disk or a locked database only delays it.
- A job may start several times but takes effect at most once: a claim is a lease with a token, a runner that has lost
  its lease can no longer write, and a job's effect and its end are one transaction.
- A deduplication key names one job. Two jobs with one subject never run at once, so the later one finds the result.
- Jobs are ordered by priority, then by start-time fair queueing between users (Goyal, Vin & Cheng 1997): a hundred
  uploads of one user delay another user's first one by at most the jobs that are running. A job that has run is charged
  the seconds that it took, also if it failed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict
from typing import Any

from core.errors import Fact, fact
from core.library.connection import Row
from core.library.database import Database, Transaction
from jobs.attempts import BLAMELESS, RetryPolicy, end_attempt
from jobs.forecast import forecast
from jobs.model import Change, Claimed, Heartbeat, Job, Quotas, State
from jobs.order import ADD, ANY_READY, CLAIM, MORE_URGENT, charge
from jobs.quotas import ACTIVE, DAY, check_quotas

Clock = Callable[[], float]
Effect = Callable[[Transaction], Awaitable[dict[str, Any] | None]]
Alongside = Callable[[Transaction, int], Awaitable[None]]
"""Makes further writes in the transaction that adds a job, whose id it is given."""

LONGEST_LEASE_S = 600.0


class Queue:
    """The jobs of one database, which any number of processes may use at once.

    `clock` returns Unix seconds. `running_per_user` is how many jobs of one user and priority may run at once, None for
    any number; scheduled jobs have no such limit. The other limits are those of jobs.attempts.RetryPolicy.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock = time.time,
        running_per_user: int | None = None,
        failure_limit: int = 3,
        crash_limit: int = 2,
        loss_limit: int = 5,
        backoff_s: float = 10.0,
    ) -> None:
        self.database = database
        self.clock = clock
        self.running_per_user = running_per_user
        self.retries = RetryPolicy(failure_limit, crash_limit, loss_limit, backoff_s)

    # -- for the bot ---------------------------------------------------------------------------------

    async def enqueue(
        self,
        kind: str,
        spec: Any,
        *,
        user_id: int,
        guild_id: int | None = None,
        priority: int = 0,
        cost: float = 0.0,
        dedup: str | None = None,
        once: bool = False,
        subject: str | None = None,
        limits: Quotas | None = None,
        alongside: Alongside | None = None,
    ) -> Job:
        """Add a job; it is on disk when this returns.

        `spec` is the Spec of its kind (see jobs.kinds), or the same as JSON data.
        `cost` is the expected work in a unit of the kind's own (seconds of audio, files, ...), from which the fair order
        and the remaining time are computed. An active job with the same `dedup` (with `once`, an ended one too) is
        returned instead of a new one. Jobs with the same `subject` never run at once. `alongside` makes further
        writes in the same transaction. Raises jobs.model.QuotaError when it would exceed `limits`.
        """
        now, cost = self.clock(), cost if cost > 0 else 1.0
        async with self.database.transaction() as transaction:
            known = await transaction.run(
                f"SELECT id FROM job WHERE dedup = ? AND dedup IS NOT NULL AND (? OR state IN {ACTIVE})"
                " ORDER BY id LIMIT 1",
                [dedup, once],
            )
            if known:
                job_id = known[0]["id"]
            else:
                if limits is not None:
                    await check_quotas(
                        self.database, limits, kind=kind, user_id=user_id, guild_id=guild_id, now=now
                    )
                [row] = await transaction.run(
                    ADD,
                    {
                        "kind": kind,
                        "spec": json.dumps(spec, default=asdict),
                        "user": user_id,
                        "guild": guild_id,
                        "priority": priority,
                        "cost": cost,
                        "dedup": dedup,
                        "subject": subject,
                        "now": now,
                    },
                )
                job_id = row["id"]
                if alongside is not None:
                    await alongside(transaction, job_id)
        job = await self.get(job_id)
        assert job is not None
        return job

    async def admit(self, kind: str, limits: Quotas, *, user_id: int, guild_id: int | None = None) -> None:
        """Raise QuotaError if `enqueue` would, so that nothing large is downloaded in vain."""
        await check_quotas(
            self.database, limits, kind=kind, user_id=user_id, guild_id=guild_id, now=self.clock()
        )

    async def cancel(self, job_id: int) -> bool:
        """Cancel a queued job at once; ask the runner of a running one to stop. Return False if it has ended already."""
        rows = await self.database.write(
            "UPDATE job SET cancel_requested = 1,"
            " state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,"
            " error_code = CASE state WHEN 'queued' THEN 'cancelled' ELSE error_code END,"
            " finished_at = CASE state WHEN 'queued' THEN ? ELSE finished_at END"
            f" WHERE id = ? AND state IN {ACTIVE} RETURNING id",
            [self.clock(), job_id],
        )
        return bool(rows)

    async def get(self, job_id: int) -> Job | None:
        """Return the job with its position in the queue and its remaining time."""
        row = await self.database.fetch_one("SELECT * FROM job WHERE id = ?", [job_id])
        return await forecast(self.database, row, self.clock()) if row else None

    async def jobs(
        self,
        *,
        user_id: int | None = None,
        guild_id: int | None = None,
        state: State | Collection[State] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the jobs of a user, of a server and in some states, as far as these are given, newest first."""
        states = None if state is None else json.dumps([state] if isinstance(state, str) else list(state))
        rows = await self.database.fetch(
            "SELECT * FROM job WHERE (:user IS NULL OR user_id = :user)"
            " AND (:guild IS NULL OR guild_id = :guild)"
            " AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states))) ORDER BY id DESC LIMIT :limit",
            {"user": user_id, "guild": guild_id, "states": states, "limit": limit},
        )
        return [await forecast(self.database, row, self.clock()) for row in rows]

    async def latest_done(self, kind: str, *, user_id: int, track_id: int) -> Job | None:
        """Return the user's latest job of this kind about this track (`track_id` in its spec) that ended well."""
        row = await self.database.fetch_one(
            "SELECT * FROM job WHERE user_id = ? AND kind = ? AND state = 'done'"
            " AND json_extract(spec, '$.track_id') = ? ORDER BY id DESC LIMIT 1",
            [user_id, kind, track_id],
        )
        return await forecast(self.database, row, self.clock()) if row else None

    async def active(self, dedup: Collection[str]) -> Job | None:
        """Return the waiting or running job with one of these `dedup`, a running one before others; None without any."""
        row = await self.database.fetch_one(
            f"SELECT * FROM job WHERE dedup IN (SELECT value FROM json_each(?)) AND state IN {ACTIVE}"
            " ORDER BY state = 'running' DESC, id LIMIT 1",
            [json.dumps(list(dedup))],
        )
        return await forecast(self.database, row, self.clock()) if row else None

    async def waiting_since(self) -> float | None:
        """Return when the job that has waited longest was put into the queue; None when none waits."""
        [row] = await self.database.fetch("SELECT min(created_at) FROM job WHERE state = 'queued'")
        return None if row[0] is None else float(row[0])

    async def changes(self, since: int) -> list[Change]:
        """Return the jobs that changed after change number `since`, each once, in the order of their latest change.

        Start with `since=await latest_change()` or 0 and continue with the last `number`. Any change may also have
        moved the positions of queued jobs. Costs one index lookup if nothing changed.
        """
        rows = await self.database.fetch(
            "SELECT change, id, state FROM job WHERE change > ? ORDER BY change LIMIT 1000", [since]
        )
        return [Change(*row) for row in rows]

    async def latest_change(self) -> int:
        """Return the number of the latest change of any job, which grows with each."""
        [row] = await self.database.fetch("SELECT value FROM counter WHERE name = 'job'")
        return int(row[0])

    async def counts(self, guild_id: int | None = None) -> dict[str, int]:
        """Return the number of jobs (of one server) in each state."""
        rows = await self.database.fetch(
            "SELECT state, count(*) FROM job WHERE :guild IS NULL OR guild_id = :guild GROUP BY state",
            {"guild": guild_id},
        )
        return {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0} | {
            row[0]: row[1] for row in rows
        }

    # -- for runners ---------------------------------------------------------------------------------

    async def claim(self, owner: str, lease_s: float, kinds: Collection[str] | None = None) -> Claimed | None:
        """Take the next job that is due and return it, None if there is none; atomic, for any number of runners."""
        asked = self._claim_parameters(kinds)
        if not await self.database.fetch(ANY_READY, asked):
            return None  # no write lock and no fsync on every idle poll
        rows = await self.database.write(CLAIM, {**asked, "owner": owner, "lease": lease_s})
        if not rows:
            return None
        row = rows[0]
        return Claimed(
            row["id"],
            row["token"],
            row["kind"],
            json.loads(row["spec"]),
            row["user_id"],
            row["guild_id"],
            row["priority"],
            row["attempt"],
        )

    async def heartbeat(self, claimed: Claimed, lease_s: float) -> Heartbeat | None:
        """Extend the lease. Return None if it was lost: stop the work, since this claim can no longer write."""
        rows = await self._fenced(claimed, "lease_until = ?", [self.clock() + lease_s], "cancel_requested")
        return Heartbeat(cancel=bool(rows[0]["cancel_requested"])) if rows else None

    async def check_lease(self, claimed: Claimed) -> Heartbeat | None:
        """Return what `heartbeat` would, without extending the lease."""
        row = await self.database.fetch_one(
            "SELECT cancel_requested FROM job WHERE id = ? AND token = ? AND state = 'running'",
            [claimed.id, claimed.token],
        )
        return Heartbeat(cancel=bool(row[0])) if row else None

    async def progress(self, claimed: Claimed, stage: str, share: float) -> bool:
        """Store the progress; call it at most once a second, since each call is a durable write."""
        return bool(
            await self._fenced(claimed, "stage = ?, progress = ?", [stage, min(max(share, 0.0), 1.0)])
        )

    async def finish(
        self, claimed: Claimed, result: dict[str, Any], effect: Effect | None = None, *, measured: bool = True
    ) -> bool:
        """Mark the job as done and run `effect` in the same transaction, so that both happen or neither.

        What `effect` returns is added to the result. Return False, with nothing written, if the lease was lost.
        `measured=False` keeps a job that computed nothing out of the measured speed.
        """
        now = self.clock()
        async with self.database.transaction() as transaction:
            rows = await transaction.run(
                "UPDATE job SET state = 'done', progress = 1, lease_until = NULL, owner = NULL, finished_at = ?,"
                " error = NULL, error_code = NULL, result = ? WHERE id = ? AND token = ? AND state = 'running'"
                " RETURNING kind, cost, started_at",
                [now, json.dumps(result), claimed.id, claimed.token],
            )
            if not rows:
                return False
            await charge(transaction, claimed.id, now)
            if effect is not None and (more := await effect(transaction)):
                await transaction.run(
                    "UPDATE job SET result = ? WHERE id = ?", [json.dumps(result | more), claimed.id]
                )
            if measured:
                speed = max(now - rows[0]["started_at"], 0.0) / rows[0]["cost"]
                await transaction.run(
                    "INSERT INTO job_speed (kind, seconds_per_cost, jobs) VALUES (?, ?, 1) ON CONFLICT (kind) DO UPDATE SET"
                    " seconds_per_cost = seconds_per_cost + (excluded.seconds_per_cost - seconds_per_cost) / min(jobs + 1, 10),"
                    " jobs = jobs + 1",
                    [rows[0]["kind"], speed],
                )
        return True

    async def fail(
        self, claimed: Claimed, error: Fact, *, code: str = "bug", permanent: bool = False
    ) -> bool:
        """Record a failed attempt: queue the job again after a jittered delay, or end it if the failure is `permanent`, the
        job was cancelled or has no attempts left. `error` is shown to the user. Return False if the lease was lost."""
        async with self.database.transaction() as transaction:
            rows = await transaction.run(
                "SELECT * FROM job WHERE id = ? AND token = ? AND state = 'running'",
                [claimed.id, claimed.token],
            )
            if not rows:
                return False
            await self._end_attempt(transaction, rows[0], error, code, permanent)
            if code not in BLAMELESS:
                await charge(transaction, claimed.id, self.clock())
        return True

    async def give_back(self, claimed: Claimed, notes: dict[str, Any] | None = None) -> bool:
        """Put the unfinished job back in its place without counting the attempt; `notes` are added to its spec.

        For a shutdown, and for background jobs that make room for a more urgent one."""
        rows = await self._fenced(
            claimed,
            "state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END, owner = NULL, lease_until = NULL,"
            " attempt = attempt - 1, run_at = 0, finished_at = CASE WHEN cancel_requested THEN ? END,"
            " error_code = CASE WHEN cancel_requested THEN 'cancelled' END, spec = json_patch(spec, ?)",
            [self.clock(), json.dumps(notes or {})],
        )
        return bool(rows)

    async def confirm_cancelled(self, claimed: Claimed) -> bool:
        """Mark a running job as cancelled once its runner has stopped it."""
        now = self.clock()
        async with self.database.transaction() as transaction:
            rows = await transaction.run(
                "UPDATE job SET state = 'cancelled', error_code = 'cancelled', owner = NULL, lease_until = NULL,"
                " finished_at = ? WHERE id = ? AND token = ? AND state = 'running' RETURNING id",
                [now, claimed.id, claimed.token],
            )
            if rows:
                await charge(transaction, claimed.id, now)
        return bool(rows)

    async def has_more_urgent(self, priority: int, kinds: Collection[str] | None = None) -> bool:
        """Return whether a job of a higher priority is ready; long background jobs ask this between their steps."""
        return bool(
            await self.database.fetch(MORE_URGENT, {**self._claim_parameters(kinds), "priority": priority})
        )

    async def reap(self, dead: Callable[[str], bool] | None = None) -> int:
        """Queue jobs again whose lease has expired or whose owner is dead; return how many."""
        now, taken = self.clock(), 0
        async with self.database.transaction() as transaction:
            for row in await transaction.run("SELECT * FROM job WHERE state = 'running'"):
                expired = (
                    not now < row["lease_until"] <= now + LONGEST_LEASE_S
                )  # the clock may have jumped back
                if expired or (dead is not None and dead(row["owner"])):
                    await self._end_attempt(transaction, row, fact("worker-stopped"), "lost", False)
                    taken += 1
            for row in await transaction.run("SELECT owner, seen_at FROM runner"):
                if row["seen_at"] < now - DAY or (dead is not None and dead(row["owner"])):
                    await transaction.run("DELETE FROM runner WHERE owner = ?", [row["owner"]])
        return taken

    async def register_runner(self, owner: str, facts: dict[str, Any]) -> None:
        """Register a runner, or renew its registration."""
        await self.database.write(
            "INSERT INTO runner (owner, started_at, seen_at, facts) VALUES (:owner, :now, :now, :facts)"
            " ON CONFLICT (owner) DO UPDATE SET seen_at = :now, facts = :facts",
            {"owner": owner, "now": self.clock(), "facts": json.dumps(facts)},
        )

    async def unregister_runner(self, owner: str) -> None:
        """Remove the registration of a runner that has ended."""
        await self.database.write("DELETE FROM runner WHERE owner = ?", [owner])

    async def runners(self) -> list[dict[str, Any]]:
        """Return the registered runners as {owner, started_at, seen_at, ...their facts}."""
        rows = await self.database.fetch(
            "SELECT owner, started_at, seen_at, facts FROM runner ORDER BY started_at"
        )
        return [{**json.loads(row["facts"]), **{key: row[key] for key in row.keys()[:3]}} for row in rows]

    # -- inside ---------------------------------------------------------------------------------------

    def _claim_parameters(self, kinds: Collection[str] | None) -> dict[str, Any]:
        names = None if kinds is None else json.dumps(list(kinds))
        return {"now": self.clock(), "kinds": names, "cap": self.running_per_user}

    async def _fenced(
        self, claimed: Claimed, assignments: str, values: list[Any], returning: str = "id"
    ) -> list[Row]:
        return await self.database.write(
            f"UPDATE job SET {assignments} WHERE id = ? AND token = ? AND state = 'running' RETURNING {returning}",
            [*values, claimed.id, claimed.token],
        )

    async def _end_attempt(
        self, transaction: Transaction, row: Row, error: Fact, code: str, permanent: bool
    ) -> None:
        await end_attempt(
            transaction, row, error, code, permanent=permanent, now=self.clock(), retries=self.retries
        )
