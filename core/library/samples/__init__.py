"""The sample library that comes with Moodstem: files, and what each piece truly is."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

ALBUM = "Moodstem Samples"


@dataclass(frozen=True)
class Sample:
    """One piece of the library. `moods` are those it was composed for; `instruments` the stems that truly sound."""

    file: str
    title: str
    artist: str
    genre: str
    tempo_bpm: float
    key: str
    mode: str
    moods: tuple[str, ...]
    instruments: tuple[str, ...]

    @property
    def path(self) -> Path:
        return sample_folder() / self.file


def sample_folder() -> Path:
    """The folder with the Ogg files, also in an installed wheel."""
    return Path(str(files(__name__)))


def manifest() -> list[Sample]:
    """All samples, by number."""
    table = tomllib.loads((sample_folder() / "samples.toml").read_text(encoding="utf-8"))
    return [
        Sample(**{**entry, "moods": tuple(entry["moods"]), "instruments": tuple(entry["instruments"])})
        for entry in table["sample"]
    ]
