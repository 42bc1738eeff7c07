"""How well one track follows another: tempo, key and energy, as visible terms, and the order in which tracks flow best.

People who sequence music by profession mind all three (Kell & Tzanetakis 2013, on mixes by DJs; Bittner et al. 2017). An
order that costs least is a path through all tracks (Pohle, Pampalk & Widmer 2005 made playlists so); ours is the nearest
neighbour's, then reversed in parts while that helps (2-opt, Croes 1958).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import fact
from core.library.catalog import Catalog
from core.library.query import TONICS
from core.recommend.diversity import Share

TEMPO, KEY, ENERGY = 0.12, 0.06, 0.12
"""Lost in full by the worst step: a tempo half as fast again, the far side of the circle of fifths, from the quietest
track to the loudest."""

SAME_TEMPO = 0.03
"""What a listener still takes for the same tempo (as in core.library.query)."""

WORST_TEMPO = float(np.log2(1.5))
FIFTHS = 6

PASSES = 6

Rows = NDArray[np.intp]
Costs = NDArray[np.float64]


class Flow:
    """Of one catalog; what is unknown of a track costs nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.tempo = catalog.values("mix.tempo").astype(np.float64)
        self.energy = catalog.percentiles("mix.loudness").astype(np.float64)
        self.key = np.array([_on_circle(key) for key in catalog.keys], dtype=np.float64)

    def parts(self, before: Rows, after: Rows) -> tuple[Costs, Costs, Costs]:
        """What tempo, key and energy cost, each (before, after) and at least 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(np.log2(self.tempo[after][None] / self.tempo[before][:, None]))
        ratio = np.maximum(ratio - np.log2(1 + SAME_TEMPO), 0) / (WORST_TEMPO - np.log2(1 + SAME_TEMPO))
        apart = np.abs(self.key[after][None] - self.key[before][:, None])
        fifths = np.minimum(apart, 12 - apart) / FIFTHS
        change = np.abs(self.energy[after][None] - self.energy[before][:, None])
        tempo, key, energy = (
            weight * np.nan_to_num(np.clip(cost, 0, 1), nan=0.0)
            for weight, cost in ((TEMPO, ratio), (KEY, fifths), (ENERGY, change))
        )
        return tempo, key, energy

    def costs(self, before: Rows, after: Rows) -> Costs:
        """(before, after): what each step costs."""
        tempo, key, energy = self.parts(before, after)
        return tempo + key + energy

    def shares(self, before: int, after: int) -> list[Share]:
        """The terms of one step, those that cost something, with what they were measured from."""
        costs = [float(part[0, 0]) for part in self.parts(np.array([before]), np.array([after]))]
        found = []
        if costs[0] > 0:
            told = fact("tempo-step", before=round(self.tempo[before]), after=round(self.tempo[after]))
            found.append(Share("flow.tempo", -costs[0], float(self.tempo[after]), "BPM", told))
        if costs[1] > 0:
            steps = round(costs[1] / KEY * FIFTHS)
            names = [" ".join(self.catalog.keys[row] or ()) for row in (before, after)]
            told = fact("key-step", key=names[1], key_before=names[0], steps=steps)
            found.append(Share("flow.key", -costs[1], float(steps), "fifths", told))
        if costs[2] > 0:
            here, there = float(self.energy[after]), float(self.energy[before])
            told = fact("energy-step", here=here, there=there)
            found.append(Share("flow.energy", -costs[2], here - there, "share", told))
        return found


def flow(catalog: Catalog) -> Flow:
    """The catalog's, computed once."""
    return catalog.derived(Flow)


def ordered(catalog: Catalog, track_ids: Sequence[int]) -> list[int]:
    """The tracks in the order in which they flow best, the first one first; those that the catalog does not know last."""
    known = [track_id for track_id in track_ids if track_id in catalog]
    unknown = [track_id for track_id in track_ids if track_id not in catalog]
    if len(known) < 3:
        return [*known, *unknown]
    rows = np.array([catalog.index(track_id) for track_id in known], dtype=np.intp)
    costs = flow(catalog).costs(rows, rows)
    path = _improved(costs, _nearest(costs))
    return [*(known[place] for place in path), *unknown]


def _nearest(costs: Costs) -> list[int]:
    path, left = [0], np.ones(len(costs), dtype=bool)
    left[0] = False
    while left.any():
        step = int(np.argmin(np.where(left, costs[path[-1]], np.inf)))
        path.append(step)
        left[step] = False
    return path


def _improved(costs: Costs, path: list[int]) -> list[int]:
    """Turned around in parts (the costs are the same both ways) while that saves anything; the first stays first."""
    order = np.array(path)
    for _ in range(PASSES):
        saved = False
        for i in range(1, len(order) - 1):
            # Turning order[i..j] around: the step into i now goes to j, the step out of j now leaves from i.
            ends = np.arange(i + 1, len(order))
            into = costs[order[i - 1], order[ends]] - costs[order[i - 1], order[i]]
            out = np.zeros(len(ends))
            inner = ends[:-1]
            out[:-1] = costs[order[i], order[inner + 1]] - costs[order[inner], order[inner + 1]]
            best = int(np.argmin(into + out))
            if into[best] + out[best] < -1e-12:
                j = int(ends[best])
                order[i : j + 1] = order[i : j + 1][::-1].copy()
                saved = True
        if not saved:
            break
    return [int(place) for place in order]


def _on_circle(key: tuple[str, str] | None) -> float:
    """Place on the circle of fifths, a minor key with its relative major; NaN when unknown."""
    if key is None or key[0] not in TONICS:
        return float("nan")
    pitch = TONICS.index(key[0]) + (3 if key[1] == "minor" else 0)
    return float(7 * pitch % 12)
