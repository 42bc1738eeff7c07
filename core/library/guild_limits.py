"""Limits that the managers of a guild set: never above the operator's."""

from __future__ import annotations

from core.errors import Refusal
from core.library.database import Database
from core.settings import LimitSettings

LIMITS = ("upload_mb", "queued_per_user", "queued_per_server", "daily_per_user", "daily_per_server")
"""What a server may set."""


async def limits_of(database: Database, guild_id: int | None, limits: LimitSettings) -> LimitSettings:
    """Return the operator's limits, with the guild's own where these are stricter."""
    return limits.model_copy(
        update={
            name: _stricter(getattr(limits, name), value)
            for name, value in (await own_limits(database, guild_id)).items()
        }
    )


async def own_limits(database: Database, guild_id: int | None) -> dict[str, float]:
    """Return {name: value} of the limits that the guild has set."""
    if guild_id is None:
        return {}
    rows = await database.fetch("SELECT name, value FROM server_limit WHERE guild_id=?", (guild_id,))
    return {row["name"]: row["value"] for row in rows if row["name"] in LIMITS}


async def set_limit(
    database: Database, guild_id: int, name: str, value: float | None, limits: LimitSettings
) -> None:
    """Set a guild's limit, or with None go back to the operator's.

    Raises UserError for an unknown name and for values that are no limit or more than the operator allows.
    """
    if name not in LIMITS:
        raise Refusal("no-limit", name=name, limits=", ".join(LIMITS))
    if value is None:
        await database.write("DELETE FROM server_limit WHERE guild_id=? AND name=?", (guild_id, name))
        return
    most = float(getattr(limits, name))
    lowest = 0.1 if name == "upload_mb" else 1
    if value < lowest or (most and value > most) or (name != "upload_mb" and value != int(value)):
        code = "limit-out-of-range" if most else "limit-too-low"
        raise Refusal(code, limit=name, lowest=lowest, most=most)
    await database.write(
        "INSERT INTO server_limit (guild_id, name, value) VALUES (?, ?, ?)"
        " ON CONFLICT (guild_id, name) DO UPDATE SET value=excluded.value",
        (guild_id, name, value),
    )


def _stricter(operators: float, servers: float) -> float:
    """Return the stricter of two limits; 0 stands for no limit in the operator's settings."""
    chosen = servers if not operators else min(operators, servers)
    return int(chosen) if isinstance(operators, int) else chosen
