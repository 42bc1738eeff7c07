"""Check how many jobs a user and a server may add."""

from __future__ import annotations

from core.library.database import Database
from jobs.forecast import forecast
from jobs.model import QuotaError, Quotas

ACTIVE = "('queued', 'running')"
DAY = 86400.0


async def check_quotas(
    database: Database, limits: Quotas, *, kind: str, user_id: int, guild_id: int | None, now: float
) -> None:
    """Raise QuotaError if one more job of this kind would exceed the limits.

    Call it inside the transaction that adds the job, so that of two concurrent jobs only one can be the last. Every
    job that was added counts, whatever became of it.
    """
    scopes = (
        ("user", "user_id = :user", limits.waiting_per_user, limits.daily_per_user),
        (
            "guild",
            "guild_id = :guild",
            limits.waiting_per_guild if guild_id else None,
            None if guild_id is None else limits.daily_per_guild,
        ),
        ("total", "1", limits.waiting_total, None),
    )
    values = {"user": user_id, "guild": guild_id, "kind": kind, "since": now - DAY}
    for scope, condition, waiting, daily in scopes:
        if waiting is not None:
            rows = await database.fetch(
                f"SELECT * FROM job WHERE {condition} AND kind = :kind AND state IN {ACTIVE} ORDER BY id",
                values,
            )
            if len(rows) >= waiting:
                eta_s = (await forecast(database, rows[0], now)).eta_s if rows else None
                raise QuotaError.of(scope, "waiting", waiting, eta_s)
        if daily is not None:
            rows = await database.fetch(
                f"SELECT created_at FROM job WHERE {condition} AND kind = :kind AND created_at > :since"
                " ORDER BY created_at",
                values,
            )
            if len(rows) >= daily:
                freed = rows[len(rows) - daily]["created_at"] if daily else now
                raise QuotaError.of(scope, "day", daily, freed + DAY - now)
