"""Which files hold which track: the statements behind the table `folder_file`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.library.database import Transaction


@dataclass(frozen=True)
class Place:
    """A folder in one run: its row, the number of the scan, and what analyses now."""

    id: int
    folder: Path
    scan: int
    separator: str
    separator_version: str
    analyser_version: int

    @property
    def made_by(self) -> str:
        """What failed under this failed for good; another value is worth another try."""
        return f"{self.separator} {self.separator_version} {self.analyser_version}"

    def note(self, path: str, size: int, mtime_ns: int) -> dict[str, Any]:
        """The parameters of NOTE."""
        return {
            "folder": self.id,
            "path": path,
            "size": size,
            "mtime": mtime_ns,
            "scan": self.scan,
            "made_by": self.made_by,
            "separator": self.separator,
            "separator_version": self.separator_version,
            "analyser_version": self.analyser_version,
        }


NOTE = """
INSERT INTO folder_file (folder_id, path, size, mtime_ns, scan) VALUES (:folder, :path, :size, :mtime, :scan)
ON CONFLICT (folder_id, path) DO UPDATE SET scan = :scan, pending = pending OR size <> :size OR mtime_ns <> :mtime
    OR CASE
        WHEN error IS NOT NULL THEN made_by IS NOT :made_by
        ELSE NOT EXISTS (
            SELECT 1 FROM analysis WHERE analysis.track_id = folder_file.track_id AND separator = :separator
            AND separator_version = :separator_version AND analyser_version = :analyser_version
        )
    END
"""


async def only_here(transaction: Transaction, track_id: int, folder_id: int, path: str) -> bool:
    """Is this the only file of the track, and the track one of a folder?"""
    rows = await transaction.run(
        "SELECT 1 FROM track WHERE id = ? AND origin = 'folder' AND NOT EXISTS (SELECT 1 FROM folder_file"
        " WHERE track_id = track.id AND (folder_id <> ? OR path <> ?))",
        [track_id, folder_id, path],
    )
    return bool(rows)


async def forget_unless_used(transaction: Transaction, track_id: int) -> None:
    """Remove a folder's track that no file holds any more; one that another file holds moves there."""
    others = await transaction.run(
        "SELECT folder.path AS root, folder_file.path FROM folder_file JOIN folder ON folder.id = folder_id"
        " WHERE track_id = ? ORDER BY folder_id, folder_file.path LIMIT 1",
        [track_id],
    )
    if others:
        await transaction.run(
            "UPDATE track SET path = ? WHERE id = ? AND origin = 'folder'",
            [str(Path(others[0]["root"]) / others[0]["path"]), track_id],
        )
    else:
        await transaction.run("DELETE FROM track WHERE id = ? AND origin = 'folder'", [track_id])
