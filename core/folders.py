"""What lies where below the data folder, for the settings and for what a worker is told of them."""

from __future__ import annotations

from pathlib import Path


class DataFolder:
    """To be inherited by what has the path `data`."""

    data: Path

    @property
    def database(self) -> Path:
        return self.data / "moodstem.db"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def pictures(self) -> Path:
        return self.data / "pictures"

    @property
    def previews(self) -> Path:
        return self.data / "previews"

    @property
    def stems(self) -> Path:
        return self.data / "stems"

    @property
    def backups(self) -> Path:
        return self.data / "backups"
