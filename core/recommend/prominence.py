"""How far an instrument stands out: music to practise it with.

Prominence p = sqrt(a · e), 0..1, of a stem in a track:
- a, activity: the share of the time that it sounds (Soni, Shinde & Mepani, "DeepMelody": "the percentage of the total time
  the instrument plays");
- e, energy share: its energy over that of all stems, E / ΣE with E = 10^(level / 10), where level is the stem's mean power
  over the mix's in dB (the energy by which Kadandale et al. 2020, "Multi-channel U-Net", weigh sources).
The geometric mean needs both: a solo of two seconds has little of a, a quiet pad that never stops has little of e.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from core.audio.types import STEMS
from core.errors import Refusal
from core.library.catalog import Catalog, TrackLike
from core.recommend.rule import Matrix
from core.recommend.table import trust
from core.separation.base import HEARD


@dataclass(frozen=True)
class Prominent:
    """A track with the prominence of an instrument in it, 0..1, and what it is made of; `estimate` where its
    separator cannot tell the instrument from others (see `trust`)."""

    track: TrackLike
    prominence: float
    activity: float
    energy: float
    instrument: str
    estimate: bool


def checked_instrument(name: str) -> str:
    """Raises UserError for what is no stem."""
    if name not in STEMS:
        raise Refusal("no-instrument", name=name, stems=", ".join(STEMS))
    return name


def energy_shares(levels: Mapping[str, Matrix]) -> dict[str, Matrix]:
    """{stem: (tracks,)} from levels in dB; a level that is unknown is silence."""
    energies: dict[str, Matrix] = {
        stem: np.nan_to_num(10 ** (level / 10), nan=0.0).astype(np.float32) for stem, level in levels.items()
    }
    total: Matrix = np.sum(list(energies.values()), axis=0)
    return {
        stem: (energy / np.where(total > 0, total, 1)).astype(np.float32) for stem, energy in energies.items()
    }


def prominence(catalog: Catalog, instrument: str) -> tuple[Matrix, Matrix, Matrix]:
    """(tracks,) each: prominence, activity and energy share of one stem, 0..1."""
    activity = np.nan_to_num(catalog.values(f"{checked_instrument(instrument)}.activity"), nan=0.0)
    energy = energy_shares({stem: catalog.values(f"{stem}.level_db") for stem in STEMS})[instrument]
    return np.sqrt(activity * energy), activity, energy


def prominent(
    catalog: Catalog, instrument: str, count: int = 10, among: Collection[int] | None = None
) -> list[Prominent]:
    """The `count` tracks (of the ids `among`, where given) in which the instrument stands out most, most first, equal ones
    by id; none in which it is not `HEARD`.
    """
    values, activity, energy = prominence(catalog, instrument)
    fits = (values > 0) & (activity >= HEARD)
    if among is not None:
        fits &= np.array([track.id in among for track in catalog.tracks], dtype=bool)
    found: list[Prominent] = []
    for row in catalog.best_first(np.where(fits, values, -np.inf), count):
        estimate = trust(catalog.separators[row], instrument, "activity") == 0
        shares = float(values[row]), float(activity[row]), float(energy[row])
        found.append(Prominent(catalog.tracks[row], *shares, instrument, estimate))
    return found
