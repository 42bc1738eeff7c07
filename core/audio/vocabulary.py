"""What is known of each descriptor besides its value: descriptors.toml, read once. Texts are English and untranslated."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Phrases:
    """How a value is put into words; descriptors.toml explains each field."""

    format: str
    low: str
    mid: str
    high: str
    none: str = ""
    silent: float = 0.0
    amount: str = ""
    step: float | None = None
    short: str | None = None


@dataclass(frozen=True)
class Scale:
    """A line of the profile picture: what it is called, and its two ends."""

    label: str
    low: str
    high: str


@dataclass(frozen=True)
class Descriptor:
    """One table of descriptors.toml; without a unit: a row of another descriptor that has words of its own."""

    name: str
    unit: str = ""
    rows: str = ""
    label: str = ""
    meaning: str = ""
    ends: tuple[str, str] | None = None
    compared: bool = False
    scale: Scale | None = None
    phrases: Phrases | None = None
    std: Phrases | None = None

    def texts(self) -> Iterator[str]:
        """Yield every text of it that a member may read, for translation."""
        ends = (
            *(self.ends or ()),
            *((self.scale.label, self.scale.low, self.scale.high) if self.scale else ()),
        )
        yield from filter(None, (self.label, self.meaning, *ends))
        for phrases in filter(None, (self.phrases, self.std)):
            texts = (phrases.none, phrases.low, phrases.mid, phrases.high, phrases.amount, phrases.short)
            yield from filter(None, texts)


@cache
def descriptors() -> Mapping[str, Descriptor]:
    """Return {name: descriptor} in the order of descriptors.toml."""
    tables = tomllib.loads(files("core.audio").joinpath("descriptors.toml").read_text("utf-8"))
    return MappingProxyType({name: _descriptor(name, table) for name, table in tables.items()})


def compared() -> tuple[str, ...]:
    """Return the descriptors that the profile picture compares for each source."""
    return tuple(name for name, descriptor in descriptors().items() if descriptor.compared)


def scales() -> dict[str, Scale]:
    """Return the descriptors that the profile picture compares for the whole track, and how."""
    return {name: descriptor.scale for name, descriptor in descriptors().items() if descriptor.scale}


def phrases(name: str) -> Phrases | None:
    """Return the phrases of 'tempo' or 'onset_strength.std'; None where it has none."""
    descriptor, _, statistic = name.partition(".")
    found = descriptors().get(descriptor)
    if found is None or statistic not in ("", "std"):
        return None
    return found.std if statistic else found.phrases


def _descriptor(name: str, table: dict[str, Any]) -> Descriptor:
    spoken = {key: table.pop(key) for key in Phrases.__dataclass_fields__ if key in table}
    std, scale, ends = (table.pop(key, None) for key in ("std", "scale", "ends"))
    return Descriptor(
        name,
        **table,
        ends=(ends[0], ends[1]) if ends else None,
        scale=Scale(**scale) if scale else None,
        phrases=Phrases(**spoken) if spoken else None,
        std=Phrases(**std) if std else None,
    )
