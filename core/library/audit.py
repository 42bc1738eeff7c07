"""What admins did, when: kept for those who manage the same server."""

from __future__ import annotations

import json
from dataclasses import dataclass

from core.errors import Fact
from core.library.database import Database


@dataclass(frozen=True)
class AuditEntry:
    """One line of the log; `at` in Unix seconds."""

    user_id: int
    action: str
    detail: Fact | None
    at: int


async def record(
    database: Database, guild_id: int, user_id: int, action: str, detail: Fact | None = None
) -> None:
    """Record what an admin did in a guild; `action` is a word of English."""
    await database.write(
        "INSERT INTO audit (guild_id, user_id, action, detail) VALUES (?, ?, ?, ?)",
        (guild_id, user_id, action, json.dumps(detail) if detail else ""),
    )


async def audit_entries(
    database: Database, guild_id: int, limit: int = 20, skip: int = 0
) -> list[AuditEntry]:
    """Return the audit_entries of a guild, newest first."""
    rows = await database.fetch(
        "SELECT user_id, action, detail, at FROM audit WHERE guild_id=? ORDER BY id DESC LIMIT ? OFFSET ?",
        (guild_id, limit, skip),
    )
    return [
        AuditEntry(
            row["user_id"], row["action"], json.loads(row["detail"]) if row["detail"] else None, row["at"]
        )
        for row in rows
    ]
