"""Short ways to write music: melodies, accompaniments, bass lines and drum grooves as text."""

import random
import re

from research.composer.score import Note
from research.composer.theory import Change, at, nearest, pitch

LENGTHS = {"w": 4.0, "h": 2.0, "q": 1.0, "e": 0.5, "s": 0.25, "t": 0.125}
HITS = {"X": 1.18, "x": 1.0, "o": 0.62, ">": 1.0}

KIT = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "open": 46, "pedal": 44, "ride": 51, "bell": 53,
    "crash": 49, "crash2": 57, "splash": 55, "china": 52, "tom1": 50, "tom2": 47, "tom3": 43, "tamb": 54, "cowbell": 56,
    "conga hi": 63, "conga mute": 62, "conga lo": 64, "shaker": 70, "cabasa": 69, "clave": 75, "agogo": 67, "agogo lo": 68,
    "surdo": 87, "surdo mute": 86, "whistle": 72, "tap": 38, "swirl": 40, "triangle": 81, "bass drum": 35, "gong": 52,
    "guiro": 73, "timbale": 65, "timbale lo": 66, "block": 76, "block lo": 77,
}  # fmt: skip
DRUM_VELOCITY = {
    "hat": 68,
    "shaker": 58,
    "ride": 70,
    "cabasa": 55,
    "tamb": 66,
    "kick": 98,
    "snare": 94,
    "pedal": 60,
}


def melody(
    text: str, bar: float = 4, start: float = 0, velocity: int = 84, legato: float = 0.96
) -> list[Note]:
    """Read 'q C4 E4 | h. G4 q r': lengths w h q e s t (dotted with '.', triplet with '3') stay until changed.

    Pitches join with '+' to chords; '!' accents, '?' softens, ''' shortens, '~' prolongs the note before, 'r' rests.
    '|' checks that the bar is full, since a slip of the pen is heard as one: raises ValueError.
    """
    notes: list[Note] = []
    now, length, last = start, 1.0, 0
    for token in text.split():
        if token == "|":
            left = (now - start) % bar
            if min(left, bar - left) > 1e-6:
                raise ValueError(f"bar {int((now - start) // bar) + 1} is not full in {text[:60]!r}")
        elif found := re.fullmatch(r"([whqest])([.3]?)", token):
            length = LENGTHS[found.group(1)] * {".": 1.5, "3": 2 / 3, "": 1}[found.group(2)]
        elif token == "r":
            now += length
        elif token == "~":
            notes[-last:] = [Note(n.start, n.length + length, n.pitch, n.velocity) for n in notes[-last:]]
            now += length
        else:
            names = re.sub(r"[!?']", "", token).split("+")
            loud = velocity + 16 * token.count("!") - 18 * token.count("?")
            held = length * (0.45 if "'" in token else legato)
            notes += [Note(now, held, pitch(name), max(1, min(127, loud))) for name in names]
            now, last = now + length, len(names)
    return notes


def comp(
    changes: list[Change],
    voicings: list[tuple[int, ...]],
    rhythm: str,
    bar: float = 4,
    velocity: int = 74,
    strum: float = 0,
) -> list[Note]:
    """Play the voicings in a rhythm of equal steps per bar: x hit, X accent, o soft, > the next chord early, - hold, . rest.

    Bars of the rhythm are separated by '|' and repeat; the last bar rests on its chords. `strum` spreads a chord over that many quarter notes.
    """
    bars = [b.replace(" ", "") for b in rhythm.split("|")]
    end = changes[-1].start + changes[-1].length
    notes: list[Note] = []
    count = round((end - changes[0].start) / bar)
    for index in range(count):
        steps = bars[index % len(bars)]
        if index == count - 1:
            steps = _closing(changes, end - bar, bar, "x", "-")
        step = bar / len(steps)
        for i, sign in enumerate(steps):
            if sign not in HITS:
                continue
            held = 1
            while i + held < len(steps) and steps[i + held] == "-":
                held += 1
            beat = changes[0].start + index * bar + i * step
            until = min(beat + held * step, end)
            early = sign == ">"
            while beat < until - 1e-6:  # a chord that is held over a change moves with it
                which = changes.index(at(changes, min(until, end - 0.01) if early else beat))
                change = changes[which]
                stop = until if early else min(until, change.start + change.length)
                loud = min(127, round(velocity * HITS[sign]))
                spread = strum / max(1, len(voicings[which]) - 1)
                order = voicings[which] if i % 2 == 0 else voicings[which][::-1]  # down and up strokes
                for k, tone in enumerate(order):
                    length = max(0.05, (stop - beat) * 0.95 - k * spread)
                    notes.append(Note(beat + k * spread, length, tone, loud - (2 if k else 0)))
                beat = stop
    return notes


def _closing(changes: list[Change], start: float, bar: float, struck: str, held: str) -> str:
    """A last bar, in eighths: each chord struck once and held."""
    starts = {round((c.start - start) * 2) for c in changes if c.start > start - 1e-6}
    return "".join(struck if i in starts or i == 0 else held for i in range(round(bar * 2)))


def arpeggio(
    changes: list[Change],
    voicings: list[tuple[int, ...]],
    order: str,
    step: float,
    velocity: int = 70,
    ring: bool = True,
) -> list[Note]:
    """Break each chord: `order` holds indices into the voicing ('.' rests, '+' joins), one per `step`, anew on each chord.

    With `ring` the notes sound on to the end of their chord, like a harp or a piano with pedal.
    """
    pattern = order.split()
    notes: list[Note] = []
    for change, tones in zip(changes, voicings, strict=True):
        for i in range(round(change.length / step)):
            token = pattern[i % len(pattern)]
            if token == ".":
                continue
            beat = change.start + i * step
            held = change.start + change.length - beat if ring else step * 0.95
            for index in token.split("+"):
                octave, place = divmod(int(index), len(tones))
                accent = 6 if i % len(pattern) == 0 else 0
                notes.append(Note(beat, held, tones[place] + 12 * octave, velocity + accent))
    return notes


def bass(
    changes: list[Change], pattern: str, low: str = "E1", high: str = "D3", bar: float = 4, velocity: int = 86
) -> list[Note]:
    """A bass line by chord degrees, one token per equal step: R 3 5 7 8 (octave), 2 6 scale steps, A leads into the next root.

    '.' rests, '-' holds, lower-case r is a ghost note. Bars are separated by '|' and repeat; the last one holds its roots.
    """
    bottom, top = pitch(low), pitch(high)
    bars = [b.split() for b in pattern.split("|")]
    end = changes[-1].start + changes[-1].length
    notes: list[Note] = []
    root = nearest(changes[0].chord.bass, bottom + 7, bottom, top)
    current = changes[0]
    count = round((end - changes[0].start) / bar)
    for index in range(count):
        tokens = bars[index % len(bars)]
        if index == count - 1:
            tokens = list(_closing(changes, end - bar, bar, "R", "-"))
        step = bar / len(tokens)
        for i, token in enumerate(tokens):
            beat = changes[0].start + index * bar + i * step
            if token == ".":
                continue
            if token == "-":
                if notes:
                    last = notes[-1]
                    notes[-1] = Note(last.start, last.length + step, last.pitch, last.velocity)
                continue
            here = at(changes, beat)
            if here is not current:
                current = here
                root = nearest(here.chord.bass, round((root + bottom + 8) / 2), bottom, top)
            tone = _degree(here, token, root, changes, beat, step)
            while tone > top:
                tone -= 12
            while tone < bottom:
                tone += 12
            loud = velocity * (0.55 if token == "r" else 1.06 if i == 0 else 1.0)
            notes.append(Note(beat, step * (0.4 if token == "r" else 0.92), tone, min(127, round(loud))))
    return notes


def _degree(here: Change, token: str, root: int, changes: list[Change], beat: float, step: float) -> int:
    above = here.chord.intervals
    if token == "A":
        target = at(changes, beat + step + 1e-3).chord.bass
        goal = min((root + d for d in range(-7, 8) if (root + d) % 12 == target), key=lambda p: abs(p - root))
        return goal - 1 if goal > root else goal + 1 if goal < root else root + 7
    # degrees count from the chord's root, the bass of a slash chord is only its R
    base = root if here.chord.bass == here.chord.root else nearest(here.chord.root, root, root - 6, root + 6)
    third = next((i for i in above if i in (3, 4)), next((i for i in above if i in (2, 5)), 7))
    fifth = next((i for i in above if i in (6, 7, 8)), 7)
    seventh = next((i for i in above if i in (9, 10, 11)), 10 if third == 3 else 12)
    steps = {"2": 2, "3": third, "5": fifth, "6": 9, "7": seventh}
    if token in ("R", "r"):
        return root
    if token == "8":
        return root + 12
    return base + steps[token]


def walking(
    changes: list[Change], low: str = "E1", high: str = "E3", seed: int = 1, velocity: int = 84
) -> list[Note]:
    """A walking bass in quarter notes: the root on the change, chord tones between, a half step into the next root."""
    rng = random.Random(seed)
    bottom, top = pitch(low), pitch(high)
    notes: list[Note] = []
    now = nearest(changes[0].chord.bass, bottom + 9, bottom, top)
    for index, change in enumerate(changes):
        following = changes[(index + 1) % len(changes)]
        count = round(change.length)
        now = nearest(change.chord.bass, now, bottom, top)
        goal = nearest(following.chord.bass, now + rng.choice((-5, 5)), bottom, top)
        line = [now]
        for i in range(1, count):
            left = count - i
            if left == 1:
                line.append(goal + (1 if line[-1] >= goal else -1))
            else:
                wished = line[-1] + (goal - line[-1]) / (left + 1) + rng.choice((-3, 2, 4))
                tones = [
                    p for p in range(bottom, top + 1) if p % 12 in change.chord.classes and p != line[-1]
                ]
                line.append(min(tones, key=lambda p, w=wished: abs(p - w)))  # type: ignore[misc]
        for i, tone in enumerate(line):
            notes.append(
                Note(change.start + i, 0.9, max(bottom, min(top, tone)), velocity + (4 if i % 2 == 0 else -3))
            )
        now = line[-1]
    home = nearest(changes[-1].chord.bass, notes[-1].pitch, bottom, top)
    return [n for n in notes if n.start < changes[-1].start] + [
        Note(changes[-1].start, changes[-1].length, home, velocity)
    ]


def groove(
    form: str, patterns: dict[str, dict[str, str]], bar: float = 4, start: float = 0, velocity: float = 1.0
) -> list[Note]:
    """Drums: `form` names one pattern per bar (a letter; '.' is silence); a pattern maps drum to equal steps x X o '.'."""
    notes: list[Note] = []
    for index, letter in enumerate(form.replace(" ", "")):
        if letter == ".":
            continue
        for drum, text in patterns[letter].items():
            steps = text.replace(" ", "")
            step = bar / len(steps)
            usual = DRUM_VELOCITY.get(drum, 82) * velocity
            for i, sign in enumerate(steps):
                if sign in HITS:
                    loud = usual * (0.42 if sign == "o" else HITS[sign])
                    notes.append(
                        Note(start + index * bar + i * step, min(step, 0.5), KIT[drum], min(127, round(loud)))
                    )
    return notes


def arch(notes: list[Note], phrase: float, rise: float = 0.16) -> list[Note]:
    """Shape each phrase of `phrase` quarter notes: louder towards two thirds, softer at its end."""
    shaped = []
    for note in notes:
        x = (note.start % phrase) / phrase
        lift = 1 + rise * (x / 0.62 if x < 0.62 else (1 - x) / 0.38) - rise / 2
        shaped.append(
            Note(note.start, note.length, note.pitch, max(1, min(127, round(note.velocity * lift))))
        )
    return shaped
