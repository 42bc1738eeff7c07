"""Notes, parts and pieces; humanising; writing MIDI."""

import io
import itertools
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import mido

PPQ = 480
DRUM_CHANNEL = 9

PROGRAMS: dict[str, tuple[int, str]] = {
    "piano": (0, "piano"),
    "bright piano": (1, "piano"),
    "honky-tonk": (3, "piano"),
    "electric piano": (4, "piano"),
    "harpsichord": (6, "other"),
    "clavinet": (7, "other"),
    "celesta": (8, "other"),
    "glockenspiel": (9, "other"),
    "music box": (10, "other"),
    "vibraphone": (11, "other"),
    "marimba": (12, "other"),
    "xylophone": (13, "other"),
    "tubular bells": (14, "other"),
    "drawbar organ": (16, "other"),
    "rock organ": (18, "other"),
    "church organ": (19, "other"),
    "accordion": (21, "other"),
    "harmonica": (22, "other"),
    "bandoneon": (23, "other"),
    "nylon guitar": (24, "guitar"),
    "steel guitar": (25, "guitar"),
    "jazz guitar": (26, "guitar"),
    "clean guitar": (27, "guitar"),
    "muted guitar": (28, "guitar"),
    "overdriven guitar": (29, "guitar"),
    "distortion guitar": (30, "guitar"),
    "acoustic bass": (32, "bass"),
    "finger bass": (33, "bass"),
    "pick bass": (34, "bass"),
    "fretless bass": (35, "bass"),
    "slap bass": (36, "bass"),
    "synth bass": (38, "bass"),
    "synth bass 2": (39, "bass"),
    "violin": (40, "other"),
    "viola": (41, "other"),
    "cello": (42, "other"),
    "contrabass": (43, "bass"),
    "tremolo strings": (44, "other"),
    "pizzicato": (45, "other"),
    "harp": (46, "other"),
    "timpani": (47, "drums"),
    "strings": (48, "other"),
    "slow strings": (49, "other"),
    "choir aahs": (52, "vocals"),
    "voice oohs": (53, "vocals"),
    "synth voice": (54, "vocals"),
    "trumpet": (56, "other"),
    "trombone": (57, "other"),
    "tuba": (58, "bass"),
    "muted trumpet": (59, "other"),
    "french horn": (60, "other"),
    "brass": (61, "other"),
    "synth brass": (62, "other"),
    "alto sax": (65, "other"),
    "tenor sax": (66, "other"),
    "oboe": (68, "other"),
    "bassoon": (70, "other"),
    "clarinet": (71, "other"),
    "flute": (73, "other"),
    "pan flute": (75, "other"),
    "square lead": (80, "other"),
    "saw lead": (81, "other"),
    "new age pad": (88, "other"),
    "warm pad": (89, "other"),
    "polysynth": (90, "other"),
    "choir pad": (91, "vocals"),
    "sweep pad": (95, "other"),
    "banjo": (105, "guitar"),
    "fiddle": (110, "other"),
    "drums": (0, "drums"),
    "room drums": (8, "drums"),
    "power drums": (16, "drums"),
    "electronic drums": (24, "drums"),
    "808 drums": (25, "drums"),
    "jazz drums": (32, "drums"),
    "brush drums": (40, "drums"),
    "orchestra drums": (48, "drums"),
}
"""General MIDI (and GS drum kit) program and the stem that it belongs to, by the name used in the pieces."""


@dataclass(frozen=True)
class Note:
    """Start and length in quarter notes, MIDI pitch, velocity 1..127."""

    start: float
    length: float
    pitch: int
    velocity: int = 80


@dataclass
class Part:
    """One instrument.

    `level` is its loudness in the mix in LU against the other parts (0 = a lead); the renderer measures
    and sets it, so that no preset of the SoundFont drowns the rest. `expression` holds (beat, 0..1) points
    of a crescendo curve for instruments that sustain. `effect` names an entry of `mixing.EFFECTS`.
    """

    instrument: str
    notes: list[Note]
    level: float = 0.0
    pan: float = 0.0  # -1 left .. 1 right
    reverb: float = 0.35  # send, 0..1
    timing: float = 8.0  # standard deviation in ms
    touch: float = 5.0  # standard deviation of velocity
    lag: float = 0.0  # ms behind the beat
    swing: float = 0.5  # where the second of two swung notes falls, 0.5 = straight
    swing_unit: float = 0.5  # the length that swings: 0.5 = eighths, 0.25 = sixteenths
    vibrato: float = 0.0  # modulation wheel, 0..1
    expression: Sequence[tuple[float, float]] = ()
    effect: str = ""

    @property
    def program(self) -> int:
        """General MIDI's number, 0..127; 0 for a drum kit."""
        return PROGRAMS[self.instrument][0]

    @property
    def stem(self) -> str:
        return PROGRAMS[self.instrument][1]

    @property
    def is_kit(self) -> bool:
        return self.instrument.endswith("drums")


@dataclass
class Piece:
    """A composed piece. `beats` counts quarter notes to the end of the last bar; `bar` those of one bar."""

    slug: str
    title: str
    artist: str
    genre: str
    tempo: float
    key: str
    mode: str
    moods: tuple[str, ...]
    parts: list[Part]
    bar: float = 4
    loudness: float = -16.0  # LUFS
    dynamics: Sequence[tuple[float, float]] = ()  # (beat, factor on velocity)
    tempi: Sequence[tuple[float, float]] = ()  # (beat, bpm) after the start

    @property
    def beats(self) -> float:
        """Length of the whole piece, in quarter notes."""
        return max(note.start + note.length for part in self.parts for note in part.notes)

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems that sound."""
        return tuple(sorted({part.stem for part in self.parts}))


def curve(points: Sequence[tuple[float, float]], beat: float) -> float:
    """Straight lines between (beat, value) points; 1 without points."""
    if not points:
        return 1.0
    if beat <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if beat < x1:
            return y0 + (y1 - y0) * (beat - x0) / (x1 - x0)
    return points[-1][1]


def shift(notes: list[Note], beats: float = 0, semitones: int = 0, velocity: float = 1.0) -> list[Note]:
    """The same notes later, higher, louder."""
    return [
        replace(
            n,
            start=n.start + beats,
            pitch=n.pitch + semitones,
            velocity=max(1, min(127, round(n.velocity * velocity))),
        )
        for n in notes
    ]


def humanise(piece: Piece, part: Part) -> list[Note]:
    """Swing, loose timing and touch, and the piece's dynamics. The same piece gives the same notes, always."""
    rng = random.Random(zlib.crc32(f"{piece.slug}/{part.instrument}/{len(part.notes)}".encode()))
    beats_per_ms = piece.tempo / 60_000
    played = []
    for note in sorted(part.notes, key=lambda n: (n.start, n.pitch)):
        start = note.start
        pair, phase = divmod(start + 1e-9, 2 * part.swing_unit)
        if abs(phase - part.swing_unit) < 1e-6:
            start = (pair + part.swing) * 2 * part.swing_unit
        drift = max(-2.0, min(2.0, rng.gauss(0, 1))) * part.timing + part.lag
        start = max(0.0, start + drift * beats_per_ms)
        loud = note.velocity * curve(piece.dynamics, note.start) + rng.gauss(0, 1) * part.touch
        played.append(replace(note, start=start, velocity=max(8, min(127, round(loud)))))
    return played


def _events(piece: Piece, part: Part, channel: int) -> list[tuple[int, int, mido.Message]]:
    """(tick, order, message); note-offs come before note-ons of the same tick."""

    def control(tick: int, number: int, value: float) -> tuple[int, int, mido.Message]:
        return (
            tick,
            0,
            mido.Message(
                "control_change", channel=channel, control=number, value=max(0, min(127, round(value)))
            ),
        )

    events = [(0, 0, mido.Message("program_change", channel=channel, program=part.program))]
    events += [control(0, 7, 110), control(0, 10, 64 + 63 * part.pan), control(0, 91, 127 * part.reverb)]
    events += [
        control(0, 93, 0),
        control(0, 1, 127 * part.vibrato),
        control(0, 11, 127 * curve(part.expression, 0)),
    ]
    if part.expression:
        steps = range(1, int(piece.beats * 4))
        events += [control(s * PPQ // 4, 11, 127 * curve(part.expression, s / 4)) for s in steps]
    notes = humanise(piece, part)
    ends: dict[int, float] = {}
    for note in reversed(notes):  # the same pitch struck again ends the note before
        stop = min(note.start + note.length, ends.get(note.pitch, 1e9))
        ends[note.pitch] = note.start
        on, off = round(note.start * PPQ), round(stop * PPQ)
        common = {"channel": channel, "note": note.pitch}
        events.append((on, 2, mido.Message("note_on", velocity=note.velocity, **common)))
        events.append((max(on + 10, off), 1, mido.Message("note_off", velocity=0, **common)))
    return sorted(events, key=lambda e: (e[0], e[1], getattr(e[2], "note", -1)))


def _track(name: str, events: list[tuple[int, int, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name, time=0)])
    now = 0
    for tick, _, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def midi(piece: Piece, parts: list[Part] | None = None) -> bytes:
    """A Standard MIDI File of the piece, or of some of its parts: a tempo track and one track per part."""
    file = mido.MidiFile(type=1, ticks_per_beat=PPQ)
    tempi = [(0.0, piece.tempo), *piece.tempi]
    events = [
        (round(b * PPQ), 0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for b, bpm in tempi
    ]
    numerator, denominator = (int(piece.bar), 4) if piece.bar == int(piece.bar) else (int(piece.bar * 2), 8)
    events.insert(0, (0, 0, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)))
    file.tracks.append(_track(piece.title, events))
    channels = iter(c for c in range(16) if c != DRUM_CHANNEL)
    for part in piece.parts:
        channel = DRUM_CHANNEL if part.is_kit else next(channels)
        if parts is None or any(part is wanted for wanted in parts):
            file.tracks.append(_track(part.instrument, _events(piece, part, channel)))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
