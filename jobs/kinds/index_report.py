"""What a run over a folder did, and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class IndexReport:
    """What a run did. `failed` holds (path in the folder, sentence); `rate` is analysed files per minute."""

    folder: str
    separator: str = ""
    added: int = 0
    updated: int = 0
    """Files whose content changed."""
    renewed: int = 0
    """Unchanged files that were analysed anew since the separator or the analyser has another version."""
    moved: int = 0
    removed: int = 0
    duplicates: int = 0
    """New files with the content of one that is there already: they share its track."""
    unchanged: int = 0
    failures: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    rate: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class IndexProgress:
    """How far the second pass is; `eta_s` from the pace so far."""

    done: int
    total: int
    path: str
    rate: float | None
    eta_s: float | None
