"""Piano clips for `moodstem eval quadrants`: MIDI rendered with a General MIDI SoundFont, analysed, kept."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from core.analysis import analyse
from core.errors import UserError
from core.separation.base import Separator
from core.track_analysis import TrackAnalysis
from research.cache import analyse_cached, kept_or_made
from research.eval.quadrants import Clip, clip_of
from research.training.midi import read_parts
from research.training.render import RATE, synthesise

FONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
)
TAIL = 2.0
"""Seconds for the last note to fade away."""

Source = tuple[Clip, Path, str | None]
"""A clip, the file or the zip that holds it, and its name inside the zip."""


def font(chosen: Path | None) -> Path:
    """The SoundFont to render with; UserError when there is none."""
    for path in (chosen,) if chosen else FONTS:
        if path.is_file():
            return path
    raise UserError(
        f"There is no SoundFont {chosen}: name another with --font."
        if chosen
        else "Rendering needs a General MIDI SoundFont: install the package fluid-soundfont-gm, or name one with --font."
    )


def find_clips(source: Path) -> list[Source]:
    """The clips of a folder (MIDI or audio) or a zip of MIDI files, named like Q1_<song>_0.mid.

    Raises UserError when there are none.
    """
    found: list[Source] = []
    if source.is_dir():
        found = [
            (clip, path, None)
            for path in sorted(source.iterdir())
            if path.suffix.lower() in (".mid", ".midi", ".mp3", ".wav", ".flac", ".ogg", ".m4a")
            and (clip := clip_of(path.name))
        ]
    elif source.is_file() and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            found = [
                (clip, source, name)
                for name in sorted(archive.namelist())
                if name.lower().endswith((".mid", ".midi")) and (clip := clip_of(name))
            ]
    if not found:
        raise UserError(
            f"{source} holds no clips: give a folder or a zip with files named like Q1_song_0.mid (EMOPIA names them so)."
        )
    return found


def analyse_clips(
    sources: Sequence[Source],
    separator: Separator,
    chosen: Path | None,
    folder: Path,
    progress: Callable[[float], None] = lambda share: None,
) -> list[TrackAnalysis]:
    """Analyse each clip, rendered first with the SoundFont `chosen` (or `font`'s own choice) where it is MIDI.

    All analyses are kept in `folder`, so a second run is quick. Raises UserError where MIDI meets no SoundFont.
    """
    found = []
    for done, (_, path, member) in enumerate(sources):
        if member is None and path.suffix.lower() not in (".mid", ".midi"):
            found.append(analyse_cached(path, separator, folder))
        else:
            found.append(_rendered(_bytes(path, member), separator, font(chosen), folder))
        progress((done + 1) / len(sources))
    return found


def _bytes(path: Path, member: str | None) -> bytes:
    if member is None:
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def _rendered(midi: bytes, separator: Separator, sound: Path, folder: Path) -> TrackAnalysis:
    """The MIDI file is played as it is: its own tempo, touch and pedal, without reverb."""

    def make() -> TrackAnalysis:
        import soundfile

        end = max((note[1] for part in read_parts(midi) for note in part.notes), default=0.0)
        if not end:
            raise UserError("A clip has no notes: leave it out.")
        audio = synthesise(midi, sound, end + TAIL, room=False).mean(axis=0)
        with tempfile.TemporaryDirectory() as room:
            path = Path(room, "clip.wav")
            soundfile.write(path, audio, RATE, subtype="PCM_16")
            return analyse(path, separator)

    return kept_or_made(hashlib.sha256(midi + sound.name.encode()).hexdigest(), separator, folder, make)
