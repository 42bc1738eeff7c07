"""Render the sample library: `python -m research.composer.render_samples [--only NAME] [--stems FOLDER]`.

Needs fluidsynth and Debian's musescore-general-soundfont-small. Each part is rendered alone, brought to its level
(`Part.level`), and added up: so the stems of a piece add up to its mix before normalisation, by construction.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from core.audio.types import STEMS
from core.errors import UserError
from core.library.samples import ALBUM
from research.composer import mixing
from research.composer.mixing import RATE, Audio
from research.composer.pieces import PIECES
from research.composer.score import Part, Piece, midi

SOUNDFONT = Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3")
TARGET = Path(__file__).resolve().parents[2] / "core" / "library" / "samples"
YEAR = "2026"
TAIL = 3.0
"""Seconds after the last note, for what still rings."""
QUALITY = 0.86
"""libsndfile's compression level for Vorbis: about 80 kbit/s on these pieces."""
CEILING = -1.5
"""dB; the coder adds a little, and -1 dB must hold after it."""
SAMPLE_PEAK = 0.5


def soundfont() -> Path:
    """The SoundFont in use: MOODSTEM_SOUNDFONT or Debian's. Raises UserError when it is missing."""
    path = Path(os.environ.get("MOODSTEM_SOUNDFONT", SOUNDFONT))
    if not path.exists():
        raise UserError(
            f"SoundFont {path} is missing: apt install fluidsynth musescore-general-soundfont-small"
        )
    return path


def synthesise(data: bytes) -> Audio:
    """Play a MIDI file through fluidsynth. Returns (samples, 2) at 44.1 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "part.mid"), Path(folder, "part.wav")
        source.write_bytes(data)
        options = ["-ni", "-q", "-r", str(RATE), "-O", "float", "-T", "wav", "-g", "0.4"]
        options += [
            "-o",
            "synth.dynamic-sample-loading=1",
            "-o",
            "synth.polyphony=512",
            "-o",
            "synth.cpu-cores=1",
        ]
        options += [
            "-o",
            "synth.reverb.room-size=0.6",
            "-o",
            "synth.reverb.damp=0.3",
            "-o",
            "synth.reverb.level=0.7",
        ]
        command = ["fluidsynth", *options, "-F", str(target), str(soundfont()), str(source)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except FileNotFoundError as error:
            raise UserError("fluidsynth is missing: apt install fluidsynth") from error
        audio, _ = soundfile.read(target, dtype="float64", always_2d=True)
    return np.asarray(audio)


def seconds(piece: Piece, beat: float) -> float:
    """When `beat` comes, in seconds, with the tempo changes."""
    total, position, tempo = 0.0, 0.0, piece.tempo
    for start, bpm in piece.tempi:
        if start >= beat:
            break
        total += (start - position) * 60 / tempo
        position, tempo = start, bpm
    return total + (beat - position) * 60 / tempo


def part_audio(piece: Piece, part: Part, samples: int) -> Audio:
    """One part at its level: (samples, 2)."""
    audio = synthesise(midi(piece, [part]))[:samples]
    audio = np.pad(audio, ((0, samples - len(audio)), (0, 0)))
    audio = mixing.remove_offset(audio)
    if part.effect:
        audio = mixing.EFFECTS[part.effect](audio, piece.tempo)
    now = mixing.loudness(audio)
    if now <= -60:
        raise ValueError(f"{piece.slug}: {part.instrument} is silent")
    return mixing.fade(audio * 10 ** ((part.level - 24 - now) / 20), 1.5)


def stems(piece: Piece) -> dict[str, Audio]:
    """The piece's stems before normalisation; those it has not are left out."""
    samples = round((seconds(piece, piece.beats) + TAIL) * RATE)
    sums: dict[str, Audio] = {}
    for part in piece.parts:
        audio = part_audio(piece, part, samples)
        sums[part.stem] = sums[part.stem] + audio if part.stem in sums else audio
    return sums


def master(mix: Audio, target: float) -> Audio:
    """Bring a mix to `target` LUFS with its true peak below the ceiling."""
    out = mix
    for _ in range(4):  # limiting lowers the loudness a little, so approach it
        out = mixing.limit(out * 10 ** ((target - mixing.loudness(out)) / 20), CEILING)
    over = mixing.true_peak(out) - CEILING
    return out * 10 ** (-max(0.0, over) / 20)


def write_ogg(path: Path, audio: Audio, tags: dict[str, str], quality: float = QUALITY) -> None:
    """Write Ogg Vorbis with Vorbis comments."""
    with soundfile.SoundFile(
        path, "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=quality
    ) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        for start in range(0, len(audio), RATE):  # libsndfile's Vorbis writer crashes on long blocks
            file.write(audio[start : start + RATE].astype(np.float32))


def file_name(number: int, piece: Piece) -> str:
    """'07-slug.ogg'."""
    return f"{number:02d}-{piece.slug}.ogg"


def render(number: int, piece: Piece, parts: dict[str, Audio]) -> Path:
    """Master and write one piece; lowers it until -1 dB true peak holds after coding too."""
    path = TARGET / file_name(number, piece)
    tags = {"title": piece.title, "artist": piece.artist, "genre": piece.genre, "album": ALBUM, "date": YEAR}
    audio = master(np.sum(list(parts.values()), axis=0), piece.loudness)
    for _ in range(6):
        write_ogg(path, audio, tags)
        coded, _ = soundfile.read(path, dtype="float64", always_2d=True)
        if (over := mixing.true_peak(coded) + 1.05) <= 0:
            break
        audio = audio * 10 ** (-(over + 0.05) / 20)
    return path


def write_stems(folder: Path, piece: Piece, parts: dict[str, Audio]) -> None:
    """Write all six stems as FOLDER/<slug>/<stem>.ogg, one common gain keeping their sum unclipped."""
    target = folder / piece.slug
    target.mkdir(parents=True, exist_ok=True)
    length = len(next(iter(parts.values())))
    peak = np.abs(np.sum(list(parts.values()), axis=0)).max()
    for stem in STEMS:
        audio = parts.get(stem, np.zeros((length, 2))) * min(1.0, SAMPLE_PEAK / peak)
        write_ogg(
            target / f"{stem}.ogg", audio, {"title": f"{piece.title}: {stem}", "artist": piece.artist}, 0.3
        )


def manifest(pieces: list[Piece]) -> str:
    """samples.toml: what each piece is, so that tests and evaluation can use the truth."""
    lines = [
        "# Written by `python -m research.composer.render_samples`. `instruments` are the stems that truly sound.",
        "",
    ]
    for number, piece in enumerate(pieces, 1):
        moods, sounding = (", ".join(f'"{word}"' for word in words) for words in (piece.moods, piece.stems))
        lines += [
            "[[sample]]",
            f'file = "{file_name(number, piece)}"',
            f'title = "{piece.title}"',
            f'artist = "{piece.artist}"',
            f'genre = "{piece.genre}"',
            f"tempo_bpm = {piece.tempo:g}",
            f'key = "{piece.key}"',
            f'mode = "{piece.mode}"',
            f"moods = [{moods}]",
            f"instruments = [{sounding}]",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Render all pieces, or those whose slug contains --only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a slug or of a composing function's name")
    parser.add_argument("--stems", type=Path, help="also write the true stems to this folder")
    parser.add_argument("--midi", type=Path, help="also write the MIDI files to this folder")
    options = parser.parse_args()
    pieces = [compose() for compose in PIECES]
    for number, (compose, piece) in enumerate(zip(PIECES, pieces, strict=True), 1):
        if options.only not in f"{piece.slug} {compose.__name__}":
            continue
        sums = stems(piece)
        path = render(number, piece, sums)
        if options.stems:
            write_stems(options.stems, piece, sums)
        if options.midi:
            options.midi.mkdir(parents=True, exist_ok=True)
            (options.midi / f"{piece.slug}.mid").write_bytes(midi(piece))
        print(f"{path.name}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    (TARGET / "samples.toml").write_text(manifest(pieces))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from error
