"""MIDI files as instrument parts: which stem each part belongs to, and excerpts of them as new MIDI files."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.errors import UserError

DRUM_CHANNEL = 9
VOICE = re.compile(
    r"vocal|voice|vox|sing(er|ing)?\b|voz|canto|soprano|\balto\b(?! ?sax)|tenor(?! ?sax)|choir|lyric", re.I
)
MELODY = re.compile(r"melod|\blead\b", re.I)
CONTROLS = (1, 7, 10, 11, 64, 91, 93)
"""Modulation, volume, pan, expression, pedal, and what goes to reverb and chorus."""
INSTRUMENT = re.compile(r"guit|gtr|bass|piano|drum|perc|string|sax|synth|organ", re.I)


@dataclass
class Part:
    """The notes that one instrument plays: `events` are (seconds, mido message without channel)."""

    stem: str
    program: int
    name: str
    notes: list[tuple[float, float, int, int]] = field(default_factory=list)
    """(start s, end s, MIDI pitch, velocity), in order of their start."""
    controls: list[tuple[float, str, int, int]] = field(default_factory=list)
    """(time s, 'control_change' or 'pitchwheel', controller or 0, value)."""


def stem_of_program(program: int) -> str | None:
    """General MIDI program (0..127) to stem; None for sound effects, which no stem stands for.

    Clavinet and harpsichord count as piano (a keyboard with strings, played as one); synth bass as bass;
    choirs and the voice lead as vocals; taiko, toms, agogo and woodblocks as drums; banjo as guitar.
    """
    if program >= 120:
        return None
    for stem, programs in (
        ("piano", range(8)),
        ("guitar", (*range(24, 32), 105)),
        ("bass", range(32, 40)),
        ("vocals", (52, 53, 54, 85)),
        ("drums", (113, 115, 116, 117, 118, 119)),
    ):
        if program in programs:
            return stem
    return "other"


def read_parts(data: bytes) -> list[Part]:
    """All parts of a Standard MIDI File, tempo changes resolved to seconds.

    Raises UserError when the file is no MIDI file or mido (in the `dev` extra) is not installed.
    """
    try:
        import mido
    except ImportError as error:
        raise UserError("Rendering training data needs mido: install moodstem[dev].") from error
    try:
        song = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except (OSError, EOFError, ValueError, IndexError, KeyError, mido.KeySignatureError) as error:
        raise UserError(f"This is not a readable MIDI file ({error}).") from error
    merged: list[tuple[int, int, Any]] = []
    for index, track in enumerate(song.tracks):
        tick = 0
        for message in track:
            tick += message.time
            merged.append((tick, index, message))
    merged.sort(key=lambda item: item[0])

    names = [track.name.strip() for track in song.tracks]
    program = [0] * 16
    parts: dict[tuple[int, int, int], Part] = {}
    pending: dict[tuple[int, int, int], list[tuple[float, int, Part]]] = {}
    controls: list[list[tuple[float, str, int, int]]] = [[] for _ in range(16)]
    seconds, last, tempo = 0.0, 0, 500_000
    for tick, index, message in merged:
        seconds += (tick - last) * tempo / 1e6 / max(song.ticks_per_beat, 1)
        last = tick
        kind = message.type
        if kind == "set_tempo":
            tempo = message.tempo
        elif kind == "program_change":
            program[message.channel] = message.program
        elif kind == "control_change" and message.control in CONTROLS:
            controls[message.channel].append((seconds, kind, message.control, message.value))
        elif kind == "pitchwheel":
            controls[message.channel].append((seconds, kind, 0, message.pitch))
        elif kind in ("note_on", "note_off"):
            channel, note = message.channel, message.note
            slot = (index, channel, note)
            if kind == "note_on" and message.velocity > 0:
                key = (index, channel, program[channel])
                if key not in parts:
                    stem = "drums" if channel == DRUM_CHANNEL else stem_of_program(program[channel])
                    parts[key] = Part(stem or "", program[channel], names[index])
                    parts[key].controls = controls[channel]
                pending.setdefault(slot, []).append((seconds, message.velocity, parts[key]))
            elif pending.get(slot):
                start, velocity, part = pending[slot].pop(0)
                part.notes.append((start, max(seconds, start + 0.03), note, velocity))
    found = [part for part in parts.values() if part.stem and len(part.notes) > 3]
    for part in found:
        part.notes.sort()
    return assign_voices(found)


def polyphony(part: Part) -> float:
    """Sounding notes per sounding moment, 1 for a melody."""
    sounding = sum(end - start for start, end, _, _ in part.notes)
    covered, reach = 0.0, -1.0
    for start, end, _, _ in part.notes:
        covered += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return sounding / covered if covered else 0.0


def assign_voices(parts: list[Part]) -> list[Part]:
    """Decide what is sung: parts named after voices; else the liveliest melody of a lead, reed or pipe.

    Low synth parts become bass, as producers use them.
    """
    for part in parts:
        median = float(np.median([pitch for _, _, pitch, _ in part.notes]))
        if part.stem == "other" and 80 <= part.program < 104 and median < 45 and polyphony(part) < 1.3:
            part.stem = "bass"
        melodic = part.stem not in ("drums", "bass")
        if melodic and VOICE.search(part.name) and not INSTRUMENT.search(part.name):
            part.stem = "vocals"
    if not any(part.stem == "vocals" for part in parts):
        leads = [
            part
            for part in parts
            if part.stem == "other"
            and (64 <= part.program < 90 or part.program in (22, 40) or MELODY.search(part.name))
            and polyphony(part) < 1.15
            and 50 <= float(np.median([pitch for _, _, pitch, _ in part.notes])) <= 82
        ]
        if len(leads) > 0 and len({part.stem for part in parts}) > 2:
            best = max(leads, key=lambda part: len(part.notes))
            best.stem = "vocals"
    return parts


def busiest_window(parts: list[Part], seconds: float) -> float:
    """Start of the window of this length in which most stems sound, in seconds."""
    end = max((note[1] for part in parts for note in part.notes), default=0.0)
    best, score = 0.0, -1.0
    for start in np.arange(0.0, max(end - seconds, 0.0) + 1e-9, 5.0):
        heard: dict[str, int] = {}
        for part in parts:
            count = sum(1 for note in part.notes if start <= note[0] < start + seconds)
            heard[part.stem] = heard.get(part.stem, 0) + count
        value = sum(min(count, 12) for count in heard.values())
        if value > score:
            best, score = float(start), float(value)
    return best


def excerpt(part: Part, start: float, seconds: float) -> Part:
    """The notes of `part` that start within the window, moved to time 0; pedal and bends carried over."""
    notes = [
        (a - start, min(b, start + seconds) - start, pitch, velocity)
        for a, b, pitch, velocity in part.notes
        if start <= a < start + seconds
    ]
    before: dict[tuple[str, int], int] = {}
    inside: list[tuple[float, str, int, int]] = []
    for time, kind, controller, value in part.controls:
        if time < start:
            before[kind, controller] = value
        elif time < start + seconds:
            inside.append((time - start, kind, controller, value))
    carried = [(0.0, kind, controller, value) for (kind, controller), value in before.items()]
    return replace(part, notes=notes, controls=carried + inside)


def write_midi(parts: list[Part], transpose: int = 0, drum_kit: int = 0) -> bytes:
    """A Standard MIDI File (one tick is a millisecond) of parts that are rendered together."""
    import mido

    song = mido.MidiFile(type=1, ticks_per_beat=1000)
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    for index, part in enumerate(parts):
        drums = part.stem == "drums" and part.program not in range(113, 120)
        channel = DRUM_CHANNEL if drums else channels[index % len(channels)]
        shift = 0 if drums else transpose
        events: list[tuple[float, int, Any]] = []
        program = drum_kit if drums else part.program
        events.append((0.0, 0, mido.Message("program_change", channel=channel, program=program)))
        for time, kind, controller, value in part.controls:
            message = (
                mido.Message("pitchwheel", channel=channel, pitch=value)
                if kind == "pitchwheel"
                else mido.Message("control_change", channel=channel, control=controller, value=value)
            )
            events.append((time, 1, message))
        for start, end, pitch, velocity in part.notes:
            note = min(max(pitch + shift, 0), 127)
            events.append((start, 3, mido.Message("note_on", channel=channel, note=note, velocity=velocity)))
            events.append((end, 2, mido.Message("note_off", channel=channel, note=note)))
        events.sort(key=lambda event: (event[0], event[1]))
        track = mido.MidiTrack()
        if index == 0:
            track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
        tick = 0
        for time, _, message in events:
            now = round(time * 1000)
            track.append(message.copy(time=now - tick))
            tick = now
        song.tracks.append(track)
    buffer = io.BytesIO()
    song.save(file=buffer)
    return buffer.getvalue()
