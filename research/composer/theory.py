"""Pitches, chords and voice leading: what the pieces are written in."""

import itertools
import re
from dataclasses import dataclass

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "69": (0, 4, 7, 9, 2),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "mM7": (0, 3, 7, 11),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "7sus4": (0, 5, 7, 10),
    "7b9": (0, 4, 7, 10, 1),
    "7#9": (0, 4, 7, 10, 3),
    "7b13": (0, 4, 10, 8),
    "9": (0, 4, 7, 10, 2),
    "9sus4": (0, 5, 7, 10, 2),
    "13": (0, 4, 10, 2, 9),
    "add9": (0, 4, 7, 2),
    "madd9": (0, 3, 7, 2),
    "maj9": (0, 4, 7, 11, 2),
    "m9": (0, 3, 7, 10, 2),
    "m11": (0, 3, 10, 2, 5),
    "maj7#11": (0, 4, 7, 11, 6),
}
"""Intervals above the root in semitones, by the usual chord suffix."""

_PITCH = re.compile(r"([A-G])([#b]*)(-?\d+)$")
_CHORD = re.compile(r"([A-G][#b]?)([^/]*)(?:/([A-G][#b]?))?$")


def pitch_class(name: str) -> int:
    """'F#' -> 6."""
    return (LETTERS[name[0]] + name.count("#") - name.count("b")) % 12


def pitch(name: str) -> int:
    """MIDI number of a pitch name: 'C4' -> 60, 'Bb3' -> 58."""
    found = _PITCH.match(name)
    if found is None:
        raise ValueError(f"no such pitch: {name!r}")
    letter, accidentals, octave = found.groups()
    return LETTERS[letter] + accidentals.count("#") - accidentals.count("b") + 12 * (int(octave) + 1)


@dataclass(frozen=True)
class Chord:
    """A chord symbol, understood."""

    name: str
    root: int
    intervals: tuple[int, ...]
    bass: int

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes, root first."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)


def chord(name: str) -> Chord:
    """'Am7/G' -> Chord."""
    found = _CHORD.match(name)
    if found is None or found.group(2) not in QUALITIES:
        raise ValueError(f"no such chord: {name!r}")
    root = pitch_class(found.group(1))
    bass = pitch_class(found.group(3)) if found.group(3) else root
    return Chord(name, root, QUALITIES[found.group(2)], bass)


@dataclass(frozen=True)
class Change:
    """A chord that lasts from `start` for `length`, in quarter notes."""

    start: float
    length: float
    chord: Chord


def progression(text: str, bar: float = 4, start: float = 0) -> list[Change]:
    """Read 'Am | F | C G | %': bars of `bar` quarter notes, chords sharing a bar equally, % repeats a bar."""
    changes: list[Change] = []
    names: list[str] = []
    for index, measure in enumerate(text.strip().strip("|").split("|")):
        names = names if measure.strip() == "%" else measure.split()
        length = bar / len(names)
        changes += [
            Change(start + index * bar + i * length, length, chord(name)) for i, name in enumerate(names)
        ]
    return changes


def at(changes: list[Change], beat: float) -> Change:
    """The chord that sounds at `beat`; the last one after the end."""
    for change in changes:
        if beat < change.start + change.length - 1e-6:
            return change
    return changes[-1]


def _tones(sounding: Chord, size: int) -> list[list[int]]:
    """Which pitch classes `size` voices may take, best first: doubles the root, then the fifth; thins a large chord."""
    tones = list(sounding.classes)
    for spare in ((sounding.root + 7) % 12, sounding.root, *reversed(sounding.classes)):
        if len(tones) > size and spare in tones:
            tones.remove(spare)
    doubled = sorted(tones, key=lambda t: (t != sounding.root, t != (sounding.root + 7) % 12))
    return [
        tones + list(more) for more in itertools.combinations_with_replacement(doubled, size - len(tones))
    ]


def _candidates(sounding: Chord, bottom: int, top: int, size: int) -> dict[tuple[int, ...], int]:
    """All ways to set the chord between `bottom` and `top`, with what the doubling costs (a doubled third most).

    A chord that does not fit may exceed the top by a third.
    """
    for high in range(top, top + 5):
        found: dict[tuple[int, ...], int] = {}
        for worse, tones in enumerate(_tones(sounding, size)):
            places = [[p for p in range(bottom, high + 1) if p % 12 == tone] for tone in tones]
            for candidate in itertools.product(*places):
                if len(set(candidate)) == size:
                    found.setdefault(tuple(sorted(candidate)), 2 * worse)
        if found:
            return found
    raise ValueError(f"{sounding.name} does not fit between {bottom} and {top}")


def _parallels(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Pairs of voices that move in parallel fifths, octaves or unisons."""
    count = 0
    for i, j in itertools.combinations(range(len(before)), 2):
        perfect = (before[j] - before[i]) % 12 in (0, 7) and (after[j] - after[i]) % 12 == (
            before[j] - before[i]
        ) % 12
        count += perfect and before[i] != after[i]
    return count


def _cost(candidate: tuple[int, ...], before: tuple[int, ...] | None, centre: float, spread: int) -> float:
    """How badly a voicing sounds in itself and after `before`."""
    wide = max(0, candidate[-1] - candidate[0] - spread) * 4
    clusters = sum(b - a == 1 for a, b in itertools.pairwise(candidate)) * 7
    muddy = sum(b - a < 4 and a < 48 for a, b in itertools.pairwise(candidate)) * 5
    drift = abs(sum(candidate) / len(candidate) - centre)
    if before is None:
        return wide + clusters + muddy + drift
    moved = sum(abs(a - b) for a, b in zip(before, candidate, strict=True))
    leap = abs(before[-1] - candidate[-1]) * 0.5
    return wide + clusters + muddy + moved + leap + drift * 0.4 + 4 * _parallels(before, candidate)


def voice(
    changes: list[Change], low: str, high: str, size: int = 3, spread: int = 14
) -> list[tuple[int, ...]]:
    """Voice each chord between `low` and `high` so that the voices move little and not in parallel fifths.

    Returns one ascending tuple of `size` MIDI numbers per change, at most `spread` semitones wide
    (unless the range forces more). Deterministic.
    """
    bottom, top = pitch(low), pitch(high)
    voiced: list[tuple[int, ...]] = []
    before = None
    for change in changes:
        costs = {
            candidate: _cost(candidate, before, (bottom + top) / 2, spread) + doubling
            for candidate, doubling in _candidates(change.chord, bottom, top, size).items()
        }
        before = min(sorted(costs), key=costs.__getitem__)
        voiced.append(before)
    return voiced


def nearest(tone: int, to: int, low: int, high: int) -> int:
    """The pitch of class `tone` in low..high that lies nearest to `to`."""
    return min((p for p in range(low, high + 1) if p % 12 == tone % 12), key=lambda p: (abs(p - to), p))
