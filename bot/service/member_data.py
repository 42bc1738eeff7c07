"""Erase everything that is kept about a member, as /privacy, a server's loss of a member and the command line do."""

from __future__ import annotations

from pathlib import Path

from core.folders import DataFolder
from core.library.database import Database
from core.library.erased import erased_at
from core.library.members import erase_rows, members_agreed_at
from jobs.files import files_of


async def erase_member(database: Database, data: Path, user_id: int) -> dict[str, int]:
    """Erase every row and file of the member; returns how many rows of each table, and how many files."""
    folder = DataFolder(data)
    return await erase_rows(database, folder, user_id, await files_of(database, folder, user_id))


async def erase_again(database: Database, data: Path) -> int:
    """Erase those whom a backup brought back: who was erased and has not agreed since. Returns how many."""
    erased, known = erased_at(data), await members_agreed_at(database)
    back = [user_id for user_id, agreed_at in known.items() if agreed_at <= erased(user_id)]
    for user_id in back:
        await erase_member(database, data, user_id)
    return len(back)
